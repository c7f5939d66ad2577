"""Which devices are to be made: names on the command line, or a CSV file; all faults are said at once.

Columns: `name`, and where wanted `type`, `groups` (several with `;` between them) and `attribute.KEY`.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hedgerow.base.errors import Unusable

_NAME: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_ATTRIBUTE: Final = "attribute."
_MOST_FAULTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A device that is to be made."""

    name: str
    type: str = ""
    groups: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = field(default=())


def named(names: Sequence[str], *, thing_type: str = "", groups: Sequence[str] = ()) -> list[Wanted]:
    """Answer devices of these names, all of one type and in the same groups."""
    wanted = [Wanted(name=name, type=thing_type, groups=tuple(groups)) for name in names]
    _check((f"{one.name!r}", one) for one in wanted)
    return wanted


def listed(path: Path, *, thing_type: str = "", groups: Sequence[str] = ()) -> list[Wanted]:
    """Answer the devices of a CSV file; what is said besides holds for all of them. Raise Unusable."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = [str(name) for name in reader.fieldnames or []]
            _check_columns(path, columns)
            rows = [(reader.line_num, row) for row in reader]
    except UnicodeDecodeError as error:
        raise Unusable(f"cannot read {path}: it is not written in UTF-8; save it so") from error
    except (OSError, csv.Error) as error:
        raise Unusable(f"cannot read {path}: {error}") from error
    found = []
    for line, row in rows:
        if None in row or None in row.values():
            raise Unusable(f"{path}, line {line}: it has not as many fields as the first line")
        own = tuple(name.strip() for name in row.get("groups", "").split(";") if name.strip())
        attributes = {key.removeprefix(_ATTRIBUTE): value for key, value in row.items() if key.startswith(_ATTRIBUTE)}
        wanted = Wanted(
            name=row["name"].strip(),
            type=row.get("type", "").strip() or thing_type,
            groups=tuple(dict.fromkeys((*groups, *own))),
            attributes=tuple((key, value) for key, value in attributes.items() if value),
        )
        found.append((f"line {line}", wanted))
    if not found:
        raise Unusable(f"{path} names no device")
    _check(found)
    return [wanted for _, wanted in found]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if "name" not in columns:
        raise Unusable(f"{path} has no column `name`; its first line must name the columns")
    known = {"name", "type", "groups"}
    unknown = [name for name in columns if name not in known and not name.startswith(_ATTRIBUTE)]
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if unknown:
        raise Unusable(f"{path}: unknown columns {', '.join(unknown)}; known: name, type, groups, attribute.KEY")
    if twice:
        raise Unusable(f"{path} has the column {twice[0]} more than once")


def _check(wanted: Iterable[tuple[str, Wanted]]) -> None:
    faults, seen = [], set()
    for place, one in wanted:
        if not _NAME.fullmatch(one.name):
            faults.append(f"{place}: a thing's name has 1 to 128 letters, digits, : _ and -; {one.name!r} has not")
        elif one.name in seen:
            faults.append(f"{place}: {one.name} is there twice")
        seen.add(one.name)
    if faults:
        more = len(faults) - _MOST_FAULTS
        raise Unusable("; ".join(faults[:_MOST_FAULTS]) + (f"; and {more} more" if more > 0 else ""))
