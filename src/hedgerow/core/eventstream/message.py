"""A message of the event-stream format, as values. Spec: smithy.io, "Amazon event stream specification"."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

Value = bool | int | bytes | str


class HeaderType(IntEnum):
    """How a header's value is written."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8  # milliseconds since the epoch
    UUID = 9


class Header(NamedTuple):
    """A value and how it is written."""

    type: HeaderType
    value: Value


class Message(NamedTuple):
    """Headers in their order, and the payload."""

    headers: Mapping[str, Header]
    payload: bytes = b""

    def text(self, name: str) -> str:
        """Answer the header's text, "" when there is none of that name or it is no text."""
        header = self.headers.get(name)
        return header.value if header is not None and isinstance(header.value, str) else ""

    def number(self, name: str) -> int | None:
        """Answer the header's number, None when there is none of that name or it is no 32 bit number."""
        header = self.headers.get(name)
        if header is None or header.type is not HeaderType.INT32:
            return None
        return int(header.value) if isinstance(header.value, int) else None


def text(value: str) -> Header:
    """Make a header of a text."""
    return Header(HeaderType.STRING, value)


def number(value: int) -> Header:
    """Make a header of a 32 bit number."""
    return Header(HeaderType.INT32, value)
