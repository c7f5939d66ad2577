"""The message that a statement looks at, with what is known about its publication."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hedgerow.core.rulesql.values import UNDEFINED, Value, parse_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One publication. `topic` is without the `$aws/rules/<rule>/` of Basic Ingest; times in milliseconds."""

    topic: str
    payload: bytes
    account: str
    now_ms: int
    client_id: str = ""
    principal: str = ""
    source_ip: str = ""
    trace_id: str = ""
    user_properties: Callable[[], Sequence[tuple[str, str]]] = field(default=lambda: ())  # of MQTT 5, in order
    uuid: Callable[[], str] = field(default=lambda: "")
    random: Callable[[], float] = field(default=lambda: 0.0)

    def document(self) -> Value:
        """Answer the payload as a JSON value, Undefined when it is none."""
        try:
            return parse_json(self.payload)
        except (ValueError, RecursionError):
            return UNDEFINED
