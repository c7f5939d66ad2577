"""Tables that Vue patches in place, so that focus and selection stay while values change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nicegui import ui

TIME: Final = (  # in the reader's own words; without the date when it was less than half a day ago
    "new Date({0} * 1000).toLocaleString([], Math.abs(Date.now() - {0} * 1000) < 43200000 "
    "? {{timeStyle: 'medium'}} : {{dateStyle: 'medium', timeStyle: 'short'}})"
)
CELLS: Final[Mapping[str, str]] = {
    "text": "{{ props.row.$ }}",
    "code": "<code>{{ props.row.$ }}</code>",
    "count": "<span :class=\"['count', props.row.$ ? 'bad' : 'zero']\">{{ props.row.$ }}</span>",
    "time": '<time v-if="props.row.$">{{ ' + TIME.format("props.row.$") + " }}</time><span v-else>–</span>",
    "state": "<span :class=\"['state', props.row.$.tone]\">{{ props.row.$.word }}</span>",
    "thing": "<a :href=\"'/device/' + encodeURIComponent(props.row.$)\">{{ props.row.$ }}</a>",
    "device": (
        '<a class="name" :href="\'/device/\' + encodeURIComponent(props.row.name)">{{ props.row.name }}</a>'
        '<span v-if="props.row.type" class="sub">{{ props.row.type }}</span>'
    ),
    "connection": (
        "<span :class=\"['state', props.row.state.tone]\">{{ props.row.state.word }}</span>"
        '<span v-if="props.row.changed" class="sub">since {{ ' + TIME.format("props.row.changed") + " }}</span>"
    ),
    "chips": '<span v-for="one in props.row.$" :key="one" class="chip">{{ one }}</span>',
    "components": (
        '<span v-for="one in props.row.$" :key="one.name" class="line"><span :class="[\'dot\', one.tone]" '
        ':title="one.state" role="img" :aria-label="one.state"></span> {{ one.name }} <b>{{ one.version }}</b></span>'
    ),
    "readings": (
        "<span v-for=\"one in props.row.$\" :key=\"one.label\" :class=\"['reading', one.old ? 'old' : '']\">"
        '<span class="sub">{{ one.label }}</span> <b>{{ one.shown }}</b>'
        '<span v-if="one.old" class="sub">{{ ' + TIME.format("one.at") + " }}</span></span>"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `name` is the row's member, `kind` how a cell is drawn."""

    name: str
    label: str
    kind: str = "text"
    sortable: bool = False


class Table:
    """A table that is only sent again when its rows changed."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: str,
        label: str,
        nothing: str,
        rows: list[dict[str, Any]],
        pagination: dict[str, Any] | None = None,
    ) -> None:
        shown = [
            {
                "name": each.name,
                "label": each.label,
                "field": f"_{each.name}",
                "align": "left",
                "sortable": each.sortable,
            }
            for each in columns
        ]
        self.table = ui.table(columns=shown, rows=rows, row_key=key, pagination=pagination or {"rowsPerPage": 0}).props(
            f'flat dense no-data-label="{nothing}" aria-label="{label}"'
        )
        if pagination is None:
            self.table.props("hide-pagination")
        cells = "".join(
            f'<q-td key="{each.name}" :props="props"><span class="label" aria-hidden="true">{each.label}</span>'
            f'<div class="cell">{CELLS[each.kind].replace("$", each.name)}</div></q-td>'
            for each in columns
        )
        self.table.add_slot("no-data", f'<span class="sub">{nothing}</span>')
        self.table.add_slot("body", f'<q-tr :props="props">{cells}</q-tr>')
        self._rows = rows

    def show(self, rows: list[dict[str, Any]]) -> None:
        """Show these rows."""
        if rows != self._rows:
            self._rows = rows
            self.table.rows = rows
