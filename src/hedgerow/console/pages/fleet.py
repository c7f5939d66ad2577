"""The fleet: one row for each device."""

from dataclasses import replace
from typing import Any, Final

from fastapi import Request
from nicegui import ui

from hedgerow.console import views
from hedgerow.console.pages.frame import Console, open_view, page, say, text
from hedgerow.console.pages.tables import Column, Table
from hedgerow.console.views import Look

COLUMNS: Final = (
    Column(name="name", label="Device", kind="device", sortable=True),
    Column(name="state", label="Connection", kind="connection", sortable=True),
    Column(name="readings", label="Latest telemetry", kind="readings"),
    Column(name="faults", label="Open faults", kind="count", sortable=True, descending=True),
    Column(name="components", label="Components", kind="components"),
    Column(name="groups", label="Groups", kind="chips"),
)
SIZES: Final = (25, 50, 100)  # as in rows.js


def add(console: Console) -> None:
    """Add the page."""

    @ui.page("/", response_timeout=15, language="en-US")
    async def fleet_page(request: Request) -> None:
        view = await open_view(console, request.scope)
        with page(console, view, request.scope, path="/", title="Fleet"):
            look = Look()
            with ui.element("div").classes("bar"):
                with ui.element("div"):
                    text("h1", "Fleet")
                    line = text("p", views.summary(view.fleet), "sub")
                search = (
                    ui.input("Search").props('outlined dense clearable debounce=300 type="search"').classes("search")
                )

            def turn(asked: dict[str, Any]) -> None:
                nonlocal look
                look = _looked(look, asked)
                refresh()

            rows, count = views.fleet_rows(view.fleet, look, now=view.clock.now())
            nothing = "No device here. A thing appears as soon as it exists."
            table = Table(
                COLUMNS,
                key="name",
                label="Devices",
                nothing=nothing,
                rows=rows,
                look=_told(look, count),
                on_look=turn,
            )

            def refresh() -> None:
                nonlocal look
                rows, count = views.fleet_rows(view.fleet, look, now=view.clock.now())
                if not rows and look.page > 1:  # the fleet shrank
                    look = replace(look, page=1)
                    rows, count = views.fleet_rows(view.fleet, look, now=view.clock.now())
                table.show(rows, look=_told(look, count))
                say(line, views.summary(view.fleet))

            def find(event: Any) -> None:
                nonlocal look
                look = replace(look, search=(event.value or "")[:200], page=1)
                refresh()

            search.on_value_change(find)
            view.part(refresh)


def _told(look: Look, count: int) -> dict[str, Any]:
    return {
        "order": look.order,
        "descending": look.descending,
        "page": look.page,
        "size": look.size,
        "count": count,
    }


def _looked(look: Look, asked: dict[str, Any]) -> Look:
    """Answer the look that a browser asked for; what it may not ask for stays as it was."""
    order, page, size = asked.get("order"), asked.get("page"), asked.get("size")
    return replace(
        look,
        order=order if order in views.ORDERS else look.order,
        descending=bool(asked.get("descending")),
        page=page if isinstance(page, int) and page >= 1 else 1,
        size=size if size in SIZES else look.size,
    )
