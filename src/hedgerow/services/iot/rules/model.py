"""What a topic rule is, and what its statement and templates make of a message: jobs for its actions.

A job holds plain values only, so it can wait on disk. Templates are evaluated against the original message, as in AWS.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.core.request import Request
from hedgerow.core.rulesql import UNDEFINED, Message, Rule, Scope, Template, compile_rule, compile_template
from hedgerow.core.rulesql.values import Undefined
from hedgerow.services.iot.rules.errors import ActionRefused, InvalidAction

MAX_ACTIONS: Final = 10
EVENTS: Final = "$aws/events/"  # nobody publishes there but the cloud itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The members of one kind of action: those with substitution templates, those taken as they are."""

    templates: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    resource: str  # the member that the error document names


SHAPES: Final = {
    "lambda": Shape(templates=("functionArn",), resource="functionArn"),
    "republish": Shape(templates=("topic",), plain=("roleArn", "qos"), resource="topic"),
    "http": Shape(templates=("url",), plain=("confirmationUrl", "headers"), resource="url"),
    "cloudwatchLogs": Shape(templates=("logGroupName",), plain=("roleArn", "batchMode"), resource="logGroupName"),
    "cloudwatchMetric": Shape(
        templates=("metricName", "metricNamespace", "metricUnit", "metricValue", "metricTimestamp"),
        plain=("roleArn",),
        resource="metricName",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRule:
    """One rule; `actions` and `error_action` as AWS spells them. `created_at` in seconds."""

    name: str
    sql: str
    version: str
    description: str
    actions: tuple[Mapping[str, Any], ...]
    error_action: Mapping[str, Any] | None
    disabled: bool
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One action to be done for one message."""

    rule: str
    kind: str
    values: Mapping[str, Any]  # the action's members, templates filled in
    payload: bytes
    topic: str
    original: bytes
    client_id: str
    trace_id: str
    on_error: bool = False  # this is the error action itself
    hops: int = 0  # how often the message was republished by rules
    principal: str = ""  # of the publisher

    def resource(self) -> str:
        """Answer what the error document calls the failed resource."""
        return str(self.values.get(SHAPES[self.kind].resource, ""))

    def to_body(self) -> dict[str, Any]:
        """Answer the form that waits on disk."""
        return {
            "rule": self.rule,
            "kind": self.kind,
            "values": dict(self.values),
            "payload": base64.b64encode(self.payload).decode(),
            "topic": self.topic,
            "original": base64.b64encode(self.original).decode(),
            "client_id": self.client_id,
            "trace_id": self.trace_id,
            "on_error": self.on_error,
            "hops": self.hops,
            "principal": self.principal,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Job":
        """Read what `to_body` wrote."""
        return cls(
            **{**body, "payload": base64.b64decode(body["payload"]), "original": base64.b64decode(body["original"])}
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that could not be done, for the error action's document."""

    job: Job
    reason: str


class CompiledAction:
    """An action with its templates compiled."""

    def __init__(self, action: Mapping[str, Any]) -> None:
        ((self.kind, members),) = action.items()
        shape = SHAPES[self.kind]
        self._plain = {name: members[name] for name in shape.plain if name in members and name != "headers"}
        self._templates = {name: compile_template(members[name]) for name in shape.templates if name in members}
        self._headers = [(header["key"], compile_template(header["value"])) for header in members.get("headers", ())]

    def values(self, scope: Scope) -> Mapping[str, Any] | str:
        """Answer the members filled in, or the sentence that says which template gave nothing."""
        filled: dict[str, Any] = dict(self._plain)
        for name, template in self._templates.items():
            text = template.text(scope)
            if isinstance(text, Undefined):
                return f"the substitution template of {name} has no value for this message"
            filled[name] = text
        if self._headers:
            headers = [(key, _text(template, scope)) for key, template in self._headers]
            filled["headers"] = [[key, value] for key, value in headers if value is not UNDEFINED]
        return filled


class CompiledRule:
    """A rule ready to run."""

    def __init__(self, rule: TopicRule) -> None:
        self.name = rule.name
        self.statement: Rule = compile_rule(rule.sql, rule.version)
        self._actions = [CompiledAction(action) for action in rule.actions]
        self._error_action = CompiledAction(rule.error_action) if rule.error_action is not None else None

    def jobs(self, message: Message) -> tuple[list[Job], list[Failure]]:
        """Answer the jobs for a message, none when WHERE does not hold, and the actions whose templates failed."""
        scope = self.statement.scope(message)
        payload = self.statement.run(scope)
        if payload is None:
            return [], []
        jobs: list[Job] = []
        failures: list[Failure] = []
        for action in self._actions:
            values = action.values(scope)
            job = self._job(action, {} if isinstance(values, str) else values, payload, message)
            if isinstance(values, str):
                failures.append(Failure(job, values))
            else:
                jobs.append(job)
        return jobs, failures

    def error_job(self, message: Message, failures: Sequence[Failure]) -> Job | None:
        """Answer the job of the error action for what failed, None when the rule has none or its templates fail."""
        if self._error_action is None:
            return None
        values = self._error_action.values(self.statement.scope(message))
        if isinstance(values, str):
            return None
        job = self._job(self._error_action, values, error_document(failures), message)
        return Job(**{name: getattr(job, name) for name in Job.__slots__ if name != "on_error"}, on_error=True)

    def _job(self, action: CompiledAction, values: Mapping[str, Any], payload: bytes, message: Message) -> Job:
        return Job(
            rule=self.name,
            kind=action.kind,
            values=values,
            payload=payload,
            topic=message.topic,
            original=message.payload,
            client_id=message.client_id,
            trace_id=message.trace_id,
        )


def error_document(failures: Sequence[Failure]) -> bytes:
    """Write what the error action is handed (developer guide, "Error handling (error action)")."""
    job = failures[0].job
    return json.dumps(
        {
            "ruleName": job.rule,
            "topic": job.topic,
            "cloudwatchTraceId": job.trace_id,
            "clientId": job.client_id or "N/A",
            "base64OriginalPayload": base64.b64encode(job.original).decode(),
            "failures": [
                {
                    "failedAction": f"{failure.job.kind[0].upper()}{failure.job.kind[1:]}Action",
                    "failedResource": failure.job.resource(),
                    "errorMessage": failure.reason,
                }
                for failure in failures
            ],
        }
    ).encode()


def parse_action(action: Request) -> dict[str, Any]:
    """Read an action from a request; raise ActionRefused for other kinds, InvalidAction for what cannot work."""
    kinds = list(action)
    if len(kinds) != 1:
        raise InvalidAction("an action names exactly one kind of action")
    kind = kinds[0]
    shape = SHAPES.get(kind)
    if shape is None:
        raise ActionRefused(kind, ", ".join(SHAPES))
    given = action[kind]
    members: dict[str, Any] = {}
    for name in (*shape.templates, *shape.plain):
        if name in given:
            value = given[name]
            members[name] = (
                [{"key": header["key"], "value": header["value"]} for header in value] if name == "headers" else value
            )
    parsed = {kind: members}
    CompiledAction(parsed)
    CHECKS.get(kind, _no_check)(members)
    return parsed


def _no_check(_: Mapping[str, Any]) -> None:
    pass


def _check_republish(members: Mapping[str, Any]) -> None:
    topic = str(members["topic"])
    if topic.startswith("$") and not topic.startswith("$$aws/") and not topic.startswith("${"):
        raise InvalidAction(f"a rule cannot republish to {topic}; write $$aws/… for a topic that begins with $aws/")
    if topic.startswith("$" + EVENTS):
        raise InvalidAction(f"a rule cannot republish to {topic}: events are the cloud's own to tell")
    if members.get("qos", 0) not in (0, 1):
        raise InvalidAction("a republish action has qos 0 or 1")


def _check_http(members: Mapping[str, Any]) -> None:
    url, confirmation = str(members["url"]), str(members.get("confirmationUrl", members["url"]))
    if "${" in confirmation:
        raise InvalidAction("an http action whose url has substitution templates needs a confirmationUrl without them")
    if not url.startswith(confirmation):
        raise InvalidAction("the url of an http action must begin with its confirmationUrl")


CHECKS: Final = {"republish": _check_republish, "http": _check_http}


def _text(template: Template, scope: Scope) -> str | Undefined:
    return template.text(scope)
