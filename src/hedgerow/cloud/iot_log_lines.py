"""What control says in the IoT logs of accounts: of requests by topic and by HTTP, and of topic rules.

A request's fate is read from its answer: the reply, or the message to everybody, that ends in `accepted` or `rejected`.
Spec: AWS IoT developer guide, "CloudWatch Logs AWS IoT log entries": Device Shadow, rules engine, jobs, provisioning.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import cbor2

from hedgerow.base.errors import ServiceError
from hedgerow.cloud.iot_log import IotLog
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.core.iotlog import Level, Wanted
from hedgerow.gateway.activity import UNAUTHORIZED
from hedgerow.gateway.ports import Asked
from hedgerow.gateway.ports import Message as Publication
from hedgerow.services.iot.ca_certificates import FirstConnection
from hedgerow.services.iot.jobs import Status
from hedgerow.services.iot.rules import Job
from hedgerow.store import Answer, FollowUp, Tx

LINE: Final = "iot-log-line"
_COUNTED: Final = (
    *(Status.QUEUED, Status.IN_PROGRESS, Status.FAILED, Status.SUCCEEDED),
    *(Status.CANCELED, Status.TIMED_OUT, Status.REJECTED, Status.REMOVED),
)
_DENIED: Final = frozenset({"AccessDeniedException", "ForbiddenException", "UnauthorizedException"})
BASIC_INGEST: Final = "$aws/rules/"
_SHADOW: Final = {"get": "GetThingShadow", "update": "UpdateThingShadow", "delete": "DeleteThingShadow"}
_JOB: Final = {"get": "DescribeJobExecution", "update": "UpdateJobExecution"}
_JOBS: Final = {"get": "GetPendingJobExecution", "start-next": "StartNextPendingJobExecution"}
_RESOURCES: Final = {
    "lambda": "FunctionArn",
    "republish": "RepublishTopic",
    "http": "Url",
    "cloudwatchLogs": "LogGroupName",
    "cloudwatchMetric": "MetricName",
}
#: operations by HTTP: (service, operation) → type of event, level, what the members are called in a line
_CALLS: Final[Mapping[tuple[str, str], tuple[str, Level, Mapping[str, str]]]] = {
    ("iot-data", "Publish"): ("Publish-In", Level.INFO, {"topic": "topicName"}),
    ("iot-data", "DeleteConnection"): ("DeleteConnection", Level.INFO, {"clientId": "clientId"}),
    ("iot-data", "GetRetainedMessage"): ("GetRetainedMessage", Level.INFO, {"topic": "topicName"}),
    ("iot-data", "ListRetainedMessages"): ("ListRetainedMessage", Level.INFO, {}),
    ("iot-data", "GetThingShadow"): ("GetThingShadow", Level.INFO, {"thingName": "deviceShadowName"}),
    ("iot-data", "UpdateThingShadow"): ("UpdateThingShadow", Level.INFO, {"thingName": "deviceShadowName"}),
    ("iot-data", "DeleteThingShadow"): ("DeleteThingShadow", Level.INFO, {"thingName": "deviceShadowName"}),
    ("iot-jobs-data", "DescribeJobExecution"): (
        "DescribeJobExecution",
        Level.DEBUG,
        {"thingName": "clientId", "jobId": "jobId"},
    ),
    ("iot-jobs-data", "GetPendingJobExecutions"): ("GetPendingJobExecution", Level.DEBUG, {"thingName": "clientId"}),
    ("iot-jobs-data", "StartNextPendingJobExecution"): (
        "StartNextPendingJobExecution",
        Level.DEBUG,
        {"thingName": "clientId"},
    ),
    ("iot-jobs-data", "UpdateJobExecution"): (
        "UpdateJobExecution",
        Level.DEBUG,
        {"thingName": "clientId", "jobId": "jobId"},
    ),
}


class IotLogLines:
    """Says what happened, where an account wants to know."""

    def __init__(self, log: IotLog) -> None:
        self._log = log

    # --- requests by topic

    def asked(self, question: Asked, answer: Answer) -> None:
        """A request by topic was answered."""
        message = question.message
        if not self._log.is_on(message.account):
            return
        about = _about(message.topic, message.client_id)
        if about is None:
            return
        event, level, fields = about
        wanted = self._log.wanted(
            message.account, client_id=message.client_id, principal=message.principal, address=question.peer
        )
        if not wanted.anything:
            return
        refusal = _refusal(message.topic, answer)
        fields = {"protocol": "MQTT", **fields, "topicName": message.topic, **_from_payloads(event, message, answer)}
        if refusal is not None:
            level, fields = Level.ERROR, fields | refusal
        elif event in (*_JOB.values(), *_JOBS.values()):
            fields["details"] = "The request status is SUCCESS."
        self._log.note(message.account, wanted, event, level, fields, trace=message.trace, failed=refusal is not None)

    # --- calls by HTTP

    def answered(
        self, service: str, operation: str, caller: Caller, params: Mapping[str, Any], error: ServiceError | None
    ) -> None:
        """A call of the API was answered, or refused with an error."""
        if (service, operation) not in _CALLS or not self._log.is_on(caller.account):
            return
        event, level, names = _CALLS[service, operation]
        principal = caller.certificate_id or caller.principal
        fields: dict[str, Any] = {"protocol": "HTTP"}
        fields |= {name: params[member] for member, name in names.items() if member in params}
        if "shadowName" in params:
            fields["deviceShadowName"] = params["shadowName"]
        fields |= {"principalId": principal, "sourceIp": caller.source_ip or ""}
        if error is not None:
            reason = UNAUTHORIZED if error.code in _DENIED else error.code
            level, fields = Level.ERROR, fields | {"reason": reason, "details": error.message}
        wanted = self._log.wanted(caller.account, principal=principal, address=caller.source_ip or "")
        self._log.note(caller.account, wanted, event, level, fields, trace=caller.request_id, failed=error is not None)

    # --- jobs

    def job_completed(self, tx: Tx, account: str, job: str, counts: Mapping[Status, int]) -> None:
        """A job is completed: the line is written once that is committed."""
        if not self._log.is_on(account):
            return
        shown = " ".join(f"{status.value} job execution count: {counts.get(status, 0)}" for status in _COUNTED)
        tx.follow_up(LINE, account=account, key=job, body={"jobId": job, "details": f"Job {job} completed. {shown}"})

    async def on_line(self, row: FollowUp) -> None:
        """Write the line about a job."""
        wanted = self._log.wanted(row.account)
        self._log.note(row.account, wanted, "ReportFinalJobExecutionCount", Level.INFO, row.body)

    # --- first connections

    def first_connection(self, outcome: FirstConnection) -> None:
        """A device of an own CA connected for the first time, and was provisioned or not."""
        if not self._log.is_on(outcome.account):
            return
        who = outcome.certificate_id
        fields = {"protocol": "MQTT", "principalId": who, "sourceIp": outcome.address, "deviceCertificateId": who}
        if outcome.template is not None:
            fields["provisioningTemplateName"] = outcome.template
        if outcome.why_not is not None:
            fields |= {"reason": outcome.why_not.code, "details": str(outcome.why_not)}
        failed = outcome.why_not is not None
        level = Level.ERROR if failed else Level.INFO
        wanted = self._log.wanted(outcome.account, principal=who, address=outcome.address)
        self._log.note(outcome.account, wanted, "ProvisionDevice", level, fields, failed=failed)

    # --- rules

    def is_on(self, account: str) -> bool:
        """Tell whether the account wants any lines."""
        return self._log.is_on(account)

    def matched(self, publication: Publication, rules: Iterable[str], trace: str) -> None:
        """A publication met these rules; basic ingest may name one that is not there."""
        account, wanted = publication.account, self._of_publication(publication)
        about = {"clientId": publication.client_id or "N/A", "topicName": publication.topic}
        who = {"principalId": publication.principal}
        names = list(rules)
        for name in names:
            self._log.note(account, wanted, "RuleMatch", Level.INFO, {**about, "ruleName": name, **who}, trace=trace)
        if names or not publication.topic.startswith(BASIC_INGEST):
            return
        name = publication.topic.split("/", 3)[2]
        why = {"reason": "RuleNotFound", "details": f"Rule {name} not found"}
        fields = {**about, "ruleName": name, **who, **why}
        self._log.note(account, wanted, "RuleNotFound", Level.ERROR, fields, trace=trace, failed=True)

    def throttled(self, publication: Publication, rules: Iterable[str]) -> None:
        """A publication found no room in the row of the rules that want it."""
        wanted = self._of_publication(publication)
        for name in rules:
            fields = {
                "clientId": publication.client_id or "N/A",
                "topicName": publication.topic,
                "ruleName": name,
                "principalId": publication.principal,
                "reason": "RuleExecutionThrottled",
                "details": f"Message for Rule {name} throttled",
            }
            event, trace = "RuleMessageThrottled", publication.trace
            self._log.note(publication.account, wanted, event, Level.ERROR, fields, trace=trace, failed=True)

    def starting(self, account: str, job: Job) -> None:
        """An action of a rule begins, or is put aside to be done."""
        wanted = self._of_job(account, job)
        self._log.note(account, wanted, "StartingRuleExecution", Level.DEBUG, _of_job(job), trace=job.trace_id)

    def executed(self, account: str, job: Job, failure: str | None) -> None:
        """An action is done, or failed for good."""
        if not self._log.is_on(account):
            return
        resources = {_RESOURCES.get(job.kind, "Resource"): job.resource()}
        fields = {**_of_job(job), "resources": resources}
        wanted = self._of_job(account, job)
        if failure is None:
            self._log.note(account, wanted, "RuleExecution", Level.INFO, fields, trace=job.trace_id)
            return
        fields |= {"reason": f"{_action(job)}Failure", "details": failure}
        self._log.note(account, wanted, "RuleExecution", Level.ERROR, fields, trace=job.trace_id, failed=True)

    def _of_publication(self, publication: Publication) -> Wanted:
        return self._log.wanted(publication.account, client_id=publication.client_id, principal=publication.principal)

    def _of_job(self, account: str, job: Job) -> Wanted:
        return self._log.wanted(account, client_id=job.client_id, principal=job.principal)


def _action(job: Job) -> str:
    return f"{job.kind[0].upper()}{job.kind[1:]}Action"


def _of_job(job: Job) -> dict[str, Any]:
    return {
        "clientId": job.client_id or "N/A",
        "topicName": job.topic,
        "ruleName": job.rule,
        "ruleAction": _action(job),
        "principalId": job.principal,
    }


def _about(topic: str, client_id: str) -> tuple[str, Level, dict[str, Any]] | None:
    """Answer the type of event of a request, its level when all is well, and what its topic says."""
    levels = topic.split("/")
    match levels:
        case ["$aws", "things", thing, "shadow", what] if what in _SHADOW:
            return _SHADOW[what], Level.INFO, {"deviceShadowName": thing}
        case ["$aws", "things", _, "shadow", "name", name, what] if what in _SHADOW:
            return _SHADOW[what], Level.INFO, {"deviceShadowName": name}
        case ["$aws", "things", _, "jobs", what] if what in _JOBS:
            return _JOBS[what], Level.DEBUG, {"clientId": client_id}
        case ["$aws", "things", _, "jobs", job, *_, what] if what in _JOB:
            return _JOB[what], Level.DEBUG, {"clientId": client_id, "jobId": job}
        case ["$aws", "certificates", "create" | "create-from-csr", _]:
            return "GetDeviceCredentials", Level.INFO, {"clientId": client_id}
        case ["$aws", "provisioning-templates", template, "provision", _]:
            return "ProvisionDevice", Level.INFO, {"clientId": client_id, "provisioningTemplateName": template}
        case _:
            return None


def _answers(answer: Answer) -> list[tuple[str, bytes]]:
    told = [(event.topic, event.payload) for event in answer.events if isinstance(event, Published)]
    return [*answer.response.get("replies", ()), *told]


def _refusal(topic: str, answer: Answer) -> dict[str, str] | None:
    """Answer why the request was refused, None when it was not."""
    body = next((_read(name, payload) for name, payload in _answers(answer) if name == f"{topic}/rejected"), None)
    if body is None:
        return None
    code, words = body.get("code", body.get("errorCode", "")), body.get("message", body.get("errorMessage", ""))
    return {"reason": str(code), "details": str(words)}


def _from_payloads(event: str, message: Publication, answer: Answer) -> dict[str, Any]:
    """Answer what lines of jobs and provisioning take from request and reply."""
    if event in ("GetDeviceCredentials", "ProvisionDevice"):
        accepted = (_read(name, payload) for name, payload in _answers(answer) if name == f"{message.topic}/accepted")
        certificate = next(accepted, {}).get("certificateId")
        return {} if certificate is None else {"deviceCertificateId": certificate}
    if event not in (*_JOB.values(), *_JOBS.values()):
        return {}
    asked = _read(message.topic, message.payload)
    named = {"clientToken": "clientToken", "expectedVersion": "versionNumber"}
    return {name: str(asked[member]) for member, name in named.items() if member in asked}


def _read(topic: str, payload: bytes) -> Mapping[str, Any]:
    try:
        body = cbor2.loads(payload) if "/cbor" in topic else json.loads(payload)
    except (ValueError, RecursionError, cbor2.CBORDecodeError):
        return {}
    return body if isinstance(body, Mapping) else {}
