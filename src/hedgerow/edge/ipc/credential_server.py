"""The local credential server: components get the role alias' credentials as AWS's SDKs ask for them.

`GET /2016-11-01/credentialprovider/` with the component's token in `Authorization`. On loopback only.
Spec: Greengrass V2, token exchange service.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from hedgerow.base.log import get_logger
from hedgerow.edge.credentials import CredentialProvider, CredentialsRefused
from hedgerow.edge.trouble import Trouble

PATH: Final = "/2016-11-01/credentialprovider/"
_REQUEST_S: Final = 10.0
_MOST: Final = 64  # connections at once
_log = get_logger("edge.credentials")


class CredentialServer:
    """Serves the components of one core."""

    def __init__(self, *, credentials: CredentialProvider, component_of: Callable[[str], str | None]) -> None:
        self._credentials = credentials
        self._component_of = component_of
        self._open = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen for as long as the context lasts; answers the URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=16_384)
        try:
            yield f"http://localhost:{server.sockets[0].getsockname()[1]}{PATH}"
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _MOST:
                async with asyncio.timeout(_REQUEST_S):
                    request = await _request(reader)
                status, body = await self._answer(request)
                writer.write(_response(status, body))
                async with asyncio.timeout(_REQUEST_S):
                    await writer.drain()
        except (TimeoutError, OSError):
            pass
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, request: Any) -> tuple[int, dict[str, Any]]:
        if request is None:
            return 400, {"message": "this is not HTTP"}
        headers = {name.lower(): value for name, value in request.headers}
        if request.target.decode("ascii", "replace") not in (PATH, PATH.rstrip("/")):
            return 404, {"message": "there is nothing here"}
        if request.method != b"GET":
            return 405, {"message": "only GET"}
        token = headers.get(b"authorization", b"").decode("ascii", "replace")
        if not token:
            return 400, {"message": "the Authorization header is missing"}
        if self._component_of(token) is None:
            return 403, {"message": "no component has this token"}
        return await self._fetched()

    async def _fetched(self) -> tuple[int, dict[str, Any]]:
        try:
            found = await self._credentials.get()
        except CredentialsRefused as error:
            return (error.status if error.status < 500 else 500), {"message": str(error)}
        except Trouble as error:
            _log.warning("no credentials", extra={"fields": {"cause": str(error)}})
            return 504, {"message": str(error)}
        return 200, {
            "AccessKeyId": found.access_key_id,
            "SecretAccessKey": found.secret_access_key,
            "Token": found.session_token,
            "Expiration": found.expiration,
        }


async def _request(reader: asyncio.StreamReader) -> Any:
    import h11

    parser = h11.Connection(h11.SERVER)
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            return None
        if event is h11.NEED_DATA:
            parser.receive_data(await reader.read(16_384))
            continue
        return event if isinstance(event, h11.Request) else None


def _response(status: int, body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    lines = (
        f"HTTP/1.1 {status} -",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data
