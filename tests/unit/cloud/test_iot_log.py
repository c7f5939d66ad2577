"""Lines of IoT logs on their way to CloudWatch Logs: whose, in which role, and what is lost."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import cbor2
import pytest
from sqlalchemy import select

from hedgerow.base.errors import AccessDenied, Unavailable
from hedgerow.cloud import iot_log
from hedgerow.cloud.iot_log import IotLog
from hedgerow.cloud.iot_log_lines import IotLogLines
from hedgerow.core.events import LoggingChanged, Published
from hedgerow.core.iotlog import Level, TargetType
from hedgerow.core.paging import Pager
from hedgerow.gateway.activity import TOPIC
from hedgerow.gateway.ports import Admit, Admitted, Asked, Message, NotAdmitted
from hedgerow.services.iot.ca_certificates import FirstConnection, NotProvisioned
from hedgerow.services.iot.groups import GroupStore, ThingGroup
from hedgerow.services.iot.jobs import Status
from hedgerow.services.iot.logging import LoggingOptions, LoggingStore
from hedgerow.services.iot.logging.model import EventConfiguration
from hedgerow.services.logs.groups import LogOperations
from hedgerow.services.logs.groups.store import LogStore
from hedgerow.store import Answer, FollowUp, Tx
from hedgerow.store.tx import follow_ups
from tests.support.clock import FakeClock, FakeIds
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun, MemoryStore

ACCOUNT = CALLER.account
ROLE = "arn:aws:iam::123456789012:role/logging"
PARTS = ("_run", "_clock", "_ids", "_region", "_store", "_groups", "_roles", "_logs")
ALL = frozenset({"logs:PutLogEvents", "logs:CreateLogGroup", "logs:CreateLogStream"})


class FakeRoles:
    def __init__(self) -> None:
        self.allowed = ALL

    def role_allows(self, tx: Tx, account: str, role_arn: str, action: str, resource: str, source: str) -> bool:
        return action in self.allowed and f":{account}:log-group:" in resource


class World:
    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), FakeClock()
        self.options, self.groups, self.roles = LoggingStore(), GroupStore(), FakeRoles()
        self.run = MemoryRun(self.store)
        parts: dict[str, Any] = {"roles": self.roles}
        self.log = IotLog(
            run=self.run,
            clock=self.clock,
            ids=FakeIds(),
            region="eu-central-1",
            store=self.options,
            groups=self.groups,
            logs=LogOperations(pager=Pager(b"k" * 32)),
            **parts,
        )
        self.lines = IotLogLines(self.log)
        self.number = 0

    def configure(
        self,
        default: Level = Level.DISABLED,
        *,
        account: str = ACCOUNT,
        targets: Mapping[tuple[TargetType, str], Level] | None = None,
        **more: Any,
    ) -> None:
        with self.store.tx() as tx:
            options = LoggingOptions(version=more.pop("version", 2), role=ROLE, default=default, **more)
            self.options.put(tx, account, options)
            for target, level in (targets or {}).items():
                self.options.put_level(tx, account, target, level)
            rules = self.options.rules(tx, account)
        assert rules is not None
        self.log.on_event(LoggingChanged(account=account, rules=rules))

    def from_gateway(self, *topics: str, account: str = ACCOUNT, number: int | None = None, lost: int = 0) -> None:
        self.number += 1
        said = [(1.0, 3, "Publish-In", "t", {"topicName": topic}, False) for topic in topics]
        body = ["g/run", self.number if number is None else number, lost, said]
        self.log.on_message(Message(account=account, topic=TOPIC, payload=cbor2.dumps(body)))

    def written(self, group: str = "AWSIotLogsV2", account: str = ACCOUNT) -> list[dict[str, Any]]:
        with self.store.tx() as tx:
            rows = LogStore(tx, account).events_in_group(group, start=0, end=1 << 60, after=(-1, "", 0), count=1000)
        return [json.loads(row.message) for row in rows]

    async def admit(self, client_id: str = "c", thing: str | None = None) -> Admitted:
        variables = {} if thing is None else {"iot:Connection.Thing.ThingName": thing}
        reply = Admitted(account=ACCOUNT, principal="p" * 64, policies=(), variables=variables)
        answer = await self.log.admitted(question(client_id), reply)
        assert isinstance(answer, Admitted)
        return answer


def question(client_id: str = "c") -> Admit:
    return Admit(client_id=client_id, peer="192.0.2.1", server_name=None, certificate=b"")


@pytest.fixture
def world() -> World:
    return World()


async def test_lines_of_a_gateway_are_written_once_though_they_come_twice(world: World) -> None:
    world.configure(Level.INFO)
    world.from_gateway("a", "b", number=1)
    world.from_gateway("a", "b", number=1)
    world.from_gateway("c", number=2)
    await world.log.write()

    assert [one["topicName"] for one in world.written()] == ["a", "b", "c"]


async def test_accounts_do_not_meet(world: World) -> None:
    world.configure(Level.INFO)
    world.configure(Level.INFO, account=OTHER_ACCOUNT.account)
    world.from_gateway("mine")
    world.from_gateway("theirs", account=OTHER_ACCOUNT.account)
    await world.log.write()

    assert [one["topicName"] for one in world.written()] == ["mine"]
    assert [one["topicName"] for one in world.written(account=OTHER_ACCOUNT.account)] == ["theirs"]


@pytest.mark.parametrize("missing", sorted(ALL))
async def test_what_the_role_may_not_write_is_counted_and_said_once(
    world: World, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.configure(Level.INFO)
    world.roles.allowed = ALL - {missing}
    for _ in range(3):
        world.from_gateway("a")
        await world.log.write()

    assert world.written() == []
    assert world.log.statistics()["refused"] == 3
    assert caplog.messages == ["lines of an IoT log were lost"]


async def test_a_role_need_not_make_what_is_there(world: World) -> None:
    world.configure(Level.INFO)
    world.from_gateway("a")
    await world.log.write()
    world.roles.allowed = frozenset({"logs:PutLogEvents"})
    world.from_gateway("b")
    await world.log.write()

    assert [one["topicName"] for one in world.written()] == ["a", "b"]


async def test_the_row_is_bounded_and_what_finds_no_room_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(iot_log, "WAITING", 2)
    world.configure(Level.INFO)
    world.from_gateway("a", "b", "c", lost=4)
    await world.log.write()

    assert [one["topicName"] for one in world.written()] == ["a", "b"]
    assert world.log.statistics()["dropped"] == 5
    assert [record.__dict__["fields"]["no_room"] for record in caplog.records] == [5]


async def test_lines_that_cannot_be_written_now_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(Level.INFO)
    world.from_gateway("a")

    async def fail(*_: object, **__: object) -> Answer:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.run, "write", fail)
        await world.log.write()
    waited = world.log.statistics()["waiting"]
    await world.log.write()

    assert waited == 1
    assert [one["topicName"] for one in world.written()] == ["a"]


async def test_a_type_of_event_goes_to_its_own_group(world: World) -> None:
    world.configure(Level.INFO, events=(EventConfiguration("Publish-In", None, "mine"),))
    world.from_gateway("a")
    await world.log.write()

    assert [one["topicName"] for one in world.written("mine")] == ["a"]


async def test_after_a_restart_the_same_is_wanted(world: World) -> None:
    world.configure(Level.WARN)
    fresh = IotLog(
        **{name.removeprefix("_"): getattr(world.log, name) for name in PARTS},
    )
    before = fresh.is_on(ACCOUNT)
    await fresh.load()

    assert (before, fresh.is_on(ACCOUNT)) == (False, True)
    assert fresh.wanted(ACCOUNT).level is Level.WARN


async def test_nothing_is_wanted_of_anybody_when_nothing_was_set(world: World) -> None:
    answer = await world.admit()

    assert answer.logging is None


async def test_a_client_is_admitted_with_what_is_wanted_of_its_things_group(world: World) -> None:
    with world.store.tx() as tx:
        top = ThingGroup(name="top", id="1", line=(), description=None, attributes={}, version=1, created_at=0.0)
        low = ThingGroup(name="low", id="2", line=("top",), description=None, attributes={}, version=1, created_at=0.0)
        for group in (top, low):
            world.groups.add(tx, ACCOUNT, group)
        world.groups.join(tx, ACCOUNT, low, "pump")
    world.configure(targets={(TargetType.THING_GROUP, "top"): Level.DEBUG})

    inside, outside = await world.admit("in", "pump"), await world.admit("out", "other")

    assert (inside.logging and inside.logging.level, outside.logging) == (Level.DEBUG, None)
    assert world.log.wanted(ACCOUNT, client_id="in").level is Level.DEBUG
    assert world.log.wanted(ACCOUNT, client_id="out").level is Level.DISABLED


async def test_whose_certificate_is_of_no_use_is_told_to_its_account(world: World) -> None:
    world.configure(Level.ERROR)
    refused = NotAdmitted(reason="DEVICE_CERTIFICATE_INACTIVE", detail="why", account=ACCOUNT, principal="p")
    await world.log.admitted(question(), refused)
    await world.log.admitted(question(), NotAdmitted(reason="NOT_AUTHENTICATED", detail="nobody's"))
    await world.log.write()

    (said,) = world.written()
    assert (said["eventType"], said["status"], said["reason"]) == ("Connect", "Failure", "DEVICE_CERTIFICATE_INACTIVE")


def asked(topic: str, payload: bytes = b"{}") -> Asked:
    return Asked(message=Message(account=ACCOUNT, topic=topic, payload=payload, client_id="c", principal="p"))


@pytest.mark.parametrize(
    ("topic", "event", "field"),
    [
        ("$aws/things/t/shadow/get", "GetThingShadow", ("deviceShadowName", "t")),
        ("$aws/things/t/shadow/name/n/delete", "DeleteThingShadow", ("deviceShadowName", "n")),
        ("$aws/things/t/jobs/get", "GetPendingJobExecution", ("clientId", "c")),
        ("$aws/things/t/jobs/start-next", "StartNextPendingJobExecution", ("clientId", "c")),
        ("$aws/things/t/jobs/j/get", "DescribeJobExecution", ("jobId", "j")),
        ("$aws/things/t/jobs/j/namespace-n/update", "UpdateJobExecution", ("jobId", "j")),
        ("$aws/certificates/create/json", "GetDeviceCredentials", ("clientId", "c")),
        ("$aws/provisioning-templates/x/provision/json", "ProvisionDevice", ("provisioningTemplateName", "x")),
    ],
)
async def test_requests_by_topic_have_their_own_types_of_events(
    world: World, topic: str, event: str, field: tuple[str, str]
) -> None:
    world.configure(Level.DEBUG)
    world.lines.asked(asked(topic), Answer({"replies": ((topic + "/accepted", b"{}"),)}))
    await world.log.write()

    (said,) = world.written()
    assert (said["eventType"], said["status"], said["topicName"]) == (event, "Success", topic)
    assert said[field[0]] == field[1]


@pytest.mark.parametrize("way", ["reply", "message"])
async def test_a_request_that_was_refused_says_so_as_an_error(world: World, way: str) -> None:
    world.configure(Level.ERROR)
    topic, body = "$aws/things/t/shadow/update", b'{"code": 409, "message": "Version conflict"}'
    told = Published(account=ACCOUNT, topic=topic + "/rejected", payload=body)
    answers: Sequence[Answer] = [Answer({"replies": ((topic + "/rejected", body),)}), Answer({}, (told,))]
    world.lines.asked(asked(topic), answers[way == "message"])
    world.lines.asked(asked(topic), Answer({}))
    await world.log.write()

    (said,) = world.written()
    assert (said["status"], said["reason"], said["details"]) == ("Failure", "409", "Version conflict")


async def test_a_new_certificate_is_named_and_no_key_is(world: World) -> None:
    world.configure(Level.INFO)
    topic = "$aws/certificates/create/cbor"
    reply = cbor2.dumps({"certificateId": "abc", "privateKey": "secret", "certificateOwnershipToken": "token"})
    world.lines.asked(asked(topic, cbor2.dumps({})), Answer({"replies": ((topic + "/accepted", reply),)}))
    await world.log.write()

    (said,) = world.written()
    assert said["deviceCertificateId"] == "abc"
    assert "secret" not in json.dumps(said)
    assert "token" not in json.dumps(said)


async def test_basic_ingest_names_a_rule_that_is_not_there(world: World) -> None:
    world.configure(Level.ERROR)
    world.lines.matched(Message(account=ACCOUNT, topic="$aws/rules/none/a", payload=b""), [], "t")
    await world.log.write()

    (said,) = world.written()
    assert (said["eventType"], said["ruleName"], said["traceId"]) == ("RuleNotFound", "none", "t")


async def test_a_denied_call_by_http_is_told_as_one(world: World) -> None:
    world.configure(Level.ERROR)
    world.lines.answered("iot-data", "UpdateThingShadow", CALLER, {"thingName": "a"}, AccessDenied("no statement"))
    await world.log.write()

    (said,) = world.written()
    assert (said["status"], said["reason"], said["details"]) == ("Failure", "AUTHORIZATION_FAILURE", "no statement")


async def test_calls_by_http_are_told(world: World) -> None:
    world.configure(Level.INFO)
    world.lines.answered("iot-data", "Publish", CALLER, {"topic": "a", "payload": b"secret"}, None)
    world.lines.answered("iot", "CreateThing", CALLER, {"thingName": "a"}, None)
    await world.log.write()

    (said,) = world.written()
    assert (said["eventType"], said["protocol"], said["topicName"]) == ("Publish-In", "HTTP", "a")
    assert "secret" not in json.dumps(said)


async def test_a_completed_job_tells_how_its_executions_ended(world: World) -> None:
    world.configure(Level.INFO)
    with world.store.tx() as tx:
        world.lines.job_completed(tx, ACCOUNT, "j", {Status.SUCCEEDED: 2, Status.FAILED: 1})
        world.lines.job_completed(tx, OTHER_ACCOUNT.account, "j", {})
        rows = tx.all(select(follow_ups))
    for row in rows:
        body = json.loads(row.body)
        await world.lines.on_line(FollowUp(seq=1, account=row.account, kind=row.kind, key=row.key, due_at=0, body=body))
    await world.log.write()

    (said,) = world.written()
    assert (said["eventType"], said["jobId"]) == ("ReportFinalJobExecutionCount", "j")
    assert "FAILED job execution count: 1 SUCCEEDED job execution count: 2 CANCELED" in said["details"]
    assert len(rows) == 1


async def test_a_message_that_finds_no_room_is_told_of_each_rule(world: World) -> None:
    world.configure(Level.ERROR)
    world.lines.throttled(Message(account=ACCOUNT, topic="a", payload=b""), ["one", "two"])
    await world.log.write()

    assert [(said["eventType"], said["ruleName"], said["status"]) for said in world.written()] == [
        ("RuleMessageThrottled", "one", "Failure"),
        ("RuleMessageThrottled", "two", "Failure"),
    ]


@pytest.mark.parametrize(
    ("why_not", "level", "more"),
    [
        (None, "INFO", {}),
        (
            NotProvisioned("AccessDenied", "no rights"),
            "ERROR",
            {"reason": "AccessDenied", "details": "no rights"},
        ),
    ],
)
async def test_first_connections_are_told_however_they_end(
    world: World, why_not: NotProvisioned | None, level: str, more: dict[str, str]
) -> None:
    world.configure(Level.INFO)
    outcome = FirstConnection(
        account=ACCOUNT, certificate_id="c" * 64, address="192.0.2.1", template="factory", why_not=why_not
    )

    world.lines.first_connection(outcome)
    await world.log.write()

    (line,) = world.written()
    wanted = {
        "eventType": "ProvisionDevice",
        "logLevel": level,
        "deviceCertificateId": "c" * 64,
        "provisioningTemplateName": "factory",
        "sourceIp": "192.0.2.1",
        **more,
    }
    assert wanted.items() <= line.items()
