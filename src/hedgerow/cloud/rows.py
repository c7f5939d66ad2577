"""What the tables of the cloud are made of: rows for `$aws` topics and for follow-ups.

Each file of `cloud/operations/` has the rows of one service: `rows` (operation), `topic_rows` (topic filter),
`follow_up_rows` (kind). `build` joins them in `Tables`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hedgerow.api.operations import Row
from hedgerow.core.caller import Caller
from hedgerow.core.topics import TopicRequest
from hedgerow.store import Answer, Handler, Tx

TopicOperation = Callable[[Tx, TopicRequest, Caller], Answer]
TopicFlow = Callable[[TopicRequest, Caller], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class TopicRow:
    """`filter` has `+` for the levels that the method is handed. Exactly one of `operation` and `flow` is set.

    `too_many` answers instead when more is under way for client and first level than the limits allow.
    """

    filter: str
    operation: TopicOperation | None = None
    flow: TopicFlow | None = None
    too_many: TopicOperation | None = None


@dataclass(frozen=True, slots=True)
class Tables:
    """The three tables while they are filled, part by part. A row that is there already is our mistake."""

    operations: dict[tuple[str, str], Row] = field(default_factory=dict)
    topics: list[TopicRow] = field(default_factory=list)
    follow_ups: dict[str, Handler] = field(default_factory=dict)
    hints: dict[tuple[str, str], str] = field(default_factory=dict)

    def serve(self, service: str, rows: Mapping[str, Row]) -> None:
        """Add operations of a service."""
        for operation, row in rows.items():
            if (service, operation) in self.operations:
                raise ValueError(f"{service}:{operation} stands in the table twice")
            self.operations[service, operation] = row

    def refuse(self, service: str, hints: Mapping[str, str]) -> None:
        """Say why operations of a service are refused, and what to use instead."""
        self.hints.update({(service, operation): hint for operation, hint in hints.items()})

    def answer(self, rows: Sequence[TopicRow]) -> None:
        """Add `$aws` topics."""
        self.topics.extend(rows)

    def follow(self, rows: Mapping[str, Handler]) -> None:
        """Add what happens later."""
        for kind, handler in rows.items():
            if kind in self.follow_ups:
                raise ValueError(f"the follow-up {kind} stands in the table twice")
            self.follow_ups[kind] = handler
