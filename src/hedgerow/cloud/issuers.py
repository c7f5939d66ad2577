"""The keys of identity providers: fetched from where they publish them, kept for a while.

TLS only. The server is trusted when the system's certificate authorities vouch for it, or when one of the provider's
thumbprints is the SHA-1 of a certificate of its chain, and the chain up to that one, names and dates are right.
Redirects are not followed. Who asks is nobody that was authenticated: what failed is not tried again at once, one fetch
serves everyone who waits for it, and everything has a bound.
Spec: OpenID Connect Discovery 1.0, section 4.
"""

import asyncio
import hashlib
import http.client
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.cloud.reach import Line, Network, Reach, Refused
from hedgerow.core.jwt import InvalidToken, Key, read_keys
from hedgerow.core.jwt.encoding import read_object
from hedgerow.services.sts.sessions import KeysRefused

log = get_logger("issuers")

TIMEOUT_S: Final = 3.0  # without a byte
WHOLE_S: Final = 10.0  # for all of it
WAIT_S: Final = 20.0  # with waiting for a place
LONGEST: Final = 128 * 1024  # bytes of an answer
AT_ONCE: Final = 8
FRESH_S: Final = 600.0  # keys are kept this long
AGAIN_S: Final = 10.0  # after which keys are fetched anew for a token that names another key, or after a failure
REMEMBERED: Final = 256  # providers; the oldest go first
_DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass(slots=True)
class _Known:
    """What is known of one provider."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: tuple[Key, ...] = ()
    read_at: float = float("-inf")
    failure: Exception | None = None
    failed_at: float = float("-inf")


class IssuerKeys:
    """Implements the port `Keys` of web identities. Lives on the loop."""

    def __init__(self, *, networks: Sequence[Network], clock: Clock, trust: ssl.SSLContext | None = None) -> None:
        self._reach = Reach(networks=networks, who="identity providers")
        self._clock = clock
        self._trust = trust or ssl.create_default_context()
        self._known: dict[tuple[str, tuple[str, ...]], _Known] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="issuer")

    async def keys(self, issuer: str, thumbprints: tuple[str, ...], key_id: str | None) -> Sequence[Key]:
        """Answer the provider's keys, with the one of this name if it has it.

        Raises Unavailable when the provider cannot be reached just now, KeysRefused when what it shows is not right.
        """
        try:
            async with asyncio.timeout(WAIT_S):
                return await self._now(self._of(issuer, thumbprints), issuer, thumbprints, key_id)
        except TimeoutError:
            raise Unavailable("too many wait for identity providers that do not answer") from None

    async def _now(self, known: _Known, issuer: str, thumbprints: tuple[str, ...], key_id: str | None) -> Sequence[Key]:
        async with known.lock:
            now = self._clock.now()
            age = now - known.read_at
            wanting = key_id is not None and all(key.id != key_id for key in known.keys)
            if 0 <= age < (AGAIN_S if wanting else FRESH_S):
                return known.keys
            if known.failure is not None and 0 <= now - known.failed_at < AGAIN_S:
                raise known.failure.with_traceback(None)
            try:
                known.keys = await self._fetch(issuer, thumbprints)
            except (Unavailable, Refused) as error:
                known.failure = error if isinstance(error, Unavailable) else KeysRefused(str(error))
                known.failed_at = now
                fields = {"issuer": issuer, "why": str(error)}  # told once, not to everyone who asks meanwhile
                log.warning("an identity provider's keys cannot be had", extra={"fields": fields})
                raise known.failure from error.__cause__
            known.read_at, known.failure = now, None
            return known.keys

    def _of(self, issuer: str, thumbprints: tuple[str, ...]) -> _Known:
        name = (issuer, thumbprints)
        known = self._known.get(name)
        if known is None:
            while len(self._known) >= REMEMBERED:
                self._known.pop(next(iter(self._known)))
            known = self._known[name] = _Known()
        return known

    async def _fetch(self, issuer: str, thumbprints: tuple[str, ...]) -> tuple[Key, ...]:
        line = Line()
        async with self._places:
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._read, issuer, thumbprints, line)
            try:
                async with asyncio.timeout(WHOLE_S):
                    return await work
            except TimeoutError:
                raise Unavailable("the identity provider did not answer in time") from None
            finally:
                line.cut()

    def _read(self, issuer: str, thumbprints: tuple[str, ...], line: Line) -> tuple[Key, ...]:
        try:
            found = read_object(self._get(issuer.rstrip("/") + _DISCOVERY, thumbprints, line))
            place = found.get("jwks_uri")
            if found.get("issuer") != issuer or not isinstance(place, str):
                raise Refused("its configuration names another issuer, or no keys")
            return read_keys(self._get(place, thumbprints, line))
        except InvalidToken as error:
            raise Refused(f"what it publishes cannot be read: {error}") from error

    def _get(self, url: str, thumbprints: tuple[str, ...], line: Line) -> bytes:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or 443
        except ValueError as error:
            raise Refused("its configuration has a URL that is none") from error
        if parts.scheme != "https" or parts.username is not None or not host or not url.isascii():
            raise Refused("its configuration has a URL that is not https")
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        try:
            connection.sock = self._connected(host, port, thumbprints, line)
            headers = {"host": parts.netloc, "accept": "application/json", "connection": "close"}
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            body = response.read(LONGEST + 1)
        except ssl.SSLCertVerificationError as error:
            raise Refused("its certificate is neither known to the system nor by a thumbprint") from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise Unavailable("the identity provider cannot be reached") from error
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"the identity provider answered {response.status}")
        if response.status != http.HTTPStatus.OK:
            raise Refused(f"it answered {response.status} where it should publish")
        if len(body) > LONGEST:
            raise Refused(f"it publishes more than {LONGEST} bytes")
        return body

    def _connected(self, host: str, port: int, thumbprints: tuple[str, ...], line: Line) -> ssl.SSLSocket:
        address = self._reach.address(host, port, secure=True)
        try:
            return _secured(self._trust, address, host, port, line)
        except ssl.SSLCertVerificationError:
            anchors = _anchors(address, host, port, thumbprints, line) if thumbprints else b""
            if not anchors:
                raise
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=anchors)
        return _secured(context, address, host, port, line)


def _secured(context: ssl.SSLContext, address: str, host: str, port: int, line: Line) -> ssl.SSLSocket:
    raw = socket.create_connection((address, port), timeout=TIMEOUT_S)
    line.keep(raw)
    try:
        return context.wrap_socket(raw, server_hostname=host)
    except BaseException:
        raw.close()
        raise


def _anchors(address: str, host: str, port: int, thumbprints: Sequence[str], line: Line) -> bytes:
    """Answer the certificates (DER) of the server's chain that a thumbprint names. Nothing is believed yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only to see the chain; nothing is sent
    with _secured(context, address, host, port, line) as connection:
        chain = _chain(connection)
    named = (der for der in chain if hashlib.sha1(der, usedforsecurity=False).hexdigest() in thumbprints)
    return b"".join(named)


def _chain(connection: Any) -> list[bytes]:
    """Answer the chain that the server showed (a method of its own since Python 3.13)."""
    ask = getattr(connection, "get_unverified_chain", None)
    if ask is not None:
        return [bytes(der) for der in ask()]
    shown = connection._sslobj.get_unverified_chain() or ()  # noqa: SLF001  # no public way before that
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in shown]
