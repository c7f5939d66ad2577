"""One device: connection, telemetry with charts, faults, software, identity."""

from typing import Any, Final

from fastapi import Request
from nicegui import ui

from hedgerow.console import views
from hedgerow.console.fleet import WINDOWS, Window
from hedgerow.console.pages.charts import Charts
from hedgerow.console.pages.frame import Console, View, open_view, page, say, text
from hedgerow.console.pages.tables import Column, Table

FAULTS: Final = (
    Column(name="fault", label="Fault"),
    Column(name="state", label="State", kind="state"),
    Column(name="raised", label="Raised", kind="time"),
    Column(name="cleared", label="Cleared", kind="time"),
)
COMPONENTS: Final = (
    Column(name="name", label="Component"),
    Column(name="version", label="Version"),
    Column(name="state", label="State", kind="state"),
    Column(name="details", label="Details"),
)
DEPLOYMENTS: Final = (
    Column(name="name", label="Deployment"),
    Column(name="state", label="State", kind="state"),
    Column(name="changed", label="Changed", kind="time"),
    Column(name="reason", label="Reason"),
)
CERTIFICATES: Final = (
    Column(name="id", label="Certificate", kind="code"),
    Column(name="state", label="State", kind="state"),
    Column(name="created", label="Created", kind="time"),
    Column(name="from", label="Valid from", kind="time"),
    Column(name="until", label="Valid until", kind="time"),
)


def add(console: Console) -> None:
    """Add the page."""

    @ui.page("/device/{name}", response_timeout=15, language="en-US")
    async def device_page(request: Request, name: str) -> None:
        view = await open_view(console, request.scope)
        with page(console, view, request.scope, path="", title=name):
            if name not in view.fleet.devices:
                _missing(view, name)
                return
            view.watch.look_at(name)
            ui.context.client.on_delete(lambda: view.watch.look_away(name))
            _head(view, name)
            _telemetry(view, name)
            _faults(view, name)
            _software(view, name)
            _identity(view, name)


def _missing(view: View, name: str) -> None:
    """Say that there is no such thing, or that nobody knows yet; show it as soon as it is there."""
    text("h1", name)
    if view.fleet.loaded:
        ui.context.client.status_code = 404
        text("p", "There is no thing of this name in this account. This page shows it as soon as it exists.")
    else:
        text("p", "The list of things has not been read yet.")
    view.part(lambda: ui.navigate.reload() if name in view.fleet.devices else None)


def _head(view: View, name: str) -> None:
    with ui.element("div").classes("bar"):
        with ui.element("div"):
            ui.html('<a href="/">← Fleet</a>', sanitize=False)
            text("h1", name)
        state = text("span", "", "state")
    facts = text("p", "", "sub")

    def refresh() -> None:
        device = view.fleet.devices.get(name)
        if device is None:
            say(facts, "This thing has been deleted.")
            return
        colour, word = views.state(device.online)
        say(state, word)
        state.classes(replace=f"state large {colour}")
        attributes = [f"{key}: {value}" for key, value in sorted(device.attributes.items())]
        groups = f"in {', '.join(device.groups)}" if device.groups else "in no group"
        say(facts, " · ".join([device.type or "no type", groups, *attributes]))

    view.part(refresh)


def _telemetry(view: View, name: str) -> None:
    with ui.element("div").classes("bar"):
        text("h2", "Telemetry")
        labels = {window.label: window for window in WINDOWS}
        choice = (
            ui.select(list(labels), value=WINDOWS[0].label, label="Time shown")
            .props("outlined dense")
            .classes("window")
        )
    nothing = text("p", "", "sub")
    charts = Charts(view, name, WINDOWS[0])

    def choose(event: Any) -> None:
        window: Window = labels.get(event.value, WINDOWS[0])
        charts.choose(window)

    def refresh() -> None:
        charts.refresh()
        words = "" if charts.shown else "No topic rule stores numbers of this device, so there is nothing to draw."
        say(nothing, words)
        nothing.set_visibility(bool(words))

    choice.on_value_change(choose)
    ui.context.client.on_delete(charts.close)
    view.part(refresh)


def _faults(view: View, name: str) -> None:
    text("h2", "Faults")

    def rows() -> list[dict[str, Any]]:
        faults = view.fleet.faults
        return views.fault_rows([*faults.open(name), *faults.closed(name)], limit=50)

    table = Table(FAULTS, key="key", label="Faults", nothing="No faults in the last seven days.", rows=rows())
    view.part(lambda: table.show(rows()))


def _software(view: View, name: str) -> None:
    text("h2", "Software")
    core = text("p", "", "sub")
    components = Table(
        COMPONENTS, key="name", label="Components", nothing="No components reported.", rows=_components(view, name)
    )
    deployments = Table(
        DEPLOYMENTS,
        key="id",
        label="Deployments",
        nothing="No deployments.",
        rows=views.deployment_rows(view.fleet, name),
    )

    def refresh() -> None:
        details = view.fleet.details.get(name)
        told = details.core if details else None
        words = "Not a Greengrass core device."
        if told is not None:
            facts = [told.status.lower(), f"core software {told.version}" if told.version else "", told.platform]
            words = " · ".join(fact for fact in facts if fact)
        elif name in view.fleet.devices and view.fleet.devices[name].health:
            words = "Being read …"
        say(core, words)
        for table in (components, deployments):
            table.set_visibility(told is not None)
        components.show(_components(view, name))
        deployments.show(views.deployment_rows(view.fleet, name))

    view.part(refresh)


def _components(view: View, name: str) -> list[dict[str, Any]]:
    device = view.fleet.devices.get(name)
    return views.component_rows(device) if device else []


def _identity(view: View, name: str) -> None:
    text("h2", "Identity")
    certificates = Table(
        CERTIFICATES,
        key="id",
        label="Certificates",
        nothing="No certificate is attached.",
        rows=views.certificate_rows(view.fleet, name),
    )
    view.part(lambda: certificates.show(views.certificate_rows(view.fleet, name)))
