import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from hedgerow.base.errors import NotImplementedYet, ServiceError, Unavailable
from hedgerow.core.events import RulesChanged
from hedgerow.core.paging import Pager
from hedgerow.core.rulesql import Message, SqlParseError
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.rules import ActionFailed, ActionFlows, CompiledRule, Job, RuleOperations, TopicRule
from hedgerow.services.iot.rules.model import Failure
from hedgerow.store import FollowUp
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

ROLE = "arn:aws:iam::123456789012:role/rules"
LOGS = {"cloudwatchLogs": {"roleArn": ROLE, "logGroupName": "/faults"}}
PAYLOAD: dict[str, Any] = {"sql": "SELECT * FROM 'sites/+/faults'", "actions": [LOGS]}


class TrustedRoles:
    def assumable(self, tx: object, account: str, role_arn: str, service: str, source: str) -> bool:
        return role_arn == ROLE

    async def allows(self, account: str, role_arn: str, action: str, resource: str, source: str) -> bool:
        return role_arn == ROLE


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.engine.dispose()


@pytest.fixture
def rules() -> RuleOperations:
    return RuleOperations(pages=Pages(Pager(b"key")), roles=TrustedRoles())


def create(store: MemoryStore, rules: RuleOperations, name: str = "faults", **payload: Any) -> Any:
    return store.run(rules.create_topic_rule, {"ruleName": name, "topicRulePayload": {**PAYLOAD, **payload}})


@pytest.mark.spec("JB-37")
def test_a_rule_comes_back_as_it_was_made(store: MemoryStore, rules: RuleOperations) -> None:
    answer = create(store, rules, awsIotSqlVersion="2016-03-23", description="kept")

    rule = store.run(rules.get_topic_rule, {"ruleName": "faults"}).response["rule"]

    assert answer.events == (RulesChanged(account=CALLER.account),)
    assert (rule["sql"], rule["actions"], rule["description"]) == (PAYLOAD["sql"], [LOGS], "kept")


def test_a_rule_that_is_missing_is_answered_as_aws_does(store: MemoryStore, rules: RuleOperations) -> None:
    with pytest.raises(ServiceError, match="was denied") as caught:
        store.run(rules.get_topic_rule, {"ruleName": "faults"})

    assert caught.value.code == "UnauthorizedException"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"sql": "SELECT FROM"}, SqlParseError, "Unexpected"),
        ({"actions": [{"s3": {"bucketName": "b"}}]}, NotImplementedYet, "s3 is not there yet"),
        ({"actions": [{"lambda": {}, "http": {}}]}, ServiceError, "exactly one"),
        ({"actions": [{"cloudwatchLogs": {"roleArn": "arn:x", "logGroupName": "g"}}]}, ServiceError, "does not trust"),
        ({"actions": [{"republish": {"roleArn": ROLE, "topic": "sites/a/faults"}}]}, ServiceError, "topic space"),
        ({"actions": [{"republish": {"roleArn": ROLE, "topic": "$aws/x"}}]}, ServiceError, r"\$\$aws"),
        ({"actions": [{"republish": {"roleArn": ROLE, "topic": "$$aws/events/a"}}]}, ServiceError, "cloud's own"),
        ({"actions": [{"http": {"url": "https://a/${x}"}}]}, ServiceError, "confirmationUrl"),
        ({"actions": [LOGS] * 11}, ServiceError, "at most 10"),
        ({"actions": [{"lambda": {"functionArn": "${"}}]}, SqlParseError, "closed"),
    ],
)
@pytest.mark.spec("JB-37")
def test_a_rule_that_cannot_work_is_refused_whole(
    store: MemoryStore, rules: RuleOperations, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        create(store, rules, **change)

    assert store.run(rules.list_topic_rules).response["rules"] == []


def test_rules_are_listed_by_the_topic_they_select(store: MemoryStore, rules: RuleOperations) -> None:
    create(store, rules, "faults")
    create(store, rules, "other", sql="SELECT * FROM 'other'")

    answer = store.run(rules.list_topic_rules, {"topic": "sites/a/faults"}).response

    assert [rule["ruleName"] for rule in answer["rules"]] == ["faults"]


@pytest.mark.spec("JB-37", "DR-45")
def test_a_disabled_rule_is_not_run(store: MemoryStore, rules: RuleOperations) -> None:
    create(store, rules)
    store.run(rules.disable_topic_rule, {"ruleName": "faults"})

    with store.tx() as tx:
        enabled = rules.enabled(tx, CALLER.account)

    assert enabled == []


def test_two_accounts_with_the_same_rule_name_do_not_meet(store: MemoryStore, rules: RuleOperations) -> None:
    create(store, rules)

    assert store.run(rules.list_topic_rules, {}, OTHER_ACCOUNT).response["rules"] == []


def topic_rule(*actions: dict[str, Any], error_action: dict[str, Any] | None = None) -> CompiledRule:
    return CompiledRule(
        TopicRule(
            name="r",
            sql="SELECT fault FROM 'sites/+/faults' WHERE state = 'raised'",
            version="2016-03-23",
            description="",
            actions=actions,
            error_action=error_action,
            disabled=False,
            created_at=0,
        )
    )


def message(**payload: Any) -> Message:
    return Message(topic="sites/north/faults", payload=json.dumps(payload).encode(), account="1", now_ms=7)


def test_a_match_makes_a_job_with_its_templates_filled_in() -> None:
    rule = topic_rule({"cloudwatchLogs": {"roleArn": ROLE, "logGroupName": "/${topic(2)}"}})

    (job,), failures = rule.jobs(message(state="raised", fault="hot"))

    assert (job.values["logGroupName"], job.payload, failures) == ("/north", b'{"fault":"hot"}', [])


@pytest.mark.spec("DR-45")
def test_a_message_that_where_rejects_makes_none() -> None:
    assert topic_rule(LOGS).jobs(message(state="cleared")) == ([], [])


def test_a_template_without_a_value_fails_that_action_alone() -> None:
    rule = topic_rule({"cloudwatchLogs": {"roleArn": ROLE, "logGroupName": "/${missing}"}}, LOGS)

    jobs, failures = rule.jobs(message(state="raised"))

    assert ([job.values["logGroupName"] for job in jobs], len(failures)) == (["/faults"], 1)


@pytest.mark.spec("BS-30")
def test_what_failed_is_handed_to_the_error_action() -> None:
    rule = topic_rule(LOGS, error_action=LOGS)
    (job,), _ = rule.jobs(message(state="raised"))

    error_job = rule.error_job(message(state="raised"), [Failure(job, "no room")])

    assert error_job is not None
    assert error_job.on_error
    document = json.loads(error_job.payload)
    assert document["failures"] == [
        {"failedAction": "CloudwatchLogsAction", "failedResource": "/faults", "errorMessage": "no room"}
    ]


def test_a_job_survives_its_time_on_disk() -> None:
    (job,), _ = topic_rule(LOGS).jobs(message(state="raised", fault="é"))

    assert Job.from_body(json.loads(json.dumps(job.to_body()))) == job


class Recorder:
    """Every port of the actions; `fail` makes the next call fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail: Exception | None = None

    async def invoke(self, *arguments: Any) -> None:
        self._call("invoke", *arguments)

    async def post(self, account: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self._call("post", account, url, list(headers), body)

    async def publish(self, *arguments: Any, **named: Any) -> None:
        self._call("publish", *arguments, named["qos"], named["rule"])

    async def put_value(self, *arguments: Any) -> None:
        self._call("put_value", *arguments)

    def append(self, *arguments: Any) -> None:
        self._call("append", *arguments)

    def _call(self, *call: Any) -> None:
        if self.fail is not None:
            raise self.fail
        self.calls.append(call)


@pytest.fixture
def ports() -> Recorder:
    return Recorder()


@pytest.fixture
def actions(store: MemoryStore, ports: Recorder) -> ActionFlows:
    class NoRun:
        async def write(self, operation: Any, *, lane: str = "") -> Any:
            with store.tx() as tx:
                return operation(tx)

        async def read(self, query: Any) -> Any:
            with store.tx() as tx:
                return query(tx)

    return ActionFlows(
        run=NoRun(),
        clock=store.clock,
        region="eu-central-1",
        roles=TrustedRoles(),
        functions=ports,
        webhooks=ports,
        messages=ports,
        logs=ports,
        metrics=ports,
    )


def job(kind: str, **values: Any) -> Job:
    return Job(
        rule="r", kind=kind, values=values, payload=b"{}", topic="t", original=b"{}", client_id="c", trace_id="x"
    )


async def do(actions: ActionFlows, made: Job) -> None:
    await actions.do("123456789012", made)


def run(coroutine: Any) -> None:
    import asyncio

    asyncio.run(coroutine)


@pytest.mark.spec("JB-03")
def test_a_metric_goes_to_its_namespace(actions: ActionFlows, ports: Recorder) -> None:
    metric = job(
        "cloudwatchMetric", roleArn=ROLE, metricName="t", metricNamespace="N", metricUnit="None", metricValue="4.5"
    )

    run(do(actions, metric))

    assert ports.calls == [("put_value", "123456789012", "N", "t", "None", 4.5, 1_800_000_000.0)]


def test_a_metric_that_is_no_number_fails_for_good(actions: ActionFlows) -> None:
    metric = job(
        "cloudwatchMetric", roleArn=ROLE, metricName="t", metricNamespace="N", metricUnit="None", metricValue="hot"
    )

    with pytest.raises(ActionFailed, match="hot"):
        run(do(actions, metric))


def test_a_role_without_the_right_is_named(actions: ActionFlows, ports: Recorder) -> None:
    with pytest.raises(ActionFailed, match=r"iot:Publish on arn:aws:iot:eu-central-1:123456789012:topic/x"):
        run(do(actions, job("republish", roleArn="arn:other", topic="x")))

    assert ports.calls == []


def test_what_a_template_makes_an_event_is_not_republished(actions: ActionFlows, ports: Recorder) -> None:
    with pytest.raises(ActionFailed, match="cloud's own"):
        run(do(actions, job("republish", roleArn=ROLE, topic="$$aws/events/thing/a/created", qos=1)))

    assert ports.calls == []


def test_two_dollars_mean_one_when_republishing(actions: ActionFlows, ports: Recorder) -> None:
    run(do(actions, job("republish", roleArn=ROLE, topic="$$aws/things/a/shadow/update", qos=1)))

    assert ports.calls == [("publish", "123456789012", "$aws/things/a/shadow/update", b"{}", 1, "r")]


def test_a_batch_of_log_events_keeps_its_times(actions: ActionFlows, ports: Recorder) -> None:
    batch = job("cloudwatchLogs", roleArn=ROLE, logGroupName="g", batchMode=True)
    made = Job(
        **{**{name: getattr(batch, name) for name in Job.__slots__}, "payload": b'[{"timestamp":5,"message":"m"}]'}
    )

    run(do(actions, made))

    assert ports.calls[0][-1] == [(5, "m")]


def follow_up(made: Job, attempts: int) -> FollowUp:
    return FollowUp(
        seq=1, account="123456789012", kind="rule-action", key="r/0", due_at=0, body=made.to_body(), attempts=attempts
    )


def test_a_webhook_that_is_away_is_tried_again(actions: ActionFlows, ports: Recorder) -> None:
    ports.fail = Unavailable("503")

    with pytest.raises(Unavailable):
        run(actions.on_rule_action(follow_up(job("http", url="https://x"), attempts=0)))


def test_after_the_last_try_the_failure_is_handed_on(actions: ActionFlows, ports: Recorder) -> None:
    ports.fail = Unavailable("503")
    seen: list[str] = []

    async def on_failure(account: str, failed: Job, reason: str) -> None:
        seen.append(reason)

    actions.on_failure = on_failure

    run(actions.on_rule_action(follow_up(job("http", url="https://x"), attempts=2)))

    assert seen == ["503"]
