"""The rules engine: every publication meets the enabled rules of its account, and their actions are done.

A message is acknowledged (`stored`) when each of its actions is done or waits on disk. Rules of an account are compiled
once and again after each change; a change counts for every message that is published after its answer.
Bounds: QUEUE messages wait; when it is full, those that want an acknowledgement are refused it (the publisher sends
them again) and the others are dropped and counted.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError, Unavailable
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.events import Event, RulesChanged
from hedgerow.core.mqtt.properties import user_properties
from hedgerow.core.mqtt.topics import matches
from hedgerow.core.rulesql import Message
from hedgerow.gateway.ports import Message as Publication
from hedgerow.gateway.ports import Stored
from hedgerow.services.iot.rules import ActionFlows, CompiledRule, Failure, Job, RuleOperations
from hedgerow.services.iot.rules.flows import LATER
from hedgerow.store import Answer, Run, Tx

log = get_logger("rules")

QUEUE: Final = 10_000
BATCH: Final = 256
RETRY_S: Final = 1.0
UNORDERED: Final = frozenset({"cloudwatchMetric"})
BASIC_INGEST: Final = "$aws/rules/"


class Listener(Protocol):
    """Who hears what rules do, for the account's log. None of it waits."""

    def is_on(self, account: str) -> bool:
        """Tell whether anything of this account is to be heard."""
        ...

    def matched(self, publication: Publication, rules: Iterable[str], trace: str) -> None:
        """A publication met these rules."""
        ...

    def throttled(self, publication: Publication, rules: Iterable[str]) -> None:
        """A publication found no room."""
        ...

    def starting(self, account: str, job: Job) -> None:
        """An action begins, or is put aside to be done."""
        ...


@dataclass(slots=True)
class Counters:
    """What happened so far."""

    matched: int = 0
    actions: int = 0
    failed: int = 0
    dropped: int = 0


class RuleEngine:
    """Hands messages to rules. One per control; `run` is its task."""

    def __init__(
        self,
        *,
        run: Run,
        clock: Clock,
        ids: Ids,
        rules: RuleOperations,
        actions: ActionFlows,
        listener: Listener | None = None,
    ) -> None:
        self._run = run
        self._clock = clock
        self._ids = ids
        self._rules = rules
        self._actions = actions
        self._compiled: dict[str, list[CompiledRule]] = {}
        self._stale: set[str] = set()
        self._compiling: set[str] = set()
        self._waiting: deque[tuple[Publication, Stored | None]] = deque()
        self._wake = asyncio.Event()
        self.counters = Counters()
        self._listener = listener
        actions.on_failure = self._on_failure

    async def load(self) -> None:
        """Compile the rules of every account."""
        self._stale.update(await self._run.read(self._rules.accounts))
        await self._refresh()

    def on_events(self, events: Iterable[Event]) -> None:
        """Note whose rules have changed; called at commit, before the change is answered."""
        self._stale.update(event.account for event in events if isinstance(event, RulesChanged))

    def wants(self, account: str, topic: str) -> bool:
        """Tell whether a rule may want publications to this topic."""
        if account in self._stale or account in self._compiling:  # what its rules want is not known yet
            return True
        if topic.startswith(BASIC_INGEST) and self._listener is not None and self._listener.is_on(account):
            return True  # to say that there is no such rule
        return bool(self._matching(account, topic))

    def on_message(self, message: Publication, stored: Stored | None = None) -> bool:
        """Take a publication if a rule may want it. False: no rule does, and `stored` will not be called."""
        if not self.wants(message.account, message.topic):
            return False
        if len(self._waiting) >= QUEUE:
            self.counters.dropped += 1
            if self._listener is not None and self._listener.is_on(message.account):
                self._listener.throttled(
                    message, [rule.name for rule in self._matching(message.account, message.topic)]
                )
            if stored is not None:
                stored(False)
            return True
        self._waiting.append((message, stored))
        self._wake.set()
        return True

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                if not await self._refreshed():
                    await asyncio.sleep(RETRY_S)
                    continue
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                await self._work(batch)

    def statistics(self) -> dict[str, int]:
        """Answer counters and the length of the queue."""
        return {
            "waiting": len(self._waiting),
            "matched": self.counters.matched,
            "actions": self.counters.actions,
            "failed": self.counters.failed,
            "dropped": self.counters.dropped,
        }

    def _matching(self, account: str, topic: str) -> Sequence[CompiledRule]:
        rules = self._compiled.get(account)
        if not rules:
            return ()
        if topic.startswith(BASIC_INGEST):
            name = topic.split("/", 3)[2]
            return [rule for rule in rules if rule.name == name]
        return [rule for rule in rules if rule.statement.topic_filter and matches(rule.statement.topic_filter, topic)]

    async def _refresh(self) -> None:
        while self._stale:
            account = self._stale.pop()
            self._compiling.add(account)
            try:
                rules = await self._run.read(lambda tx, account=account: self._rules.enabled(tx, account))  # type: ignore[misc]  # a default binds the loop's variable
            except Unavailable:
                self._stale.add(account)
                raise
            else:
                self._compiled[account] = [CompiledRule(rule) for rule in rules]
            finally:
                self._compiling.discard(account)

    async def _refreshed(self) -> bool:
        """Refresh; False when the rules cannot be read now: what waits goes on waiting."""
        try:
            await self._refresh()
        except Unavailable as error:
            log.warning("rules cannot be read", extra={"fields": {"cause": str(error)}})
            return False
        return True

    async def _work(self, batch: Sequence[tuple[Publication, Stored | None]]) -> None:
        """Do a batch: what waits on disk in one transaction, everything else beside each other, then acknowledge."""
        now: dict[tuple[str, str, int], list[Job]] = {}
        later: list[tuple[str, int, Job]] = []
        for publication, _ in batch:
            rules = self._matching(publication.account, publication.topic)
            heard = self._said(publication, rules)
            for rule in rules:
                self._tried(heard, rule, now, later)
        ok = True
        try:
            if later:
                await self._run.write(lambda tx: self._put_aside(tx, later))
            async with asyncio.TaskGroup() as tasks:
                for (account, _, _), jobs in now.items():
                    tasks.create_task(self._do(account, jobs))
        except* HedgerowError as errors:
            ok = False
            log.error(
                "messages could not be handed to their rules", extra={"fields": {"cause": str(errors.exceptions[0])}}
            )
        for _, stored in batch:
            if stored is not None:
                stored(ok)

    def _said(self, publication: Publication, rules: Sequence[CompiledRule]) -> Publication:
        """Tell the account's log which rules a publication met; answer it with the id that joins the lines."""
        if self._listener is None or not self._listener.is_on(publication.account):
            return publication
        traced = publication if publication.trace else replace(publication, trace=self._ids.uuid())
        self._listener.matched(traced, [rule.name for rule in rules], traced.trace)
        return traced

    def _tried(
        self,
        publication: Publication,
        rule: CompiledRule,
        now: dict[tuple[str, str, int], list[Job]],
        later: list[tuple[str, int, Job]],
    ) -> None:
        """Collect; what a rule cannot cope with in a message is our mistake, and must not end the engine."""
        try:
            self._collect(publication, rule, now, later)
        except Exception:  # a message comes from outside: no content may stop the rules of everyone
            self.counters.failed += 1
            fields = {"account": publication.account, "rule": rule.name, "topic": publication.topic}
            log.exception("a rule failed on a message", extra={"fields": fields})

    def _collect(
        self,
        publication: Publication,
        rule: CompiledRule,
        now: dict[tuple[str, str, int], list[Job]],
        later: list[tuple[str, int, Job]],
    ) -> None:
        message = self._message(publication)
        jobs, failures = rule.jobs(message)
        self.counters.matched += 1
        self.counters.actions += len(jobs)
        for index, made in enumerate(jobs):
            job = replace(made, hops=publication.hops + 1, principal=publication.principal)
            if publication.trace and self._listener is not None:
                self._listener.starting(publication.account, job)
            if job.kind in LATER:
                later.append((publication.account, index, job))
            else:
                lane = len(now) if job.kind in UNORDERED else index
                now.setdefault((publication.account, f"{job.kind}/{rule.name}", lane), []).append(job)
        if failures:
            self._note(publication.account, failures)
            error_job = rule.error_job(message, failures)
            if error_job is not None:
                later.append((publication.account, 0, error_job))

    def _put_aside(self, tx: Tx, later: Sequence[tuple[str, int, Job]]) -> Answer:
        for account, index, job in later:
            self._actions.put_aside(tx, account, index, job)
        return Answer()

    async def _do(self, account: str, jobs: Sequence[Job]) -> None:
        """Do the jobs of one action in order."""
        for job in jobs:
            try:
                await self._actions.do(account, job)
            except HedgerowError as error:
                self._note(account, [Failure(job, str(error))])
                await self._on_failure(account, job, str(error))
            except Exception as error:  # as in _tried
                log.exception("an action failed on a message", extra={"fields": {"rule": job.rule}})
                self._note(account, [Failure(job, f"{type(error).__name__} in the action")])
                await self._on_failure(account, job, str(error))
            else:
                self._actions.on_end(account, job, None)

    async def _on_failure(self, account: str, job: Job, reason: str) -> None:
        """Put the rule's error action aside for what failed."""
        rule = next((rule for rule in self._compiled.get(account, ()) if rule.name == job.rule), None)
        if rule is None:
            return
        message = Message(
            topic=job.topic,
            payload=job.original,
            account=account,
            now_ms=int(self._clock.now() * 1000),
            client_id=job.client_id,
            trace_id=job.trace_id,
        )
        error_job = rule.error_job(message, [Failure(job, reason)])
        if error_job is not None:
            await self._run.write(lambda tx: self._put_aside(tx, [(account, 0, error_job)]))

    def _note(self, account: str, failures: Sequence[Failure]) -> None:
        self.counters.failed += len(failures)
        for failure in failures:
            fields = {"account": account, "rule": failure.job.rule, "action": failure.job.kind, "cause": failure.reason}
            log.warning("rule action failed", extra={"fields": fields})
            self._actions.on_end(account, failure.job, failure.reason)

    def _message(self, publication: Publication) -> Message:
        topic = publication.topic
        if topic.startswith(BASIC_INGEST):
            topic = topic.split("/", 3)[3] if topic.count("/") > 2 else ""
        return Message(
            topic=topic,
            payload=publication.payload,
            account=publication.account,
            now_ms=int(self._clock.now() * 1000),
            client_id=publication.client_id,
            principal=publication.principal,
            trace_id=publication.trace or self._ids.uuid(),
            user_properties=partial(user_properties, publication.properties),
            uuid=self._ids.uuid,
        )
