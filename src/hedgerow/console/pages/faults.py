"""The faults of all devices, open and closed."""

from typing import Final

from fastapi import Request
from nicegui import ui

from hedgerow.console import views
from hedgerow.console.pages.frame import Console, open_view, page, say, text
from hedgerow.console.pages.tables import Column, Table

OPEN: Final = (
    Column(name="thing", label="Device", kind="thing"),
    Column(name="fault", label="Fault"),
    Column(name="state", label="State", kind="state"),
    Column(name="raised", label="Raised", kind="time"),
)
CLOSED: Final = (*OPEN, Column(name="cleared", label="Cleared", kind="time"))


def add(console: Console) -> None:
    """Add the page."""

    @ui.page("/faults", response_timeout=15, language="en-US")
    async def faults_page(request: Request) -> None:
        view = await open_view(console, request.scope)
        faults = view.fleet.faults
        with page(console, view, request.scope, path="/faults", title="Faults"):
            text("h1", "Faults")
            note = text("p", _note(view.fleet.sources.faults), "sub")
            text("h2", "Open")
            opened = Table(
                OPEN, key="key", label="Open faults", nothing="No open faults.", rows=views.fault_rows(faults.open())
            )
            text("h2", "Closed")
            closed = Table(
                CLOSED,
                key="key",
                label="Closed faults",
                nothing="None in the last seven days.",
                rows=views.fault_rows(faults.closed()),
            )

            def refresh() -> None:
                opened.show(views.fault_rows(faults.open()))
                closed.show(views.fault_rows(faults.closed()))
                say(note, _note(view.fleet.sources.faults))

            view.part(refresh)


def _note(logs: object) -> str:
    if logs:
        return "From the fault log of the last seven days, and from what the devices report as open."
    return "No topic rule keeps faults in a log yet: only what the devices' shadows report as open is shown."
