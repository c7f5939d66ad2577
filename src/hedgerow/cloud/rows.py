"""What the tables of the cloud are made of: rows for `$aws` topics and for follow-ups.

The tables: `cloud/operations/` (service, operation), `cloud/topics.py` (topic filter), `cloud/follow_ups.py` (kind).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.topics import TopicRequest
from hedgerow.store import Answer, Tx

TopicOperation = Callable[[Tx, TopicRequest, Caller], Answer]
TopicFlow = Callable[[TopicRequest, Caller], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class TopicRow:
    """`filter` has `+` for the levels that the method is handed. Exactly one of `operation` and `flow` is set."""

    filter: str
    operation: TopicOperation | None = None
    flow: TopicFlow | None = None
