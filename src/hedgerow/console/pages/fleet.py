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
    Column(name="faults", label="Open faults", kind="count", sortable=True),
    Column(name="components", label="Components", kind="components"),
    Column(name="groups", label="Groups", kind="chips"),
)
SIZES: Final = "[25, 50, 100]"


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
            rows, count = views.fleet_rows(view.fleet, look, now=view.clock.now())
            table = Table(
                COLUMNS,
                key="name",
                label="Devices",
                nothing="No device matches. A thing appears here as soon as it exists.",
                rows=rows,
                pagination=_pagination(look, count),
            )
            table.table.props(f":rows-per-page-options='{SIZES}' binary-state-sort").classes("fleet")

            def refresh() -> None:
                rows, count = views.fleet_rows(view.fleet, look, now=view.clock.now())
                table.show(rows)
                if table.table.pagination != (wanted := _pagination(look, count)):
                    table.table.pagination = wanted
                say(line, views.summary(view.fleet))

            def turn(event: Any) -> None:
                nonlocal look
                look = _looked(look, event.args.get("pagination", {}))
                refresh()

            def find(event: Any) -> None:
                nonlocal look
                look = replace(look, search=(event.value or "")[:200], page=1)
                refresh()

            table.table.on("request", turn, ["pagination"])
            search.on_value_change(find)
            view.part(refresh)


def _pagination(look: Look, count: int) -> dict[str, Any]:
    return {
        "sortBy": look.order,
        "descending": look.descending,
        "page": look.page,
        "rowsPerPage": look.size,
        "rowsNumber": count,
    }


def _looked(look: Look, asked: dict[str, Any]) -> Look:
    """Answer the look that a browser asked for; what it may not ask for stays as it was."""
    order, page, size = asked.get("sortBy"), asked.get("page"), asked.get("rowsPerPage")
    return replace(
        look,
        order=order if order in views.ORDERS else look.order,
        descending=bool(asked.get("descending")),
        page=page if isinstance(page, int) and page >= 1 else 1,
        size=size if size in (25, 50, 100) else look.size,
    )
