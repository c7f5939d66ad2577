"""Posts to URLs outside, for rule actions: only to addresses that the operator lets the cloud reach (`reach`)."""

import asyncio
import http.client
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hedgerow.base.errors import Unavailable
from hedgerow.cloud.reach import Line, Network, Reach, Refused

__all__ = ["Network", "Refused", "Webhooks"]

TIMEOUT_S: Final = 3.0  # without a byte
WHOLE_S: Final = 10.0  # for all of it: who sends a byte now and then must not hold a place for ever
MAX_RESPONSE: Final = 16_384
AT_ONCE: Final = 16


class Webhooks:
    """Posts, a bounded number at once."""

    def __init__(self, *, networks: Sequence[Network], trust: ssl.SSLContext | None = None) -> None:
        self._reach = Reach(networks=networks, who="webhooks")
        self._trust = trust or ssl.create_default_context()
        self._places = asyncio.Semaphore(AT_ONCE)
        # threads of its own: slow receivers must not stop what else is done in threads
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Post; raise Unavailable for 429, 5xx and no answer in time, Refused for everything that stays wrong."""
        line = Line()
        async with self._places:
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._post, url, headers, body, line)
            try:
                async with asyncio.timeout(WHOLE_S):
                    status = await work
            except TimeoutError:
                raise Unavailable(f"{url} did not answer within {WHOLE_S:g} s") from None
            finally:
                line.cut()
        if status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"{url} answered {status}")
        if status >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise Refused(f"{url} answered {status}")

    def _post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, line: Line) -> int:
        parts = urlsplit(url)
        try:
            connection = self._connect(parts, line)
        except OSError as error:
            raise Unavailable(f"cannot reach {parts.hostname}: {error}") from error
        try:
            target = parts.path or "/"
            connection.request("POST", f"{target}?{parts.query}" if parts.query else target, body, dict(headers))
            response = connection.getresponse()
            response.read(MAX_RESPONSE)
            return response.status
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{url} did not answer: {error}") from error
        finally:
            connection.close()

    def _connect(self, parts: SplitResult, line: Line) -> http.client.HTTPConnection:
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = self._reach.address(host, port, secure=secure)
        raw = socket.create_connection((address, port), timeout=TIMEOUT_S)
        line.keep(raw)
        try:
            connected = self._trust.wrap_socket(raw, server_hostname=host) if secure else raw
        except BaseException:
            raw.close()
            raise
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        connection.sock = connected
        return connection
