"""Doing the actions of topic rules: one method per kind, over ports.

Metrics, logs and republished messages are stored by the action itself, so a message is acknowledged after them.
Functions and webhooks wait on disk as follow-ups (`rule-action`) and are done from there: at least once, in order per
rule and action, with what failed for good handed to the rule's error action.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError, Unavailable
from hedgerow.base.log import get_logger
from hedgerow.core.arn import arn
from hedgerow.services.iot.rules.model import EVENTS, Job
from hedgerow.store import Answer, FollowUp, Run, Tx

log = get_logger("rules")

FOLLOW_UP: Final = "rule-action"
LATER: Final = frozenset({"lambda", "http"})
TRIES: Final = 3
MAX_HOPS: Final = 10
LOG_STREAM: Final = "iot-rule"

#: what a role must allow for an action of its own: kind → (action, resource)
RIGHTS: Final[Mapping[str, tuple[str, Callable[[str, str, Mapping[str, Any]], str]]]] = {
    "republish": ("iot:Publish", lambda r, a, v: arn("iot", r, a, f"topic/{_topic(v)}")),
    "cloudwatchLogs": (
        "logs:PutLogEvents",
        lambda r, a, v: arn("logs", r, a, f"log-group:{v['logGroupName']}:log-stream:{LOG_STREAM}"),
    ),
    "cloudwatchMetric": ("cloudwatch:PutMetricData", lambda r, a, v: "*"),
}


OnFailure = Callable[[str, Job, str], Awaitable[None]]
OnEnd = Callable[[str, Job, str | None], None]


class ActionFailed(HedgerowError):
    """An action that cannot be done, with the reason."""


class Roles(Protocol):
    """What actions need to know of roles."""

    async def allows(self, account: str, role_arn: str, action: str, resource: str, source: str) -> bool:
        """Tell whether the role trusts AWS IoT, which acts for `source`, and its policies allow the action."""
        ...


class Functions(Protocol):
    """What the lambda action needs."""

    async def invoke(self, account: str, function_arn: str, payload: bytes, source_arn: str) -> None:
        """Hand an event to a function (asynchronous invocation); raise HedgerowError when it does not take it."""
        ...


class Webhooks(Protocol):
    """What the http action needs."""

    async def post(self, account: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Post to a confirmed destination; Unavailable when trying again can help, ActionFailed when it cannot."""
        ...


class Messages(Protocol):
    """What the republish action needs."""

    async def publish(self, account: str, topic: str, payload: bytes, *, qos: int, rule: str, hops: int) -> None:
        """Publish, and answer when it is stored wherever it must be; `hops` counts the rules on its way."""
        ...


class Logs(Protocol):
    """What the cloudwatchLogs action needs."""

    def append(self, tx: Tx, account: str, group: str, stream: str, messages: Sequence[tuple[int, str]]) -> None:
        """Add events (time in milliseconds, message) to a group, made when absent."""
        ...


class Metrics(Protocol):
    """What the cloudwatchMetric action needs."""

    async def put_value(self, account: str, namespace: str, name: str, unit: str, value: float, at: float) -> None:
        """Store one value; `at` in seconds."""
        ...


async def _unheard(account: str, job: Job, reason: str) -> None:
    """Nobody listens for failures yet; they are logged all the same."""


def _unnoticed(account: str, job: Job, failure: str | None) -> None:
    """Nobody keeps a log of actions."""


class ActionFlows:
    """Does jobs. `on_failure` hands a failure to the rule's error action; the engine, which knows rules, sets it.

    `on_end` hears of each job that is done, or failed for good, with the reason; it never waits.
    """

    def __init__(
        self,
        *,
        run: Run,
        clock: Clock,
        region: str,
        roles: Roles,
        functions: Functions,
        webhooks: Webhooks,
        messages: Messages,
        logs: Logs,
        metrics: Metrics,
    ) -> None:
        self._run = run
        self._clock = clock
        self._region = region
        self._roles = roles
        self._functions = functions
        self._webhooks = webhooks
        self._messages = messages
        self._logs = logs
        self._metrics = metrics
        self.on_failure: OnFailure = _unheard
        self.on_end: OnEnd = _unnoticed
        self._kinds = {
            "lambda": self._lambda,
            "http": self._http,
            "republish": self._republish,
            "cloudwatchLogs": self._cloudwatch_logs,
            "cloudwatchMetric": self._cloudwatch_metric,
        }

    async def do(self, account: str, job: Job) -> None:
        """Do a job now; raise ActionFailed when it cannot be done, Unavailable when trying again can help."""
        if job.kind in RIGHTS:
            action, resource = RIGHTS[job.kind]
            await self._check_role(account, job, action, resource(self._region, account, job.values))
        await self._kinds[job.kind](account, job)

    def put_aside(self, tx: Tx, account: str, index: int, job: Job) -> None:
        """Write a job down to be done from disk; jobs of one rule and index keep their order."""
        key = f"{job.rule}/{'error' if job.on_error else index}"
        tx.follow_up(FOLLOW_UP, account=account, key=key, body=job.to_body())

    async def on_rule_action(self, row: FollowUp) -> None:
        """Do a job from disk; after the last try it goes to the log and to `failed`."""
        job = Job.from_body(row.body)
        try:
            await self.do(row.account, job)
        except Unavailable as error:
            if row.attempts + 1 < TRIES:
                raise
            await self._failed(row.account, job, str(error))
        except HedgerowError as error:
            await self._failed(row.account, job, str(error))
        else:
            self.on_end(row.account, job, None)

    async def _failed(self, account: str, job: Job, reason: str) -> None:
        log.warning(
            "rule action failed",
            extra={"fields": {"account": account, "rule": job.rule, "action": job.kind, "cause": reason}},
        )
        self.on_end(account, job, reason)
        if not job.on_error:
            await self.on_failure(account, job, reason)

    async def _check_role(self, account: str, job: Job, action: str, resource: str) -> None:
        role = job.values["roleArn"]
        if not await self._roles.allows(account, role, action, resource, self._source(account, job)):
            raise ActionFailed(f"the role {role} does not allow {action} on {resource}, or does not trust AWS IoT")

    async def _lambda(self, account: str, job: Job) -> None:
        await self._functions.invoke(account, job.values["functionArn"], job.payload, self._source(account, job))

    def _source(self, account: str, job: Job) -> str:
        return arn("iot", self._region, account, f"rule/{job.rule}")

    async def _http(self, account: str, job: Job) -> None:
        headers = [(key, value) for key, value in job.values.get("headers", ())]
        if not any(key.lower() == "content-type" for key, _ in headers):
            headers.append(("Content-Type", "application/json"))
        await self._webhooks.post(account, job.values["url"], headers, job.payload)

    async def _republish(self, account: str, job: Job) -> None:
        if job.hops > MAX_HOPS:
            raise ActionFailed(f"the message was republished by rules {MAX_HOPS} times in a row: they form a loop")
        qos = job.values.get("qos", 0)
        await self._messages.publish(account, _topic(job.values), job.payload, qos=qos, rule=job.rule, hops=job.hops)

    async def _cloudwatch_logs(self, account: str, job: Job) -> None:
        events = _log_events(job, int(self._clock.now() * 1000))

        def work(tx: Tx) -> Answer:
            self._logs.append(tx, account, job.values["logGroupName"], LOG_STREAM, events)
            return Answer()

        await self._run.write(work)

    async def _cloudwatch_metric(self, account: str, job: Job) -> None:
        values = job.values
        try:
            value = float(values["metricValue"])
            at = float(values["metricTimestamp"]) if "metricTimestamp" in values else self._clock.now()
        except ValueError as error:
            raise ActionFailed(f"metricValue and metricTimestamp must be numbers: {error}") from error
        await self._metrics.put_value(
            account, values["metricNamespace"], values["metricName"], values["metricUnit"], value, at
        )


def _topic(values: Mapping[str, Any]) -> str:
    topic = str(values["topic"])
    topic = topic[1:] if topic.startswith("$$") else topic
    if topic.startswith(EVENTS):
        raise ActionFailed(f"a rule cannot republish to {topic}: events are the cloud's own to tell")
    return topic


def _log_events(job: Job, now_ms: int) -> Sequence[tuple[int, str]]:
    text = job.payload.decode("utf-8", "replace")
    if not job.values.get("batchMode", False):
        return [(now_ms, text)]
    try:
        return [(int(entry["timestamp"]), str(entry["message"])) for entry in json.loads(text)]
    except (TypeError, KeyError, ValueError) as error:
        raise ActionFailed(
            "with batchMode the payload must be an array of objects with timestamp (milliseconds) and message"
        ) from error
