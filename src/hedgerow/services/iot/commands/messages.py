"""What devices and subscribers are told of executions. Source: developer guide, "Command execution events"."""

import json
from typing import Any, Final

from hedgerow.core.arn import arn
from hedgerow.core.events import Published
from hedgerow.core.mqtt.properties import write_properties
from hedgerow.services.iot.commands.model import Command, Execution, Target

_CONTENT_TYPE: Final = 0x03  # the identifier of MQTT 5's property
_SUFFIXES: Final = {"application/json": "/json", "application/cbor": "/cbor"}


def request_of(account: str, one: Execution, command: Command, target: Target, payload: bytes) -> Published:
    """Answer what the device gets; nobody gets it after the execution's time."""
    kind = command.sent_as
    suffix = _SUFFIXES.get(kind.partition(";")[0].strip().lower(), "")
    return Published(
        account=account,
        topic=f"{target.base}/{one.id}/request{suffix}",
        payload=payload,
        qos=1,
        properties=write_properties({_CONTENT_TYPE: kind}),
        expires_at=one.created_at + one.timeout_s,
    )


def event_of(account: str, region: str, one: Execution) -> Published:
    """Answer what everyone may hear: the execution has a new status."""
    body: dict[str, Any] = {
        "executionId": one.id,
        "status": one.status.value,
        "eventType": "COMMAND_EXECUTION",
        "commandArn": arn("iot", region, account, f"command/{one.command}"),
        "targetArn": arn("iot", region, account, one.target),
        "timestamp": int(one.updated_at * 1000),
    }
    if one.reason is not None:
        body["statusReason"] = one.reason.shown()
    return Published(
        account=account,
        topic=f"$aws/events/commandExecution/{one.command}/{one.status.value}",
        payload=json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8"),
    )
