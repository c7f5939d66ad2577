"""A control that tests script, and policies as simple as can be."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hedgerow.gateway.bus import Hub
from hedgerow.gateway.ports import (
    Admit,
    Admitted,
    Asked,
    Message,
    NotAdmitted,
    Question,
    Refused,
    Replied,
    Reply,
    Stored,
)

ACCOUNT = "123456789012"


class Answered:
    def __init__(self, allowed: bool, cacheable: bool = True) -> None:
        self.allowed = allowed
        self.cacheable = cacheable

    def explain(self) -> str:
        return "allowed" if self.allowed else "no statement allows it"


class Rights:
    """Denied is what matches one of the patterns `<action> <resource without the ARN's beginning>`."""

    def __init__(self, denied: tuple[str, ...], uncacheable: tuple[str, ...] = ()) -> None:
        self._denied = denied
        self._uncacheable = uncacheable
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []

    def decide(self, action: str, resource: str, context: Mapping[str, Any] | None = None) -> Answered:
        self.asked.append((action, resource, context or {}))
        line = f"{action} {resource.split(':', 5)[5]}"
        denied = any(fnmatch.fnmatchcase(line, pattern) for pattern in self._denied)
        return Answered(not denied, not any(fnmatch.fnmatchcase(line, pattern) for pattern in self._uncacheable))


class FakeControl:
    """Lets everyone in. A user name `a/<account>` chooses the account; policies are patterns of what is denied."""

    def __init__(self) -> None:
        self.admits: list[Admit] = []
        self.asked: list[Asked] = []
        self.refused: list[Refused] = []
        self.heard: list[Message] = []
        self.denied: tuple[str, ...] = ()
        self.uncacheable: tuple[str, ...] = ()
        self.refuse: NotAdmitted | None = None
        self.admitted: dict[str, Any] = {}
        self.enrichment: dict[str, tuple[tuple[str, str], ...]] = {}  # by client
        self.replies: Callable[[Message], tuple[tuple[str, bytes], ...]] = lambda message: (
            (message.topic + "/accepted", b"yes"),
        )
        self.stores = True
        self.epochs: dict[tuple[str, str], int] | None = None
        self.hear_nothing = False

    def listen(self, hub: Hub) -> None:
        hub.on_message(self._hear, interest=lambda account, topic: not self.hear_nothing)

    def _hear(self, message: Message, stored: Stored | None) -> None:
        self.heard.append(message)
        if stored is not None:
            stored(self.stores)

    async def ask(self, question: Question, *, deadline_s: float) -> Reply:
        if isinstance(question, Asked):
            self.asked.append(question)
            return Replied(replies=self.replies(question.message))
        if isinstance(question, Refused):
            self.refused.append(question)
            return Replied()
        self.admits.append(question)
        if self.refuse is not None:
            return self.refuse
        name = question.username or ""
        account = name[2:] if name.startswith("a/") else ACCOUNT
        epoch = None
        if self.epochs is not None:
            epoch = self.epochs[account, question.client_id] = self.epochs.get((account, question.client_id), -1) + 1
        principal = question.signed_by or f"cert-of-{question.client_id}"
        return Admitted(
            account=account,
            principal=principal,
            policies=self.denied,
            epoch=epoch,
            enrichment=self.enrichment.get(question.client_id, ()),
            **self.admitted,
        )

    async def ask_many(self, questions: Sequence[Admit], *, deadline_s: float) -> Sequence[Admitted | NotAdmitted]:
        replies = [await self.ask(question, deadline_s=deadline_s) for question in questions]
        return [reply for reply in replies if not isinstance(reply, Replied)]

    def wants(self, message: Message) -> bool:
        return message.topic.startswith("$aws/things/") and message.topic.endswith(("/get", "/update"))

    def compile(self, admitted: Admitted, client_id: str) -> Rights:
        return Rights(admitted.policies, self.uncacheable)
