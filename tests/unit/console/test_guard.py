"""Signing in and out, and what is answered without a session. Plain ASGI calls, no sockets."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest

from hedgerow.console.errors import CloudUnreachable, NotThere
from hedgerow.console.guard import SESSION, Guard
from hedgerow.console.model import Credentials
from hedgerow.console.sessions import LINGER_S, MAX_SESSIONS, Sessions, Watches
from hedgerow.console.signing import signed_path
from hedgerow.console.watch import Watch
from tests.support.clock import FakeClock
from tests.unit.console.fakes import NOW, PERSON, FakeApi, FakeLive, no_desk
from tests.unit.console.test_watch import Inline

HOST = "127.0.0.1:8090"


class Browser:
    """Calls the guard as a browser would; it has one cookie, and does what the answer says of it."""

    def __init__(self, *, redeem: Callable[[str], Credentials] | None = None, tls: bool = False) -> None:
        self.clock = FakeClock(NOW)
        self.sessions = Sessions(clock=self.clock)
        self.tokens = {"good"}
        self.cookie = ""
        self.tls = tls
        self.entered: list[str] = []
        self._redeem = redeem or self._spend

    def _spend(self, token: str) -> Credentials:
        if token not in self.tokens:
            raise NotThere("gone")
        self.tokens.remove(token)
        return PERSON

    async def _page(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.append(scope[SESSION].account if scope.get(SESSION) else "nobody")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    def get(
        self, path: str, *, method: str = "GET", kind: str = "http", origin: str | None = None
    ) -> tuple[int, dict[str, str], str]:
        own = f"https://{HOST}" if self.tls else f"http://{HOST}"
        return asyncio.run(self._called(path, method, kind, own if origin is None else origin))

    async def _called(self, path: str, method: str, kind: str, origin: str) -> tuple[int, dict[str, str], str]:
        path, _, query = path.partition("?")
        headers = [(b"host", HOST.encode()), (b"origin", origin.encode())]
        name = "__Host-hc" if self.tls else "hc"
        headers += [(b"cookie", f"{name}={self.cookie}".encode())] if self.cookie else []
        scheme = ("wss" if self.tls else "ws") if kind == "websocket" else ("https" if self.tls else "http")
        asked = {"method": method, "path": unquote(path), "query_string": query.encode()}
        scope = {"type": kind, "scheme": scheme, "headers": headers, **asked}
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async with asyncio.TaskGroup() as tasks:
            watches = Watches(make=_no_watch, tasks=tasks, clock=self.clock)
            guard = Guard(
                self._page,
                sessions=self.sessions,
                watches=watches,
                redeem=self._redeem,
                workers=Inline(),
                cookie="hc",
            )
            await guard(scope, receive, send)
        if kind == "websocket":
            return int(sent[0].get("code", 200)), {}, ""
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        if "set-cookie" in answered:
            self.cookie = answered["set-cookie"].split(";")[0].split("=", 1)[1]
        return sent[0]["status"], answered, sent[1]["body"].decode()


def _no_watch(_: Credentials) -> Watch:
    raise AssertionError("no page was opened")


def test_a_link_signs_in_with_a_cookie_that_scripts_and_other_sites_cannot_use() -> None:
    browser = Browser()

    status, headers, _ = browser.get("/sign-in?token=good")

    assert (status, headers["location"]) == (303, "/?signed-in=1")
    assert headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert browser.get("/?signed-in=1")[:1] == (303,)
    assert browser.get("/")[2] == "page"
    assert browser.entered == [PERSON.account]


def test_over_tls_the_cookie_is_for_tls_and_this_host_alone() -> None:
    browser = Browser(tls=True)

    _, headers, _ = browser.get("/sign-in?token=good")
    entered = browser.get("/")
    _, gone, body = browser.get("/sign-out", method="POST")

    assert headers["set-cookie"].startswith("__Host-hc=")
    assert headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
    assert entered[2] == "page"
    assert gone["set-cookie"] == "__Host-hc=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0"
    assert f"https://{HOST}/sign-in?token=" in body


@pytest.mark.parametrize(
    ("page", "location"),
    [
        ("/onboarding", "/onboarding"),
        ("/onboarding/waiting", "/onboarding/waiting"),
        ("/device/a:b", "/device/a%3Ab"),
        ("/device/a%0d%0aset-cookie:b", "/device/a%0D%0Aset-cookie%3Ab"),
        ("//evil.example", "/"),
        ("/device//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/onboarding", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-out", "/"),
        ("/onboarding/claim", "/"),
        ("/onboarding?signed-in=1", "/"),
        ("", "/"),
    ],
)
def test_a_link_opens_a_page_of_our_own_and_no_other(page: str, location: str) -> None:
    browser = Browser()

    status, headers, _ = browser.get(f"/sign-in?token=good&page={page}")
    _, then, _ = browser.get(headers["location"])

    assert (status, headers["location"]) == (303, f"{location}?signed-in=1")
    assert then["location"] == location


def test_the_page_that_asks_again_asks_for_the_page_that_the_link_named() -> None:
    _, _, body = Browser().get("/device/%22%3E%3Cscript%3E?signed-in=1")

    assert 'content="0; url=/device/%22%3E%3Cscript%3E"' in body
    assert "<script>" not in body


def test_a_link_that_was_used_is_refused_in_words() -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")
    browser.cookie = ""

    status, _, body = browser.get("/sign-in?token=good")

    assert status == 403
    assert "used before" in body
    assert browser.cookie == ""


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in?token=", "/sign-in?token=wrong", "/sign-in?other=1"])
def test_no_link_but_a_good_one_signs_in(path: str) -> None:
    browser = Browser()

    assert browser.get(path)[0] == 403
    assert browser.cookie == ""


def test_a_cloud_that_does_not_answer_is_not_called_a_bad_link() -> None:
    def fail(_: str) -> Credentials:
        raise CloudUnreachable("The cloud's API at http://x cannot be reached.")

    status, _, body = Browser(redeem=fail).get("/sign-in?token=good")

    assert status == 502
    assert "cannot be reached" in body


@pytest.mark.parametrize("path", ["/", "/device/site-01", "/faults", "/anything", "/_nicegui_ws/socket.io/"])
def test_without_a_session_the_page_says_how_to_get_a_link(path: str) -> None:
    browser = Browser()

    status, headers, body = browser.get(path)

    assert status == 401
    assert "create-console-sign-in" in body
    assert headers["cache-control"] == "no-store"
    assert browser.entered == []


def test_the_style_sheet_and_the_icon_need_no_session() -> None:
    browser = Browser()

    assert browser.get("/assets/console.css")[0] == 200
    assert browser.get("/assets/favicon.svg")[1]["content-type"] == "image/svg+xml"


def test_the_first_page_after_a_link_from_another_site_asks_again_by_itself() -> None:
    status, _, body = Browser().get("/?signed-in=1")

    assert status == 200
    assert 'http-equiv="refresh"' in body


def test_a_session_ends_with_its_credentials() -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")

    browser.clock.advance(3601)

    assert browser.get("/")[0] == 401


def test_signing_out_ends_the_session_here_and_in_the_browser() -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")
    stolen = browser.cookie

    assert browser.get("/sign-out", method="POST")[0] == 200
    assert browser.cookie == ""
    browser.cookie = stolen

    assert browser.get("/")[0] == 401


def test_a_link_cannot_sign_out() -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")

    browser.get("/sign-out")

    assert browser.get("/")[0] == 200


def test_what_does_not_exist_is_said_to_those_who_are_signed_in() -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")

    assert browser.get("/nothing")[0] == 404


@pytest.mark.parametrize(("origin", "expected"), [(f"http://{HOST}", 200), ("http://evil.example", 4401), ("", 4401)])
def test_a_websocket_must_come_from_our_own_pages(origin: str, expected: int) -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")

    assert browser.get("/_nicegui_ws/socket.io/", kind="websocket", origin=origin)[0] == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [(f"https://{HOST}", 200), (f"http://{HOST}", 4401), (f"https://{HOST}1", 4401), ("https://[", 4401)],
)
def test_over_tls_a_page_without_tls_is_not_ours(origin: str, expected: int) -> None:
    browser = Browser(tls=True)
    browser.get("/sign-in?token=good")

    assert browser.get("/_nicegui_ws/socket.io/", kind="websocket", origin=origin)[0] == expected


def test_behind_a_proxy_that_does_not_tell_of_its_tls_an_https_page_is_ours() -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")

    assert browser.get("/_nicegui_ws/socket.io/", kind="websocket", origin=f"https://{HOST}")[0] == 200


def test_a_websocket_needs_a_session() -> None:
    assert Browser().get("/_nicegui_ws/socket.io/", kind="websocket")[0] == 4401


def test_every_answer_says_what_a_browser_may_load() -> None:
    _, headers, _ = Browser().get("/")

    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"


def test_credentials_do_not_show_in_their_representation() -> None:
    assert "secret" not in repr(PERSON).replace("secret_access_key", "")
    assert PERSON.session_token not in repr(PERSON)


def test_the_live_connections_address_carries_the_token_outside_the_signature() -> None:
    path = signed_path("https://127.0.0.1:8080", "eu-west-1", PERSON)

    assert path.startswith("/mqtt?")
    assert "X-Amz-Credential=ASIA1%2F" in path
    assert "%2Feu-west-1%2Fiotdevicegateway%2Faws4_request" in path
    assert path.endswith("&X-Amz-Security-Token=token%2F%2B%3D")
    assert path.index("X-Amz-Signature=") < path.index("X-Amz-Security-Token=")


@pytest.mark.parametrize("path", ["/onboarding/claim", "/onboarding/cancel", "/onboarding/import", "/sign-out"])
def test_what_acts_must_be_asked_for_by_the_consoles_own_pages(path: str) -> None:
    browser = Browser()
    browser.get("/sign-in?token=good")

    elsewhere = browser.get(path, method="POST", origin="http://127.0.0.1:9999")
    nowhere = browser.get(path, method="POST", origin="null")

    assert (elsewhere[0], nowhere[0]) == (403, 403)
    assert browser.entered == []
    assert browser.get("/")[0] == 200


def test_sessions_are_bounded() -> None:
    sessions = Sessions(clock=FakeClock(NOW))
    first = sessions.begin(replace(PERSON, expires_at=NOW + 1))

    cookies = [sessions.begin(PERSON) for _ in range(MAX_SESSIONS)]

    assert sessions.get(first) is None
    assert sessions.get(cookies[0]) == PERSON


def test_one_watch_serves_all_pages_of_a_person_and_ends_after_the_last() -> None:
    made: list[FakeLive] = []

    def make(_: Credentials) -> Watch:
        made.append(FakeLive())
        return Watch(api=FakeApi("t"), live=made[-1], clock=clock, workers=Inline(), desk=no_desk())

    async def look() -> None:
        async with asyncio.TaskGroup() as tasks:
            watches = Watches(make=make, tasks=tasks, clock=clock)
            (one, release), (two, release_too) = watches.lease(PERSON), watches.lease(PERSON)
            assert one is two
            await asyncio.wait_for(one.first.wait(), 5)
            release()
            clock.advance(LINGER_S + 1)
            watches.end_unused()
            assert not one.fleet.over
            release_too()
            clock.advance(LINGER_S + 1)
            watches.end_unused()

    clock = FakeClock(NOW)
    asyncio.run(look())

    assert [live.stopped for live in made] == [True]


def test_a_person_who_only_works_has_no_watch_that_asks_for_the_fleet() -> None:
    api = FakeApi("t")

    async def work() -> tuple[bool, list[str]]:
        async with asyncio.TaskGroup() as tasks:
            watches = Watches(
                make=lambda _: Watch(api=api, live=FakeLive(), clock=FakeClock(NOW), workers=Inline(), desk=no_desk()),
                tasks=tasks,
                clock=FakeClock(NOW),
            )
            working, _ = watches.lease(PERSON, look=False)
            await asyncio.sleep(0)
            asked = list(api.calls)
            looking, _ = watches.lease(PERSON)
            assert looking is working
            await asyncio.wait_for(looking.first.wait(), 5)
            watches.end_all()
            again, _ = watches.lease(PERSON, look=False)
            watches.end(PERSON)
            return again.fleet.over, asked

    over, asked = asyncio.run(work())

    assert (over, asked) == (True, [])
    assert "things" in api.calls


def test_people_share_no_watch() -> None:
    async def look() -> bool:
        async with asyncio.TaskGroup() as tasks:
            watches = Watches(
                make=lambda _: Watch(
                    api=FakeApi("t"), live=FakeLive(), clock=FakeClock(NOW), workers=Inline(), desk=no_desk()
                ),
                tasks=tasks,
                clock=FakeClock(NOW),
            )
            one, _ = watches.lease(PERSON)
            other, _ = watches.lease(replace(PERSON, account="444455556666"))
            watches.end_all()
            return one is other

    assert not asyncio.run(look())
