"""What all pages share: header, navigation, banner, and the clock that refreshes them at most twice a second."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from nicegui import ui

from hedgerow.base.clock import Clock
from hedgerow.console.fleet import Fleet
from hedgerow.console.guard import COOKIE, SESSION
from hedgerow.console.model import Credentials
from hedgerow.console.sessions import Sessions, Watches
from hedgerow.console.watch import Watch

TICK_S: Final = 0.5
ACCENT: Final = "#2b8a5b"
FIRST_S: Final = 6.0
IDLE_TICKS: Final = 10  # a refresh without news, for what grows old
NAVIGATION: Final = (("/", "Fleet"), ("/faults", "Faults"), ("/onboarding", "Onboarding"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What the pages need."""

    sessions: Sessions
    watches: Watches
    clock: Clock


@dataclass(slots=True)
class View:
    """One open page."""

    watch: Watch
    clock: Clock
    parts: list[Callable[[], None]] = field(default_factory=list)

    @property
    def fleet(self) -> Fleet:
        return self.watch.fleet

    def part(self, refresh: Callable[[], None]) -> None:
        """Have something done at every refresh."""
        self.parts.append(refresh)


def text(tag: str, content: str, classes: str = "") -> ui.html:
    """Add a piece of text in a tag of its own."""
    return ui.html(escape(content), sanitize=False, tag=tag).classes(classes)


def say(element: ui.html, content: str) -> None:
    """Change such a text."""
    wanted = escape(content)
    if element.content != wanted:
        element.content = wanted


async def open_view(console: Console, scope: Any, *, look: bool = True) -> View:
    """Answer the view of a page that is being built. If it is to `look` at the fleet, wait a moment for the first."""
    credentials: Credentials = scope[SESSION]
    watch, release = console.watches.lease(credentials, look=look)
    client = ui.context.client
    client.on_delete(release)
    if look:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await watch.first.wait()
    return View(watch, console.clock)


@contextlib.contextmanager
def page(console: Console, view: View, scope: Any, *, path: str, title: str, fleet: bool = True) -> Iterator[None]:
    """Draw the frame of a page; its content goes inside. Without `fleet` it says nothing of the fleet."""
    credentials: Credentials = scope[SESSION]
    ui.colors(primary=ACCENT)
    ui.page_title(f"{title} · Hedgerow")
    ui.add_head_html('<link rel="stylesheet" href="/assets/console.css">')
    with ui.element("header").classes("top"):
        ui.html('<a class="skip" href="#content">Skip to content</a>', sanitize=False)
        ui.html(
            '<a class="brand" href="/"><img src="/assets/favicon.svg" alt="" width="28" height="28">Hedgerow</a>',
            sanitize=False,
        )
        with ui.element("nav").props('aria-label="Pages"'):
            for target, name in NAVIGATION:
                current = ' aria-current="page"' if target == path else ""
                ui.html(f'<a href="{target}"{current}>{name}</a>', sanitize=False)
            badge = text("span", "", "count")
        with ui.element("div").classes("who"):
            live = text("span", "", "live")
            who = f"{credentials.account} · {credentials.principal.rsplit(':', 1)[-1]}"
            text("span", who, "person")
            ui.html(
                '<form method="post" action="/sign-out"><button type="submit">Sign out</button></form>', sanitize=False
            )
    banner = text("div", "", "banner").props('role="alert"')
    with ui.element("main").classes("content").props('id="content" tabindex="-1"'):
        yield
    for element in (badge, live, banner):
        element.set_visibility(fleet)
    if fleet:
        view.parts[:0] = [lambda: _show_trouble(view.fleet, banner), lambda: _show_state(view.fleet, badge, live)]
    for part in view.parts:
        part()
    _tick(console, view, scope[COOKIE])


def _tick(console: Console, view: View, cookie: str) -> None:
    seen, quiet = -1, 0

    def tick() -> None:
        nonlocal seen, quiet
        if console.sessions.get(cookie) is None or view.fleet.over:
            timer.deactivate()
            ui.navigate.reload()  # a page that says how to sign in, or the same page with a new watch
            return
        quiet += 1
        if view.fleet.version == seen and quiet < IDLE_TICKS:
            return
        seen, quiet = view.fleet.version, 0
        for part in view.parts:
            part()

    timer = ui.timer(TICK_S, tick)


def _show_trouble(fleet: Fleet, banner: ui.html) -> None:
    sentences = [fleet.problems[area] for area in sorted(fleet.problems)]
    if not fleet.loaded and not sentences:
        sentences = ["The fleet is still being read."]
    if not fleet.complete:
        sentences.append(f"There are more things than this page shows: only the first {len(fleet.devices)} are here.")
    say(banner, " ".join(sentences))
    banner.set_visibility(bool(sentences))


def _show_state(fleet: Fleet, badge: ui.html, live: ui.html) -> None:
    faults = len(fleet.faults.open())
    say(badge, f"{faults} open" if faults else "")
    badge.classes(add="bad" if faults else "", remove="" if faults else "bad")
    badge.set_visibility(faults > 0)
    say(live, "Live" if fleet.live else "Not live")
    live.classes(add="good" if fleet.live else "bad", remove="bad" if fleet.live else "good")
