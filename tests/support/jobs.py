"""The job subject on a store in memory, joined as the cloud joins it."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.base.steady import Steady
from hedgerow.core.caller import Caller
from hedgerow.core.events import EventsConfigured, Published
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.jobs import (
    DeviceDesk,
    Documents,
    JobDataOperations,
    JobEvents,
    JobExecutionOperations,
    JobFollowUps,
    JobLimits,
    JobOperations,
    Jobs,
    JobSources,
    JobStore,
    JobTopics,
    TemplateOperations,
    Templates,
    TemplateStore,
)
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.registry_events import EVENT, RegistryEvents
from hedgerow.services.iot.things import ThingStore
from hedgerow.store import Answer, FollowUp, Tx
from hedgerow.store.tx import follow_ups
from tests.support.clock import FakeIds
from tests.support.store import CALLER, MemoryRun, MemoryStore

ARN = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:"
NAMESPACE = "aws-gg-deployment"


class Registry:
    """Every thing of ours exists; groups are a dictionary, `sub` stands below `top`."""

    def __init__(self) -> None:
        self.members: dict[str, set[str]] = {"top": set(), "sub": set()}
        self.gone: set[str] = set()

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        return name != "missing" and name not in self.gone

    def id_of(self, tx: Tx, account: str, name: str) -> str | None:
        return f"id-{name}" if name in self.members else None

    def name_of(self, tx: Tx, account: str, group_id: str) -> str | None:
        name = group_id.removeprefix("id-")
        return name if name in self.members else None

    def lines_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        direct = [name for name, things in self.members.items() if thing in things]
        return sorted({above for name in direct for above in self.line_of(tx, account, name)})

    def line_of(self, tx: Tx, account: str, group: str) -> Sequence[str]:
        return ["sub", "top"] if group == "sub" else [group] if group in self.members else []

    def things_in(
        self, tx: Tx, account: str, group: str, *, recursive: bool = False, after: str = "", limit: int = 10**6
    ) -> Sequence[str]:
        groups = ["top", "sub"] if recursive and group == "top" else [group]
        names = {thing for name in groups for thing in self.members[name]}
        return sorted(name for name in names if name > after)[:limit]


class FakeLinks:
    """Links that say what they are to; one role can be taken."""

    ROLE = "arn:aws:iam::123456789012:role/links"

    def __init__(self) -> None:
        self.roles = {self.ROLE}
        self.made = 0

    def own(self, host: str) -> bool:
        return host == "cloud.local:8443"

    def usable(self, tx: Tx, account: str, role_arn: str) -> bool:
        return role_arn in self.roles and account == CALLER.account

    def maybe_signer(self, tx: Tx, account: str, role_arn: str, *, expires_s: int) -> "FakeSigner | None":
        self.made += 1
        return FakeSigner(f"expires={expires_s}&made={self.made}") if self.usable(tx, account, role_arn) else None


class FakeSigner:
    def __init__(self, query: str) -> None:
        self._query = query

    def link(self, bucket: str, key: str) -> str:
        return f"https://cloud.local:8443/{bucket}/{key}?{self._query}"


class FakeRights:
    """Everybody may pass every role but those in `kept`."""

    def __init__(self) -> None:
        self.kept: set[str] = set()

    async def pass_role(self, caller: Caller, role_arn: str, *, to: str) -> None:
        assert to == "iot.amazonaws.com"
        if role_arn in self.kept:
            raise AccessDenied("iam:PassRole is not allowed")


class FakeObjects:
    """S3 with what is put into `kept`."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def read(self, caller: Caller, bucket: str, key: str, *, most: int) -> bytes | None:
        if bucket == "forbidden":
            raise AccessDenied("not yours")
        if bucket == "missing":
            raise ServiceError("The specified bucket does not exist")
        data = self.kept.get((bucket, key))
        return None if data is None or len(data) > most else data


class Cloud:
    """The job subject on a store in memory, with a dispatcher of its own."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.registry = Registry()
        self.telling = RegistryEvents(things=ThingStore(), ids=FakeIds(), region=CALLER.region)
        told = JobEvents(telling=self.telling)
        self.rows = rows = JobStore()
        self.links, self.objects = FakeLinks(), FakeObjects()
        self.documents = Documents(links=self.links)
        kept = TemplateStore()
        templates, self.rights = Templates(store=kept, jobs=rows), FakeRights()
        self.sources = JobSources(
            run=MemoryRun(self.store),
            documents=self.documents,
            templates=templates,
            objects=self.objects,
            rights=self.rights,
        )
        self.jobs = Jobs(
            store=rows,
            things=self.registry,
            groups=self.registry,
            limits=JobLimits(),
            told=told,
            documents=self.documents,
            steady=Steady(clock=self.store.clock, ids=FakeIds()),
        )
        desk = DeviceDesk(jobs=self.jobs, store=rows)
        pages = Pages(Pager(b"key"))
        self.api = JobOperations(
            jobs=self.jobs,
            store=rows,
            documents=self.documents,
            templates=templates,
            groups=self.registry,
            pages=pages,
        )
        self.templates = TemplateOperations(store=kept, jobs=rows, documents=self.documents, pages=pages)
        self.executions = JobExecutionOperations(jobs=self.jobs, store=rows, pages=Pages(Pager(b"key")))
        self.data = JobDataOperations(desk=desk)
        self.topics = JobTopics(desk=desk)
        handlers = JobFollowUps(jobs=self.jobs)
        self.handlers = {
            "job-timeout": handlers.on_timeout,
            "job-rollout": handlers.on_rollout,
            "job-start": handlers.on_start,
            "job-end": handlers.on_end,
            "job-cancellation": handlers.on_cancellation,
            "job-deletion": handlers.on_deletion,
            "job-notice": handlers.on_notice,
            "job-thing-gone": handlers.on_thing_gone,
            "thing-group-membership": handlers.on_membership,
        }

    def create(self, job: str = "j", *, thing: str = "T", group: str | None = None, **members: Any) -> Answer:
        target = f"{ARN}thinggroup/{group}" if group else f"{ARN}thing/{thing}"
        request = {"jobId": job, "targets": [target], "document": '{"do":"it"}', **members}
        if "documentSource" in members:
            del request["document"]
        return self.ask(self.api.create_job, request)

    def ask(self, operation: Callable[[Tx, Request, Caller], Answer], request: Mapping[str, Any]) -> Answer:
        """Run an operation with what is gathered for it before."""
        gathered = asyncio.run(self.sources.gather(request, CALLER))
        return self.store.run(operation, {**request, **gathered})

    def publish(self, topic: str, body: Any = None, *, thing: str = "T") -> Any:
        """Ask as the device does; answer (accepted or rejected, the reply, what was published after it)."""
        *middle, last = topic.split("/")
        method = {
            "get": self.topics.describe if middle else self.topics.get_pending,
            "start-next": self.topics.start_next,
            "update": self.topics.update,
        }[last]
        payload = b"" if body is None else json.dumps(body).encode()
        name = f"$aws/things/{thing}/jobs/{topic}"
        request = TopicRequest(topic=name, parts=(thing, *middle), payload=payload)
        with self.store.tx() as tx:
            answer = method(tx, request, CALLER)
        assert answer.events == ()  # the reply comes first
        ((reply_topic, reply),) = answer.response["replies"]
        assert reply_topic.startswith(name + "/")
        return reply_topic.rsplit("/", 1)[1], json.loads(reply), self.catch_up()

    def switch(self, *kinds: str, caller: Caller = CALLER) -> None:
        """Have these kinds of events told, and no others."""
        self.telling.on_committed(EventsConfigured(account=caller.account, kinds=frozenset(kinds)))

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Answer topic and message of the events that were written down, in order."""
        with self.store.tx() as tx:
            rows = tx.all(select(follow_ups).where(follow_ups.c.kind == EVENT).order_by(follow_ups.c.seq))
        bodies = [json.loads(row.body) for row in rows]
        return [(body["topic"].removeprefix("$aws/events/"), body["message"]) for body in bodies]

    def status(self, job: str = "j", thing: str = "T") -> str:
        answer = self.store.run(self.executions.describe_job_execution, {"jobId": job, "thingName": thing})
        return str(answer.response["execution"]["status"])

    def job(self, job: str = "j") -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self.store.run(self.api.describe_job, {"jobId": job}).response["job"]
        return answer

    def catch_up(self) -> dict[str, Any]:
        """Hand all follow-ups that are due to their handlers."""
        told: dict[str, Any] = {}
        while True:
            with self.store.tx() as tx:
                row = tx.one(select(follow_ups).where(due(tx)).order_by(follow_ups.c.due_at, follow_ups.c.seq))
                if row is None:
                    return told
                found = FollowUp(
                    seq=row.seq,
                    account=row.account,
                    kind=row.kind,
                    key=row.key,
                    due_at=row.due_at,
                    body=json.loads(row.body),
                )
                told |= messages(self.handlers[row.kind](tx, found))
                tx.run(delete(follow_ups).where(follow_ups.c.seq == row.seq))

    def move(self, thing: str, group: str, *, joined: bool) -> dict[str, Any]:
        (self.registry.members[group].add if joined else self.registry.members[group].discard)(thing)
        with self.store.tx() as tx:
            body = {"thing": thing, "group": group, "joined": joined}
            tx.follow_up("thing-group-membership", account=CALLER.account, key=thing, body=body)
        return self.catch_up()


def due(tx: Tx) -> Any:
    """Answer the condition of what is due now, but for events."""
    return (follow_ups.c.due_at <= tx.now) & (follow_ups.c.kind != EVENT)


def messages(answer: Answer) -> dict[str, Any]:
    return {event.topic: json.loads(event.payload) for event in answer.events if isinstance(event, Published)}
