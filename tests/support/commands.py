"""Commands on a store in memory, joined as the cloud joins them."""

import json
from collections.abc import Mapping
from typing import Any

import cbor2
from sqlalchemy import delete, select

from hedgerow.base.steady import Steady
from hedgerow.cloud.commanding import build_commands
from hedgerow.cloud.rows import Tables
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.core.paging import Pager
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.things import Thing, ThingStore
from hedgerow.store import Answer, FollowUp
from hedgerow.store.tx import follow_ups
from tests.support.clock import FakeIds
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

ARN = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:"
LAMP = f"{ARN}thing/lamp"
TEMPLATE = json.dumps(
    {
        "level": "${aws:iot:commandexecution::parameter:level}",
        "note": "up to ${aws:iot:commandexecution::executionTimeoutSec} s",
    }
)
LEVEL: Mapping[str, Any] = {
    "name": "level",
    "type": "INTEGER",
    "defaultValue": {"I": 5},
    "valueConditions": [{"comparisonOperator": "IN_RANGE", "operand": {"numberRange": {"min": "0", "max": "9"}}}],
}


class Bench:
    """Everything that there is about commands, called by the names of AWS's operations."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.tables, things = Tables(), ThingStore()
        steady = Steady(clock=self.store.clock, ids=FakeIds())
        build_commands(tables=self.tables, ids=FakeIds(), pages=Pages(Pager(b"key")), things=things, steady=steady)
        with self.store.tx() as tx:
            for account in (CALLER.account, OTHER_ACCOUNT.account):
                things.add(tx, account, Thing(name="lamp", id="1", type=None, attributes={}, version=1))

    def answer(self, operation: str, caller: Caller = CALLER, **request: Any) -> Answer:
        """Call an operation."""
        service = "iot-jobs-data" if operation == "StartCommandExecution" else "iot"
        method: Any = self.tables.operations[service, operation].method
        return self.store.run(method, request, caller)

    def call(self, operation: str, caller: Caller = CALLER, **request: Any) -> Mapping[str, Any]:
        """Call an operation; answer its response."""
        return self.answer(operation, caller, **request).response

    def command(self, name: str = "blink", content: bytes = b'{"do": "it"}', kind: str = "application/json") -> None:
        """Make a command whose payload is fixed."""
        self.call("CreateCommand", commandId=name, payload={"content": content, "contentType": kind})

    def template(self, *parameters: Mapping[str, Any], template: str = TEMPLATE, output: str = "JSON") -> None:
        """Make the command `set`, whose payload is filled in."""
        self.call(
            "CreateCommand",
            commandId="set",
            payloadTemplate=template,
            preprocessor={"awsJsonSubstitution": {"outputFormat": output}},
            mandatoryParameters=list(parameters or (LEVEL,)),
        )

    def start(self, name: str = "blink", target: str = LAMP, **more: Any) -> tuple[str, Published, Published]:
        """Start a command; answer the execution's id, what the device gets and what everyone may hear."""
        answer = self.answer("StartCommandExecution", targetArn=target, commandArn=f"{ARN}command/{name}", **more)
        sent, told = answer.events
        assert isinstance(sent, Published)
        assert isinstance(told, Published)
        return answer.response["executionId"], sent, told

    def get(self, execution: str, target: str = LAMP) -> Mapping[str, Any]:
        return self.call("GetCommandExecution", executionId=execution, targetArn=target, includeResult=True)

    def report(
        self, execution: str, body: Any, *, device: str = "things/lamp", ending: str = "/json", caller: Caller = CALLER
    ) -> tuple[str, Mapping[str, Any], Answer]:
        """Report as the device does; answer (accepted or rejected, the reply, the whole answer)."""
        topic = f"$aws/commands/{device}/executions/{execution}/response{ending}"
        payload = body if isinstance(body, bytes) else (cbor2 if ending == "/cbor" else _Text).dumps(body)
        row = next(row for row in self.tables.topics if row.filter.endswith(f"response{ending}"))
        parts = (*device.split("/"), execution)
        assert row.operation is not None
        with self.store.tx() as tx:
            answer = row.operation(tx, TopicRequest(topic=topic, parts=parts, payload=payload), caller)
        ((reply_topic, reply),) = answer.response["replies"]
        word = reply_topic.removesuffix(ending).rpartition("/")[2]
        assert reply_topic == f"$aws/commands/{device}/executions/{execution}/response/{word}{ending}"
        return word, (cbor2 if ending == "/cbor" else json).loads(reply), answer

    def later(self, seconds: float) -> list[Published]:
        """Let time pass, and do what is due by then; answer what was published."""
        self.store.clock.advance(seconds)
        told: list[Published] = []
        with self.store.tx() as tx:
            rows = tx.all(select(follow_ups).where(follow_ups.c.due_at <= tx.now).order_by(follow_ups.c.due_at))
            for row in rows:
                found = FollowUp(
                    seq=row.seq,
                    account=row.account,
                    kind=row.kind,
                    key=row.key,
                    due_at=row.due_at,
                    body=json.loads(row.body),
                )
                handler: Any = self.tables.follow_ups[row.kind]
                told += handler(tx, found).events
                tx.run(delete(follow_ups).where(follow_ups.c.seq == row.seq))
        return told


class _Text:
    @staticmethod
    def dumps(body: Any) -> bytes:
        return json.dumps(body).encode()
