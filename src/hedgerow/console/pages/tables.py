"""Tables of the console: `rows.js` draws them, so that focus and selection stay while values change."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui import ui


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `name` is the row's member, `kind` how `rows.js` draws a cell; `descending`: largest first."""

    name: str
    label: str
    kind: str = "text"
    sortable: bool = False
    descending: bool = False


class Table(ui.element, component="rows.js"):
    """A table that is only sent again when something in it changed."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: str,
        label: str,
        nothing: str,
        rows: list[dict[str, Any]],
        look: dict[str, Any] | None = None,
        on_look: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        super().__init__()
        self._props["columns"] = [asdict(column) for column in columns]
        self._props["identity"] = key
        self._props["label"] = label
        self._props["nothing"] = nothing
        self._props["rows"] = rows
        self._props["look"] = look
        if on_look is not None:
            self.on("look", lambda event: on_look(event.args))

    def show(self, rows: list[dict[str, Any]], *, look: dict[str, Any] | None = None) -> None:
        """Show these rows."""
        if rows != self._props["rows"]:
            self._props["rows"] = rows
        if look != self._props["look"]:
            self._props["look"] = look
