"""Control's side of the gateway's questions: who may come in, and what `$aws/…` requests answer."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Protocol

from hedgerow.base.clock import Clock
from hedgerow.base.errors import ServiceError, Unavailable
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.cloud.failures import rejected
from hedgerow.cloud.rows import TopicRow
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.topics import TopicRequest
from hedgerow.gateway.ports import Admit, Admitted, Asked, Message, NotAdmitted, Question, Refused, Replied, Reply
from hedgerow.store import Answer, Run, Tx

log = get_logger("control")

CERTIFICATE_ID_LENGTH: Final = 64


class Admission(Protocol):
    """Who may come in, and who may stay."""

    async def admit(self, question: Admit) -> Admitted | NotAdmitted:
        """Say who this is and what it may do, or why it is not let in."""
        ...

    async def admit_many(self, questions: Sequence[Admit]) -> Sequence[Admitted | NotAdmitted]:
        """Say the same of connections that are there, in their order."""
        ...


class Refusals(Protocol):
    """Who takes note of what clients that want an identity may not do."""

    async def refused(self, question: Refused, caller: Caller) -> None:
        """Note it; durable when this returns."""
        ...


class Listener(Protocol):
    """Who hears how requests were answered."""

    def asked(self, question: Asked, answer: Answer) -> None:
        """A request by topic was answered; never waits."""
        ...

    async def admitted(self, question: Admit, reply: Admitted | NotAdmitted) -> Admitted | NotAdmitted:
        """Answer the reply with what this adds to it."""
        ...


class TopicTable:
    """The `$aws` topics that operations answer, found by their levels."""

    def __init__(self, rows: Sequence[TopicRow]) -> None:
        self._by_length: dict[int, list[tuple[tuple[str, ...], TopicRow]]] = {}
        for row in rows:
            levels = tuple(row.filter.split("/"))
            self._by_length.setdefault(len(levels), []).append((levels, row))
        for found in self._by_length.values():
            found.sort(key=lambda entry: entry[0].count("+"))  # the plainest filter wins: `$next` before `+`

    def find(self, topic: str) -> tuple[TopicRow, tuple[str, ...]] | None:
        """Answer the row for a topic and the levels that its `+` matched."""
        levels = topic.split("/")
        for pattern, row in self._by_length.get(len(levels), ()):
            if all(wanted in ("+", level) for wanted, level in zip(pattern, levels, strict=True)):
                parts = tuple(level for wanted, level in zip(pattern, levels, strict=True) if wanted == "+")
                return row, parts
        return None


class CloudControl:
    """Answers questions; one for all gateways."""

    def __init__(
        self,
        *,
        run: Run,
        ids: Ids,
        clock: Clock,
        region: str,
        admission: Admission,
        topics: TopicTable,
        refusals: Refusals,
        listener: Listener | None = None,
        at_once: int = 0,
    ) -> None:
        """`at_once` is how many requests of one client about one thing may be under way (0: any number)."""
        self._run = run
        self._ids = ids
        self._clock = clock
        self._region = region
        self._admission = admission
        self._topics = topics
        self._refusals = refusals
        self._listener = listener
        self._at_once = at_once
        self._under_way: Counter[tuple[str, str, str]] = Counter()
        self.hearers: list[Callable[[Asked, Answer], None]] = [] if listener is None else [listener.asked]
        """Told of every request by topic that was answered; they return at once."""

    def wants(self, message: Message) -> bool:
        """Tell whether this `$aws/…` publication is a request that an operation answers."""
        return self._topics.find(message.topic) is not None

    async def ask(self, question: Question, *, deadline_s: float) -> Reply:
        """Answer, or raise Unavailable when that takes longer than the deadline."""
        if isinstance(question, Asked):
            return await self._answer(question, deadline_s)
        try:
            async with asyncio.timeout(deadline_s):
                if isinstance(question, Refused):
                    await self._refusals.refused(question, self._caller(question))
                    return Replied()
                admitted = await self._admission.admit(question)
                return admitted if self._listener is None else await self._listener.admitted(question, admitted)
        except TimeoutError as error:
            raise Unavailable(f"no answer within {deadline_s:g} s") from error

    async def ask_many(self, questions: Sequence[Admit], *, deadline_s: float) -> Sequence[Admitted | NotAdmitted]:
        """Answer about connections that are there, or raise Unavailable when that takes longer than the deadline."""
        try:
            async with asyncio.timeout(deadline_s):
                replies = await self._admission.admit_many(questions)
                if self._listener is None:
                    return replies
                pairs = zip(questions, replies, strict=True)
                return [await self._listener.admitted(question, reply) for question, reply in pairs]
        except TimeoutError as error:
            raise Unavailable(f"no answer within {deadline_s:g} s") from error

    async def _answer(self, question: Asked, deadline_s: float) -> Replied:
        message = question.message
        found = self._topics.find(message.topic)
        if found is None:
            return Replied()
        row, parts = found
        request = TopicRequest(topic=message.topic, parts=parts, payload=message.payload)
        caller = self._caller(question)
        fields = {"topic": message.topic, "client": message.client_id}
        try:
            async with asyncio.timeout(deadline_s):
                with self._counted(row, message, parts) as counted:
                    answer = await self._run_row(counted, request, caller, lane=self._lane(message.account, parts))
        except (ServiceError, Unavailable, TimeoutError) as error:  # an operation answers what it refuses; not this
            why = f"no answer within {deadline_s:g} s" if isinstance(error, TimeoutError) else str(error)
            log.warning("a request by topic was not answered", extra={"fields": {**fields, "cause": why}})
            return self._failed(request)
        except Exception:  # our bug; the device must not wait for ever
            log.exception("a request by topic failed", extra={"fields": fields})
            return self._failed(request)
        for tell in self.hearers:
            tell(question, answer)
        return Replied(replies=tuple(answer.response.get("replies", ())))

    def _failed(self, request: TopicRequest) -> Replied:
        return Replied(replies=rejected(request, now=self._clock.now()))

    @contextmanager
    def _counted(self, row: TopicRow, message: Message, parts: tuple[str, ...]) -> Iterator[TopicRow]:
        """Answer the row, or what answers in its place when too much is under way."""
        if row.too_many is None or not self._at_once:
            yield row
            return
        key = (message.account, message.client_id, parts[0])
        self._under_way[key] += 1
        try:
            yield row if self._under_way[key] <= self._at_once else replace(row, operation=row.too_many)
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]

    def _lane(self, account: str, parts: tuple[str, ...]) -> str:
        """What concerns one shadow or execution keeps its order, by HTTP (where the lane is the resource) and MQTT."""
        return f"{account} {arn('iot', self._region, account, 'thing/' + '/'.join(parts))}"

    async def _run_row(self, row: TopicRow, request: TopicRequest, caller: Caller, *, lane: str) -> Answer:
        if row.flow is not None:
            return Answer(await row.flow(request, caller))
        operation = row.operation
        if operation is None:
            raise TypeError(f"the topic row {row.filter} has neither an operation nor a flow")

        def work(tx: Tx) -> Answer:
            return operation(tx, request, caller)

        return await self._run.write(work, lane=lane)

    def _caller(self, question: Asked | Refused) -> Caller:
        message = question.message
        by_certificate = (
            question.by_certificate and len(message.principal) == CERTIFICATE_ID_LENGTH and ":" not in message.principal
        )
        return Caller(
            account=message.account,
            region=self._region,
            principal=(
                arn("iot", self._region, message.account, f"cert/{message.principal}")
                if by_certificate
                else message.principal
            ),
            kind=Kind.CERTIFICATE if by_certificate else Kind.USER if ":" in message.principal else Kind.CUSTOM,
            request_id=self._ids.uuid(),
            source_ip=question.peer or None,
            certificate_id=message.principal if by_certificate else None,
            client_id=message.client_id,
            thing=question.variables.get("iot:Connection.Thing.ThingName") if isinstance(question, Asked) else None,
        )
