"""What the jobs service tells things, by MQTT and by HTTP. Times are whole seconds since the epoch.

Executions of a namespace (Greengrass: `aws-gg-deployment`) are told on topics that name it, and on no others.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from hedgerow.services.iot.jobs.model import Execution, Status

Message = dict[str, Any]
MOST_SUMMARIES: Final = 10


def topic(thing: str, what: str, namespace: str | None) -> str:
    """Answer the topic of a notification: `notify`, or `notify-namespace-<namespace>`."""
    suffix = "" if namespace is None else f"-namespace-{namespace}"
    return f"$aws/things/{thing}/jobs/{what}{suffix}"


def summary(one: Execution) -> Message:
    """Answer an execution as it stands in lists."""
    message: Message = {"jobId": one.job, "queuedAt": int(one.queued_at), "lastUpdatedAt": int(one.updated_at)}
    if one.started_at is not None:
        message["startedAt"] = int(one.started_at)
    return {**message, "executionNumber": one.number, "versionNumber": one.version}


def notice(pending: Sequence[Execution], *, now: float) -> Message:
    """`notify`: what the thing has to do, by status."""
    first = pending[:MOST_SUMMARIES]
    lists = {
        status.value: [summary(one) for one in first if one.status is status]
        for status in (Status.IN_PROGRESS, Status.QUEUED)
    }
    return {"timestamp": int(now), "jobs": {status: items for status, items in lists.items() if items}}


def state(one: Execution) -> Message:
    """Answer `executionState`."""
    return {"status": one.status.value, "statusDetails": dict(one.details), "versionNumber": one.version}


def execution_message(one: Execution, *, now: float, document: Any = None) -> Message:
    """Answer an execution in full; the document is an object by MQTT, a text by HTTP, None to leave it out."""
    message: Message = {"jobId": one.job, "thingName": one.thing, "status": one.status.value}
    if one.details:
        message["statusDetails"] = dict(one.details)
    message["queuedAt"] = int(one.queued_at)
    if one.started_at is not None:
        message["startedAt"] = int(one.started_at)
    message |= {"lastUpdatedAt": int(one.updated_at), "versionNumber": one.version, "executionNumber": one.number}
    if one.ends_at is not None:
        message["approximateSecondsBeforeTimedOut"] = max(0, math.ceil(one.ends_at - now))
    if document is not None:
        message["jobDocument"] = document
    return message
