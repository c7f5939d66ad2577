"""A card for each telemetry value of a device: its latest value, and a chart of its past and present."""

from typing import Any, Final

from nicegui import ui

from hedgerow.console import views
from hedgerow.console.fleet import Window
from hedgerow.console.pages.frame import View, say, text
from hedgerow.console.sources import Value

SOFT: Final = "getComputedStyle(document.documentElement).getPropertyValue('--soft').trim()"  # light or dark
GREY: Final = "#7d8a83"
GREEN: Final = "#2f9e68"
SHORTEST_S: Final = 60.0  # what a chart covers at least, however little there is


class Charts:
    """The cards of one device page."""

    def __init__(self, view: View, name: str, window: Window) -> None:
        self._view, self._name, self._window = view, name, window
        self._cards: dict[str, tuple[ui.echart, ui.html]] = {}
        self._sent: dict[str, tuple[int, float]] = {}
        self._grid = ui.element("div").classes("charts")
        view.watch.look_at(name, window)

    @property
    def shown(self) -> bool:
        """Tell whether there is anything to draw."""
        return bool(self._cards)

    def choose(self, window: Window) -> None:
        """Look further back, or less far."""
        self._view.watch.look_at(self._name, window)
        self.close()
        self._window = window
        self._sent.clear()
        self.refresh()

    def close(self) -> None:
        """Stop looking."""
        self._view.watch.look_away(self._name, self._window)

    def refresh(self) -> None:
        """Draw what is new."""
        fleet, name, now = self._view.fleet, self._name, self._view.clock.now()
        values = [value for source in fleet.sources.telemetry for value in source.values]
        device = fleet.devices.get(name)
        for value in values:
            reading = device.readings.get(value.label) if device else None
            curve = fleet.curve(name, self._window, value.label, since=now - self._window.length_s)
            if value.label not in self._cards and (reading is not None or curve):
                self._cards[value.label] = self._card(value)
            if value.label not in self._cards:
                continue
            chart, latest = self._cards[value.label]
            say(latest, views.shown(reading) if reading else "–")
            self._draw(value.label, chart, curve, now)

    def _card(self, value: Value) -> tuple[ui.echart, ui.html]:
        with (
            self._grid,
            ui.element("section").classes("card").props(f'aria-label="{value.label.replace(chr(34), "")}"'),
        ):
            with ui.element("div").classes("bar"):
                text("h3", value.label)
                latest = text("span", "–", "latest")
            chart = ui.echart(_options(value)).classes("chart")
            chart.props(f'role="img" aria-label="Chart of {value.label.replace(chr(34), "")}"')
        return chart, latest

    def _draw(self, label: str, chart: ui.echart, curve: list[tuple[float, float]], now: float) -> None:
        state = (len(curve), curve[-1][0] if curve else 0.0)
        if self._sent.get(label) == state:
            return
        self._sent[label] = state
        points = [(at * 1000, value) for at, value in views.with_gaps(curve, self._window.period_s)]
        options: dict[str, Any] = chart.options
        first = min(curve[0][0] if curve else now, now - SHORTEST_S)
        options["xAxis"]["min"] = max(first, now - self._window.length_s) * 1000
        options["xAxis"]["max"] = now * 1000
        options["series"][0]["data"] = points
        chart.update()


def _options(value: Value) -> dict[str, Any]:
    return {
        "animation": False,
        "grid": {"left": 8, "right": 14, "top": 12, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {
            "type": "time",
            "axisLabel": {":color": SOFT, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": GREY}},
        },
        "yAxis": {
            "type": "value",
            "scale": not value.switch,
            **({"min": 0, "max": 1, "interval": 1} if value.switch else {"splitNumber": 3}),
            "axisLabel": {
                ":color": SOFT,
                **({":formatter": "value => (value ? 'on' : 'off')"} if value.switch else {}),
            },
            "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.25}},
        },
        "series": [
            {
                "name": value.label,
                "type": "line",
                "showSymbol": False,
                "step": "end" if value.switch else False,
                "lineStyle": {"width": 2, "color": GREEN},
                "itemStyle": {"color": GREEN},
                "areaStyle": {"opacity": 0.12, "color": GREEN, "origin": "start"},
                "data": [],
            }
        ],
    }
