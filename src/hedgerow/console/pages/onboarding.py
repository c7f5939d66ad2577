"""How devices get in: claims for who installs them, those that wait at the vending machine, the record of attempts.

These pages ask on their own, with the right of who is signed in, and tell a refusal in the cloud's words.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Request
from nicegui import ui

from hedgerow.base.errors import HedgerowError
from hedgerow.console import views
from hedgerow.console.onboarding import MOST_WAITING, Template
from hedgerow.console.pages.frame import Console, View, open_view, page, say, text
from hedgerow.console.pages.tables import Column, Table

PATH: Final = "/onboarding"
TABS: Final = ((PATH, "Claim"), (f"{PATH}/waiting", "Waiting"), (f"{PATH}/record", "Record"))
OPEN_S: Final = 8.0  # a page is there by then, with or without what it asks for
ASK_S: Final = 2.0
RECORD_S: Final = 5.0
STATES: Final = {"PENDING": "Waiting", "APPROVED": "Approved", "ISSUED": "With a certificate", "DENIED": "Denied"}
NOBODY: Final = {
    "PENDING": "No device waits. This page shows it as soon as one asks.",
    "APPROVED": "No device is approved and without its certificate.",
    "ISSUED": "No device has a certificate from here.",
    "DENIED": "No device is denied.",
}
MAX_NAME: Final = 128
RECORD: Final = (
    Column(name="at", label="When", kind="time"),
    Column(name="way", label="Way"),
    Column(name="outcome", label="Outcome", kind="state"),
    Column(name="device", label="Device"),
    Column(name="address", label="From"),
    Column(name="reason", label="Reason"),
)


class ClaimForm(ui.element, component="claim.js"):
    """Makes a claim and shows it, in the browser alone."""

    def __init__(self, names: list[dict[str, Any]]) -> None:
        super().__init__()
        self._props["names"] = names


class WaitingList(ui.element, component="waiting.js"):
    """The devices in one state, those that wait at first, and the decisions about them."""

    def __init__(
        self,
        names: list[dict[str, Any]],
        *,
        on_decide: Callable[[dict[str, Any]], Awaitable[None]],
        on_state: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._props["names"] = names
        self._props["rows"] = []
        self._props["states"] = STATES
        self._props["nothing"] = "Not known yet."
        self.on("decide", lambda event: on_decide(event.args if isinstance(event.args, dict) else {}))
        self.on("state", lambda event: on_state(event.args if event.args in STATES else "PENDING"))

    def show(self, rows: list[dict[str, Any]], *, nothing: str) -> None:
        """Show these rows."""
        if self._props["nothing"] != nothing:
            self._props["nothing"] = nothing
        if rows != self._props["rows"]:
            self._props["rows"] = rows

    def done(self, words: str, *, good: bool) -> None:
        """Say how a decision ended."""
        count = self._props.get("done", {}).get("count", 0) + 1
        self._props["done"] = {"words": words, "good": good, "count": count}


def add(console: Console) -> None:
    """Add the pages."""

    @ui.page(PATH, response_timeout=15, language="en-US")
    async def claim_page(request: Request) -> None:
        view = await open_view(console, request.scope, look=False)
        names, trouble = await _templates(view)
        with page(console, view, request.scope, path=PATH, title="Claim", fleet=False):
            _head(PATH, "Claim for a device", "A certificate that is good for minutes, with which a device enrols.")
            _trouble(trouble)
            ClaimForm(names)

    @ui.page(f"{PATH}/waiting", response_timeout=15, language="en-US")
    async def waiting_page(request: Request) -> None:
        view = await open_view(console, request.scope, look=False)
        names, trouble = await _templates(view)
        with page(console, view, request.scope, path=PATH, title="Waiting devices", fleet=False):
            _head(f"{PATH}/waiting", "Waiting devices", "Who asked at the vending machine, and what was decided.")
            _trouble(trouble)
            await _waiting(view, names)

    @ui.page(f"{PATH}/record", response_timeout=15, language="en-US")
    async def record_page(request: Request) -> None:
        view = await open_view(console, request.scope, look=False)
        with page(console, view, request.scope, path=PATH, title="Record", fleet=False):
            _head(f"{PATH}/record", "Record", "Every attempt to get in, of the last ninety days.")
            await Record(view).open()


def _head(path: str, title: str, words: str) -> None:
    with ui.element("nav").classes("tabs").props('aria-label="Onboarding"'):
        for target, name in TABS:
            current = ' aria-current="page"' if target == path else ""
            ui.html(f'<a href="{target}"{current}>{name}</a>', sanitize=False)
    text("h1", title)
    text("p", words, "sub")


def _trouble(words: str) -> ui.html:
    note = text("p", words, "note bad").props('role="alert"')
    note.set_visibility(bool(words))
    return note


async def _templates(view: View) -> tuple[list[dict[str, Any]], str]:
    """Answer the templates to choose from, or none and why: then the name is written by hand."""
    try:
        found: list[Template] = await view.watch.desk.do(lambda work: work.templates(), within_s=OPEN_S)
    except HedgerowError as error:
        return [], f"The templates cannot be listed, so write the name of one: {error}"
    if not found:
        return [], "This account has no provisioning template that devices can be let in by."
    return [{"name": each.name, "enabled": each.enabled} for each in found], ""


async def _waiting(view: View, names: list[dict[str, Any]]) -> None:
    note = _trouble("")
    state = "PENDING"

    async def choose(chosen: str) -> None:
        nonlocal state
        state = chosen
        await refresh()

    async def decide(asked: dict[str, Any]) -> None:
        said = {name: str(asked.get(name, "")) for name in ("serial", "template", "thing", "parameters")}
        serial, approve = said["serial"], asked.get("approve") is True
        try:
            if approve:
                parameters = views.parameters(said["parameters"], thing=said["thing"])
                await view.watch.desk.do(lambda work: work.approve(serial, said["template"], parameters))
            else:
                await view.watch.desk.do(lambda work: work.deny(serial))
        except HedgerowError as error:
            table.done(f"{serial}: {error}", good=False)
        else:
            table.done(f"{serial} {'may have a certificate' if approve else 'is denied'}.", good=True)
        await refresh()

    table = WaitingList(names, on_decide=decide, on_state=choose)

    async def refresh() -> None:
        wanted = state
        try:
            found = await view.watch.desk.do(lambda work: work.waiting(wanted))
        except HedgerowError as error:
            _say_trouble(note, f"Who waits cannot be read: {error}")
            return
        more = f"There are more: only {MOST_WAITING} are shown." if len(found) == MOST_WAITING else ""
        _say_trouble(note, more)
        if wanted == state:  # nothing else was chosen meanwhile
            table.show(views.waiting_rows(found), nothing=NOBODY[wanted])

    await _at_first(refresh)
    _again(ASK_S, refresh)


class Record:
    """The record, page by page."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._failed, self._device = False, ""
        self._tokens = [""]  # of the pages up to this one
        self._next = ""
        self._busy = asyncio.Lock()

    async def open(self) -> None:
        """Draw it."""
        with ui.element("div").classes("bar"):
            failed = ui.checkbox("Only refused ones")
            device = ui.input("Device").props('outlined dense clearable debounce=300 type="search"').classes("search")
        self._note = _trouble("")
        self._table = Table(RECORD, key="key", label="Attempts", nothing="No attempts.", rows=[])
        self._turns = ui.element("nav").classes("turn bare").props('aria-label="Pages of the record"')
        with self._turns:
            self._newer = ui.element("button").props('type="button"')
            self._where = text("span", "")
            self._older = ui.element("button").props('type="button"')
        with self._newer:
            text("span", "Newer")
        with self._older:
            text("span", "Older")
        for unknown in (self._table, self._turns):
            unknown.set_visibility(False)
        failed.on_value_change(self._choose_failed)
        device.on_value_change(self._choose_device)
        self._newer.on("click", self._back)
        self._older.on("click", self._on)
        await _at_first(self._refresh)
        _again(RECORD_S, self._refresh)

    async def _choose_failed(self, event: Any) -> None:
        self._failed, self._tokens = bool(event.value), [""]
        await self._refresh()

    async def _choose_device(self, event: Any) -> None:
        self._device, self._tokens = str(event.value or "").strip()[:MAX_NAME], [""]
        await self._refresh()

    async def _back(self) -> None:
        self._tokens = self._tokens[:-1] or [""]
        await self._refresh()

    async def _on(self) -> None:
        if self._next:
            self._tokens.append(self._next)
        await self._refresh()

    async def _refresh(self) -> None:
        async with self._busy:
            asked = (self._failed, self._device, self._tokens[-1])
            try:
                found, following = await self._view.watch.desk.do(
                    lambda work: work.attempts(failed=asked[0], device=asked[1], token=asked[2])
                )
            except HedgerowError as error:
                _say_trouble(self._note, f"The record cannot be read: {error}")
                return
            if asked != (self._failed, self._device, self._tokens[-1]):
                return  # something else was chosen meanwhile, and is asked for next
            _say_trouble(self._note, "")
            self._next = following
            self._table.set_visibility(True)
            self._table.show(views.attempt_rows(found))
            self._show_turns()

    def _show_turns(self) -> None:
        first, last = len(self._tokens) == 1, not self._next
        self._turns.set_visibility(not (first and last))
        say(self._where, f"Page {len(self._tokens)}")
        for button, off in ((self._newer, first), (self._older, last)):
            button.props(add="disabled" if off else "", remove="" if off else "disabled")


def _say_trouble(note: ui.html, words: str) -> None:
    say(note, words)
    note.set_visibility(bool(words))


async def _at_first(refresh: Callable[[], Awaitable[None]]) -> None:
    """Ask for what a page shows; it is drawn without it when that takes long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OPEN_S):
            await refresh()


def _again(seconds: float, refresh: Callable[[], Awaitable[None]]) -> None:
    """Ask again and again while the page is open, never twice at once."""
    asking = False

    async def tick() -> None:
        nonlocal asking
        if asking:
            return
        asking = True
        try:
            await refresh()
        finally:
            asking = False

    ui.timer(seconds, tick)
