"""The syntax tree of IoT SQL."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Literal:
    value: bool | int | Decimal | str | None


@dataclass(frozen=True, slots=True)
class Field:
    """A bare name: a member of the payload (or of the element, inside a nested query)."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    of: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    of: "Expression"
    at: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    name: str  # lower case
    arguments: tuple["Expression", ...]
    position: int


@dataclass(frozen=True, slots=True)
class Cast:
    value: "Expression"
    kind: str  # lower case


@dataclass(frozen=True, slots=True)
class Raw:
    """`*` as an argument of encode: the payload's bytes."""


@dataclass(frozen=True, slots=True)
class Unary:
    sign: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    sign: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Case:
    value: "Expression"
    branches: tuple[tuple["Expression", "Expression"], ...]
    otherwise: "Expression | None"


@dataclass(frozen=True, slots=True)
class ObjectOf:
    members: tuple[tuple[str, "Expression"], ...]


@dataclass(frozen=True, slots=True)
class ArrayOf:
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a SELECT. `expression` None is `*`; `path` is where it goes, () for `*` without AS."""

    expression: "Expression | None"
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What SELECT asks for: one value (`SELECT VALUE x`, `value` None is `*`), or items."""

    is_value: bool
    value: "Expression | None"
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """A query on an array or object inside the payload."""

    selection: Selection
    source: "Expression"
    where: "Expression | None"


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole statement; `source` is the topic filter, None when there is none (Basic Ingest only)."""

    variables: tuple[tuple[str, "Expression"], ...]
    selection: Selection
    source: str | None
    where: "Expression | None"


Expression = (
    Literal
    | Field
    | Variable
    | Member
    | Index
    | Call
    | Cast
    | Raw
    | Unary
    | Binary
    | Case
    | ObjectOf
    | ArrayOf
    | Nested
)
