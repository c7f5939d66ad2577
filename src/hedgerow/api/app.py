"""The ASGI application: the API, `/_health`, and what others mount (`/mqtt`, `/vending`)."""

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from hedgerow.api.authentication import Peer
from hedgerow.api.pipeline import Pipeline
from hedgerow.base.errors import ServiceError
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.wire import HttpRequest, HttpResponse, WireError, write_error

log = get_logger("api")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 64 * 1024 * 1024
STRANGERS_BODY_LIMIT = 128 * 1024  # of a request with neither signature nor client certificate: a publication's
VOUCHED_FROM = 64 * 1024  # longer bodies are read when the signature's headers, or the certificate, were looked at
VOUCHED_AFTER_S = 2.0  # so are bodies that take their time, and all when much of the memory is taken
BODIES_LIMIT = 256 * 1024 * 1024  # of all requests together; beyond it new bodies are answered with 503
STRANGERS_SHARE = 4  # what nobody vouched for has this part of it at most: the rest is for those who are known
BODY_DEADLINE_S = 300.0  # for the whole body
STRANGERS_BODY_DEADLINE_S = 20.0  # for the whole body of a request for which nobody vouched
TLS = "hedgerow.tls"
CALLER = "hedgerow.caller"


class _ClientGone(Exception):
    """The client went away before its request was complete."""


class _NotVouched(Exception):
    """Who sends a long body is not who they claim to be."""

    def __init__(self, why: ServiceError) -> None:
        super().__init__(why.message)
        self.why = why


class ApiApp:
    """Plain ASGI: every request goes to a mount by its path's first segment, else through the pipeline.

    `sockets` are paths that are operations by HTTP and something of their own by WebSocket.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        ids: Ids,
        mounts: Mapping[str, ASGIApp] | None = None,
        sockets: Mapping[str, ASGIApp] | None = None,
        health: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._ids = ids
        self._mounts = dict(mounts or {})
        self._sockets = dict(sockets or {})
        self._health = health
        self.buffered = 0
        """Bytes of request bodies in memory now."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, as ASGI 3."""
        if scope["type"] == "lifespan":
            return
        if scope.get("client"):
            host, port = scope["client"]
            scope["client"] = (plain_address(host), port)
        if scope["type"] == "http" and (words := _misdirected(scope)):
            await send_response(send, HttpResponse(400, {"content-type": "text/plain", "connection": "close"}, words))
            return
        mount = self._mounts.get("/" + scope["path"].split("/", 2)[1])
        if mount is not None and not (scope["type"] == "http" and is_signed(scope)):
            await self._mounted(mount, scope, receive, send)
        elif scope["type"] == "websocket":
            socket = self._sockets.get(scope["path"])
            if socket is None:
                await _deny(scope, receive, send, 404)
            else:
                await socket(scope, receive, send)
        elif scope["path"] == "/_health":
            await send_response(send, self._health_response(detailed=is_of_this_machine(scope)))
        else:
            await self._call(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._ids.uuid()
        held = _Held(self)
        try:
            body = await self._body(scope, receive, held)
            response = await self._pipeline.answer(_request(scope, body), _peer(scope), request_id)
        except _NotVouched as error:
            response = self._pipeline.refuse(_request(scope, b""), _peer(scope), request_id, error.why)
            response.headers["connection"] = "close"
        except ServiceError as error:
            response = write_error(None, "rest-json", error, request_id)
            response.headers |= {"x-amzn-requestid": request_id, "connection": "close"}
        except TimeoutError:
            late = WireError("RequestTimeout", "The body of the request did not come in time.", status=408)
            response = write_error(None, "rest-json", late, request_id)
            response.headers["connection"] = "close"
        except _ClientGone:
            return
        finally:
            held.release()
        await send_response(send, response, head=scope["method"] == "HEAD")

    async def _body(self, scope: Scope, receive: Receive, held: "_Held") -> bytes:
        known = is_signed(scope) or _peer(scope).certificate is not None
        limit = BODY_LIMIT if known else STRANGERS_BODY_LIMIT
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if announced is not None and announced.isdigit() and int(announced) > limit:
            raise _too_large(limit)
        pieces: list[bytes] = []
        size = 0
        vouched = False
        clock = asyncio.get_running_loop().time
        begun = clock()
        async with asyncio.timeout_at(begun + STRANGERS_BODY_DEADLINE_S) as deadline:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _ClientGone
                piece, more = message.get("body", b""), message.get("more_body", False)
                if piece:
                    size += len(piece)
                    if size > limit:
                        raise _too_large(limit)
                    slow = more and (clock() - begun > VOUCHED_AFTER_S or self._is_crowded(size))
                    if known and not vouched and (slow or size > VOUCHED_FROM):
                        await self._vouch(scope)
                        vouched = True
                        deadline.reschedule(begun + BODY_DEADLINE_S)
                    held.add(len(piece), doubtful=more and not vouched)
                    pieces.append(piece)
                if not more:
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _is_crowded(self, size: int) -> bool:
        return self.buffered + size > BODIES_LIMIT // STRANGERS_SHARE

    async def _vouch(self, scope: Scope) -> None:
        """Look at the signature before more is read: anybody can claim one, and memory for bodies is bounded."""
        try:
            await self._pipeline.authenticator.vouch(_request(scope, b""), _peer(scope))
        except ServiceError as error:
            raise _NotVouched(error) from error

    def hold(self, size: int, *, doubtful: bool) -> None:
        """Count bytes of bodies in memory; raise when there are too many. Few may be held for who may be anybody."""
        if self.buffered + size > BODIES_LIMIT or (doubtful and self._is_crowded(size)):
            raise WireError("ServiceUnavailableException", "Too many large requests at once.", status=503)
        self.buffered += size

    def release(self, size: int) -> None:
        """Count bytes that are no longer in memory."""
        self.buffered -= size

    async def _mounted(self, mount: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            http, peer = _request(scope, b"", method="GET"), _peer(scope)
            try:
                caller = await self._pipeline.authenticator.upgrade(http, peer, self._ids.uuid())
            except ServiceError as error:
                fields = {"code": error.code, "why": error.message, "path": scope["path"], "peer": peer.source_ip}
                log.warning("a WebSocket upgrade was refused", extra={"fields": fields})
                await _deny(scope, receive, send, 400 if error.status == 400 else 403)
                return
            scope[CALLER] = caller
        await mount(scope, receive, send)

    def _health_response(self, *, detailed: bool) -> HttpResponse:
        health = {"status": "ok", **(self._health() if self._health else {})}
        status = 200 if health["status"] == "ok" else 503
        shown = health if detailed else {"status": health["status"]}  # the device port is open to strangers
        return HttpResponse(status, {"content-type": "application/json"}, json.dumps(shown).encode())

    @property
    def answered(self) -> Mapping[tuple[str, str, int], int]:
        """How often (service, operation, status) was answered."""
        return self._pipeline.answered


class _Held:
    """The share of one request in the bytes held in memory."""

    def __init__(self, app: ApiApp) -> None:
        self._app = app
        self._size = 0

    def add(self, size: int, *, doubtful: bool) -> None:
        self._app.hold(size, doubtful=doubtful)
        self._size += size

    def release(self) -> None:
        self._app.release(self._size)
        self._size = 0


def _too_large(limit: int) -> WireError:
    message = f"Request must be smaller than {limit} bytes."
    return WireError("RequestEntityTooLargeException", message, status=413)


def _request(scope: Scope, body: bytes, *, method: str | None = None) -> HttpRequest:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    raw_path = scope.get("raw_path")
    path = raw_path.decode("latin-1") if raw_path else scope["path"]
    return HttpRequest(method or scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)


def is_signed(scope: Scope) -> bool:
    """Say whether a request is signed: mounts are for those that cannot sign, and S3 buckets have any name."""
    if b"X-Amz-Signature=" in scope["query_string"]:
        return True
    return any(name == b"authorization" and value.startswith(b"AWS4") for name, value in scope["headers"])


def _misdirected(scope: Scope) -> bytes:
    """Say what is wrong with where a request goes (RFC 9112 section 3.2), b"" when nothing is."""
    if not scope["path"].startswith("/"):  # OPTIONS *
        return b"The target of a request is a path here.\n"
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    if hosts > 1 or (hosts == 0 and scope.get("http_version") == "1.1"):
        return b"A request has one Host header.\n"
    return b""


def is_of_this_machine(scope: Scope) -> bool:
    """Tell whether a request came from here: over loopback, from our own address, or a socket without addresses."""
    client, server = scope.get("client"), scope.get("server")
    if client is None:
        return True
    if any(name in (b"x-forwarded-for", b"forwarded") for name, _ in scope["headers"]):
        return False  # a proxy of this machine asks for somebody
    address = ipaddress.ip_address(plain_address(client[0]))
    return address.is_loopback or (server is not None and plain_address(client[0]) == plain_address(server[0]))


@lru_cache(maxsize=1024)
def plain_address(host: str) -> str:
    """Answer the peer's address as policies and logs write it: an IPv4 peer of a socket for both has a mapped one."""
    bare = host.partition("%")[0]
    mapped = ipaddress.IPv6Address(bare).ipv4_mapped if ":" in bare else None
    return bare if mapped is None else str(mapped)


def _peer(scope: Scope) -> Peer:
    tls = scope.get("extensions", {}).get(TLS) or {}
    client = scope.get("client")
    return Peer(
        source_ip=client[0] if client else None,
        secure=scope.get("scheme") in ("https", "wss"),
        certificate=tls.get("certificate"),
        server_name=tls.get("server_name"),
        way=tls.get("way"),
    )


def _header(value: str) -> bytes:
    if not value.isprintable():  # a stored value may hold line ends: they would become headers of their own
        value = "".join(char if char.isprintable() else " " for char in value)
    return value.encode("latin-1", "replace")


async def send_response(send: Send, response: HttpResponse, *, head: bool = False) -> None:
    """Send a response."""
    body = response.body
    headers = [(name.lower().encode("ascii"), _header(value)) for name, value in response.headers.items()]
    if response.status in (204, 304):
        body = b""
    elif isinstance(body, bytes) and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if isinstance(body, AsyncIterable):
        if not head:
            async for piece in body:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": b"" if head else body})


async def _deny(scope: Scope, receive: Receive, send: Send, status: int) -> None:
    """Refuse a WebSocket upgrade with an HTTP status."""
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        headers = [(b"content-length", b"0")]
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": 1008})
