"""What a function is: how many arguments it takes, and what it does with their values."""

from collections.abc import Callable
from dataclasses import dataclass

from hedgerow.core.rulesql.message import Message
from hedgerow.core.rulesql.values import Value


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression sees: the message, the payload (or the element of a nested query), the SET variables."""

    message: Message
    document: Value
    variables: dict[str, Value]
    version: str


@dataclass(frozen=True, slots=True)
class Function:
    """`call` gets the scope and the values; fewer arguments than `least` or more than `most` are an error."""

    call: Callable[[Scope, list[Value]], Value]
    least: int
    most: int


def pure(call: Callable[..., Value], least: int, most: int | None = None) -> Function:
    """Make a function that needs nothing but its arguments."""
    return Function(lambda _, values: call(*values), least, least if most is None else most)
