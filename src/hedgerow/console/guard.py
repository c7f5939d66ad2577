"""Stands before every page: signing in and out, the session's cookie, security headers. A plain ASGI application.

Nothing but the style sheet, the icon and NiceGUI's own scripts is answered without a session. A WebSocket or a POST
must come from the console's own pages (its Origin is the host that was called). Pages find the session in
`scope[SESSION]`.

Over TLS, our own or that of a proxy on this machine which says so, the cookie is for TLS and this host alone. There is
no Strict-Transport-Security: browsers heed it for ports of this host that are not ours, and make warnings final.
A page of a name that somebody points at this address (DNS rebinding) has no cookie of ours: it sees what anyone does.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor
from functools import partial
from html import escape
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from hedgerow.base.log import get_logger
from hedgerow.console.addresses import START, own_page
from hedgerow.console.errors import CloudUnreachable, NotThere, Refused, SessionOver
from hedgerow.console.model import Credentials
from hedgerow.console.sessions import Sessions, Watches

log = get_logger("console")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SESSION: Final = "hedgerow.session"
COOKIE: Final = "hedgerow.cookie"
OPEN: Final = "/_nicegui/"
KNOWN: Final = re.compile(
    r"/|/faults|/device/[^/]+|/onboarding(/(waiting|record|claim|cancel|import))?|/_nicegui_ws/.*|/favicon\.ico"
)
ASSETS: Final = {"/assets/console.css": "text/css; charset=utf-8", "/assets/favicon.svg": "image/svg+xml"}
HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
        b"base-uri 'none'; form-action 'self'; object-src 'none'",
    ),
    (b"referrer-policy", b"same-origin"),  # with no-referrer a form of our own has the origin null
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
HOW: Final = (
    "<p>You sign in with a link that works once, for ten minutes.</p>"
    "<p>On the cloud's machine this prints one:</p><pre>hedgerow console --data DIR</pre>"
    "<p>Anyone with an access key gets a token from the service <code>hedgerow</code>, and opens "
    "<code>{origin}/sign-in?token=</code>TOKEN:</p><pre>aws hedgerow create-console-sign-in</pre>"
)


class Guard:
    """The outermost application."""

    def __init__(
        self,
        app: Application,
        *,
        sessions: Sessions,
        watches: Watches,
        redeem: Callable[[str], Credentials],
        workers: Executor,
        cookie: str,
    ) -> None:
        self._app, self._sessions, self._watches = app, sessions, watches
        self._redeem, self._workers, self._cookie = redeem, workers, cookie
        folder = files("hedgerow.console") / "assets"
        self._assets = {path: (folder / path.rsplit("/", 1)[1]).read_bytes() for path in ASSETS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, headers = scope["path"], _headers(scope)
        if scope["method"] == "POST" and not _is_own(scope, headers):
            await _page(send, 403, "Not from here", "<p>This was asked for by another site's page.</p>")
        elif path in self._assets:
            cached = [(b"cache-control", b"no-cache")]
            await _answer(send, 200, self._assets[path], kind=ASSETS[path], headers=cached)
        elif path == "/sign-in" and scope["method"] == "GET":
            await self._sign_in(scope, send)
        elif path == "/sign-out" and scope["method"] == "POST":
            await self._sign_out(scope, headers, send)
        elif path.startswith(OPEN):
            await self._app(scope, receive, send)
        elif self._enter(scope, headers):
            if not KNOWN.fullmatch(path):
                await _page(send, 404, "No such page", '<p><a href="/">Go to the fleet</a></p>')
            elif scope["query_string"] == b"signed-in=1":
                await _answer(
                    send, 303, b"", kind="text/plain", headers=[(b"location", own_page(path).encode("ascii"))]
                )
            else:
                await self._app(scope, receive, send)
        elif parse_qs(scope["query_string"]).get(b"signed-in"):
            # Reached from another site's link, the new cookie is not sent yet: it is when this page asks by itself.
            page = own_page(path)
            again = f'<meta http-equiv="refresh" content="0; url={page}">'
            await _page(send, 200, "Signed in", f"<p>You are signed in. <a href='{page}'>Go on</a></p>", head=again)
        else:
            await _page(send, 401, "Not signed in", HOW.format(origin=_origin(scope, headers)))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        if _is_own(scope, headers) and self._enter(scope, headers):
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4401, "reason": "not signed in"})

    def _enter(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        cookie = _cookie(headers, self._name(scope))
        session = self._sessions.get(cookie) if cookie else None
        scope[SESSION], scope[COOKIE] = session, cookie
        return session is not None

    async def _sign_in(self, scope: Scope, send: Send) -> None:
        asked = parse_qs(scope["query_string"].decode("ascii", "replace"))
        token, page = asked.get("token", [""])[0], own_page(asked.get("page", [START])[0])
        how = HOW.format(origin=_origin(scope, _headers(scope)))
        loop = asyncio.get_running_loop()
        try:
            if not token:
                raise NotThere("The link has no token.")
            credentials = await loop.run_in_executor(self._workers, partial(self._redeem, token))
        except CloudUnreachable as error:
            await _page(send, 502, "No answer from the cloud", f"<p>{escape(str(error))} Try the link again.</p>")
            return
        except (NotThere, Refused, SessionOver):
            log.info("a console sign-in was refused")
            words = "<p>This link is not valid: it was used before, it is too old, or it is not complete.</p>"
            await _page(send, 403, "The link is not valid", words + how)
            return
        log.info("signed in to the console", extra={"fields": {"account": credentials.account}})
        cookie = self._set(scope, self._sessions.begin(credentials))
        headers = [(b"location", f"{page}?signed-in=1".encode("ascii")), (b"set-cookie", cookie)]
        await _answer(send, 303, b"", kind="text/plain", headers=headers)

    async def _sign_out(self, scope: Scope, headers: Mapping[str, str], send: Send) -> None:
        cookie = _cookie(headers, self._name(scope))  # SameSite=Strict: another site's form does not send it
        credentials = self._sessions.end(cookie) if cookie else None
        if credentials is not None:
            self._watches.end(credentials)
        gone = self._set(scope, "") + b"; Max-Age=0"
        words = "<p>You are signed out.</p>" + HOW.format(origin=_origin(scope, headers))
        await _page(send, 200, "Signed out", words, headers=[(b"set-cookie", gone)])

    def _name(self, scope: Scope) -> str:
        """Answer the cookie's name. With __Host- no other host, and nobody without TLS, can have set it."""
        return f"__Host-{self._cookie}" if _is_secure(scope) else self._cookie

    def _set(self, scope: Scope, cookie: str) -> bytes:
        secure = "; Secure" if _is_secure(scope) else ""
        return f"{self._name(scope)}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}".encode("ascii")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _is_secure(scope: Scope) -> bool:
    return scope.get("scheme") in ("https", "wss")


def _is_own(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Tell whether the console's own page asks. Another port of this host is another site's, though cookies say no.

    Without TLS an https page is ours, too: a proxy need not say that it took the TLS away.
    """
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:
        return False
    ours = ("https",) if _is_secure(scope) else ("https", "http")
    return origin.scheme in ours and origin.netloc != "" and origin.netloc == headers.get("host")


def _cookie(headers: Mapping[str, str], name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _origin(scope: Scope, headers: Mapping[str, str]) -> str:
    scheme = "https" if _is_secure(scope) else "http"
    return escape(f"{scheme}://{headers.get('host', 'CONSOLE')}")


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sending


async def _answer(
    send: Send, status: int, body: bytes, *, kind: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    own = [(b"content-type", kind.encode("ascii")), (b"content-length", str(len(body)).encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})


async def _page(
    send: Send, status: int, title: str, words: str, *, head: str = "", headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Answer a page of plain HTML; `words` is HTML."""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · Hedgerow</title>{head}"
        '<link rel="icon" href="/assets/favicon.svg"><link rel="stylesheet" href="/assets/console.css"></head>'
        f'<body class="plain"><main><img src="/assets/favicon.svg" alt="" width="48" height="48"><h1>{title}</h1>'
        f"{words}</main></body></html>"
    )
    uncached = [(b"cache-control", b"no-store"), *(headers or [])]
    await _answer(send, status, text.encode(), kind="text/html; charset=utf-8", headers=uncached)
