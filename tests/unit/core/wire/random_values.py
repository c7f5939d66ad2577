"""Random values for a shape of botocore's model, as botocore's serializer and parser take them."""

import string
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

ASCII = st.text(string.ascii_letters + string.digits + "-_.:/ %+&=?#~@é", min_size=1, max_size=12).filter(
    lambda text: text == text.strip() and not set(text) <= set("./")
)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12)
HEADER = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=10)
LABEL = st.text(string.ascii_letters + string.digits + "-.", min_size=1, max_size=10)
MOMENTS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "timestamp": MOMENTS,
    "blob": st.binary(max_size=20),
}


def values(shape: Any, text: st.SearchStrategy[str] = TEXT, depth: int = 3) -> st.SearchStrategy[Any]:
    """Answer a strategy for values of the shape, nested at most `depth` deep."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return st.dictionaries(HEADER, st.integers(), max_size=2)
    if kind in NUMBERS:
        return NUMBERS[kind]
    if kind == "list":
        size = 0 if depth == 0 else 3
        return st.lists(values(shape.member, text, depth - 1), max_size=size) if size else st.just([])
    if kind == "map":
        if depth == 0:
            return st.just({})
        return st.dictionaries(HEADER, values(shape.value, text, depth - 1), max_size=2)
    if kind == "structure":
        return structures(shape, lambda _: text, depth)
    return text


def structures(
    shape: Any, text: Callable[[Any], st.SearchStrategy[str]], depth: int = 3
) -> st.SearchStrategy[dict[str, Any]]:
    """Answer a strategy for structures: some of the members, all of the required ones."""
    if depth == 0 and not shape.required_members:
        return st.just({})
    always: dict[str, st.SearchStrategy[Any]] = {}
    sometimes: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in shape.members.items():
        if member.serialization.get("eventstream") or (member.type_name == "structure" and member.is_document_type):
            continue
        place = values(member, text(member), max(depth - 1, 0))
        (always if name in shape.required_members else sometimes)[name] = place
    if getattr(shape, "is_tagged_union", False):
        name = next(iter({**always, **sometimes}))
        return st.fixed_dictionaries({name: {**always, **sometimes}[name]})
    if depth <= 1:
        sometimes = {}
    if len(always) + len(sometimes) > 12:
        sometimes = dict(list(sometimes.items())[:12])
    return st.fixed_dictionaries(always, optional=sometimes)


def located_text(member: Any) -> st.SearchStrategy[str]:
    """Answer the text that can travel where the member travels."""
    if member.serialization.get("hostLabel"):
        return LABEL
    location = member.serialization.get("location")
    if location == "uri":
        return ASCII
    if location in ("header", "headers"):
        return HEADER
    return TEXT
