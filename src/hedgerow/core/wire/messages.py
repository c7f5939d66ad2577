"""What goes over HTTP, as values: a request as it was received, a response as it is to be sent."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote_to_bytes


def decoded(text: str) -> str:
    """Answer percent-encoded text decoded (UTF-8; bytes that are not stay recognisable and match no name)."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text).decode("utf-8", "replace")


def is_text(encoded: str) -> bool:
    """Say whether what is percent-encoded is UTF-8."""
    try:
        unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class HttpRequest:
    """`path` is as sent (percent-encoded), `headers` have lower case names, equal ones joined by a comma."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The query's names and values, decoded, in order; a name without `=` has the value ""."""
        return query_pairs(self.query)

    @cached_property
    def pairs_raw(self) -> list[tuple[str, str]]:
        """The same pairs as sent, still percent-encoded, as signatures want them."""
        parts = (part.partition("=") for part in self.query.split("&") if part)
        return [(name, value) for name, _, value in parts]


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Answer the decoded (name, value) pairs of a query string or form body."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.replace("+", " ").partition("=")
            pairs.append((decoded(name), decoded(value)))
    return pairs


@dataclass
class HttpResponse:
    """`body` is whole, or (S3 objects, log files) comes in pieces."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: "bytes | AsyncIterable[bytes]" = b""
