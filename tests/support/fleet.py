"""Shadows, jobs and Greengrass, joined as the cloud joins them, over a store in memory: called by their rows."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select

from hedgerow.api.operations import Way
from hedgerow.cloud.fleet import build_fleet
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.rights import CallerRights
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.standing import OwnAccount
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.groups.model import ThingGroup
from hedgerow.services.iot.registry_events import EVENT, RegistryEvents
from hedgerow.services.iot.things.model import Thing
from hedgerow.services.lambda_.functions import FunctionReader
from hedgerow.services.lambda_.functions.model import Code, Settings, Version
from hedgerow.services.s3.objects import ObjectFlows, ObjectStore
from hedgerow.services.s3.objects.model import Object
from hedgerow.store import Answer, FollowUp, Tx, forbid_in_transaction
from hedgerow.store.tx import follow_ups
from tests.support.clock import FakeClock, FakeIds
from tests.support.jobs import FakeLinks, FakeObjects
from tests.support.store import CALLER, MemoryRun, MemoryStore

DIGEST = "ab" * 32
FUNCTION_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:monitor"


class Functions(FunctionReader):
    """One function, `monitor`, with versions 1 and 2."""

    def __init__(self) -> None:
        pass

    def version(self, tx: Tx, account: str, arn: str) -> Version | None:
        if account != CALLER.account or arn not in (f"{FUNCTION_ARN}:1", f"{FUNCTION_ARN}:2"):
            return None
        number = arn.rsplit(":", 1)[1]
        return Version(
            account=account,
            region=CALLER.region,
            name="monitor",
            version=number,
            settings=Settings(
                runtime="python3.11", role="r", handler="app.handler", description="d", environment={"A": "1"}
            ),
            code=Code(digest=number * 64, size=10),
            modified_at=0.0,
            revision="r",
        )


class Links(ObjectFlows):
    """Links that say what they are to."""

    def __init__(self) -> None:
        pass

    async def link_to_blob(self, account: str, digest: str, size: int, name: str, *, expires_s: int = 3600) -> str:
        forbid_in_transaction("link_to_blob")
        return f"https://s3.example/{account}/{digest}/{name}?size={size}"


async def _everything(caller: Caller) -> OwnAccount:
    return OwnAccount(caller.account)


class FleetBench:
    """The tables of the fleet's subjects, to be called as the shells call them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.stores = Stores()
        self.tables = Tables()
        self.run, ids = MemoryRun(self.store), FakeIds()
        self.telling = RegistryEvents(things=self.stores.things, ids=ids, region=CALLER.region)
        self.fleet = build_fleet(
            tables=self.tables,
            run=self.run,
            clock=self.store.clock,
            ids=ids,
            pager=Pager(b"key"),
            stores=self.stores,
            functions=Functions(),
            objects=Links(),
            rights=CallerRights(grants=_everything, clock=FakeClock(0.0)),
            telling=self.telling,
            job_links=FakeLinks(),
            job_objects=FakeObjects(),
        )
        self.told: dict[str, Any] = {}  # what was published last, by topic

    def call(self, service: str, operation: str, caller: Caller = CALLER, **members: Any) -> Mapping[str, Any]:
        row = self.tables.operations[service, operation]
        request = Request(members)
        if row.way is Way.FLOW:
            before = len(self.run.events)
            response: Mapping[str, Any] = asyncio.run(row.method(request, caller))  # type: ignore[call-arg,arg-type]  # a flow
            assert request.unread() == []
            self.told = _messages(Answer({}, events=tuple(self.run.events[before:])))
            return response
        answer = self.store.run(row.method, members, caller=caller)  # type: ignore[arg-type]  # an operation
        self.told = _messages(answer)
        return answer.response

    def greengrass(self, operation: str, caller: Caller = CALLER, **members: Any) -> Mapping[str, Any]:
        return self.call("greengrassv2", operation, caller, **members)

    def publish(self, topic: str, body: Any, caller: Caller = CALLER) -> dict[str, Any]:
        """Publish as a device; answer the replies and what was published besides, by topic."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        for row in self.tables.topics:
            parts = _matched(row.filter, topic)
            if parts is not None and row.operation is not None:
                with self.store.tx() as tx:
                    answer = row.operation(tx, TopicRequest(topic=topic, parts=parts, payload=payload), caller)
                replies = {name: json.loads(data) for name, data in answer.response["replies"]}
                return replies | _messages(answer)
        raise AssertionError(f"nobody answers {topic}")

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Answer topic and message of the events that were written down, in order."""
        with self.store.tx() as tx:
            rows = tx.all(select(follow_ups).where(follow_ups.c.kind == EVENT).order_by(follow_ups.c.seq))
        bodies = [json.loads(row.body) for row in rows]
        return [(body["topic"].removeprefix("$aws/events/"), body["message"]) for body in bodies]

    def catch_up(self) -> None:
        """Hand all follow-ups that are due to their handlers, but for events."""
        while True:
            with self.store.tx() as tx:
                due = select(follow_ups).where(follow_ups.c.due_at <= tx.now, follow_ups.c.kind != EVENT)
                row = tx.one(due.order_by(follow_ups.c.seq))
                if row is None:
                    return
                found = FollowUp(
                    seq=row.seq,
                    account=row.account,
                    kind=row.kind,
                    key=row.key,
                    due_at=row.due_at,
                    body=json.loads(row.body),
                )
                self.tables.follow_ups[row.kind](tx, found)  # type: ignore[call-arg,arg-type]  # all are operations
                tx.run(delete(follow_ups).where(follow_ups.c.seq == row.seq))

    def add_thing(self, name: str, *groups: str, caller: Caller = CALLER) -> None:
        with self.store.tx() as tx:
            thing = Thing(name=name, id=name, type=None, attributes={}, version=1)
            self.stores.things.add(tx, caller.account, thing)
        for group in groups:
            self.join(name, group, caller=caller)

    def add_group(self, name: str, *line: str, caller: Caller = CALLER) -> None:
        with self.store.tx() as tx:
            group = ThingGroup(
                name=name, id=name, line=line, description=None, attributes={}, version=1, created_at=0.0
            )
            self.stores.groups.add(tx, caller.account, group)

    def join(self, thing: str, group: str, *, caller: Caller = CALLER) -> None:
        with self.store.tx() as tx:
            there = self.stores.groups.get(tx, caller.account, group)
            assert there is not None
            self.stores.groups.join(tx, caller.account, there, thing)
        self.catch_up()

    def add_object(self, bucket: str, key: str, digest: str = DIGEST, *, caller: Caller = CALLER) -> None:
        with self.store.tx() as tx:
            found = Object(
                account=caller.account, bucket=bucket, key=key, digest=digest, size=7, etag='"e"', modified_at=0.0
            )
            ObjectStore().put(tx, found)

    def component(self, name: str, version: str, caller: Caller = CALLER, **members: Any) -> Mapping[str, Any]:
        """Create a component version from a recipe with these members besides the needed ones."""
        return self.greengrass(
            "CreateComponentVersion", caller, inlineRecipe=json.dumps(recipe(name, version, **members)).encode()
        )


def recipe(name: str, version: str, **members: Any) -> dict[str, Any]:
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"run": "sleep 1"}}],
        **members,
    }


def _messages(answer: Answer) -> dict[str, Any]:
    return {event.topic: json.loads(event.payload) for event in answer.events if isinstance(event, Published)}


def _matched(topic_filter: str, topic: str) -> tuple[str, ...] | None:
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if len(wanted) != len(levels) or any(w not in ("+", level) for w, level in zip(wanted, levels, strict=True)):
        return None
    return tuple(level for w, level in zip(wanted, levels, strict=True) if w == "+")
