"""What the gateway says in the IoT logs of accounts: lines about clients of whom some are wanted.

They are collected during a turn of the loop and go to control together, as one publication for each account on a topic
that no client can have. Bound: LINES in a turn; what is more is counted, and control says so.
A connection of which nothing is wanted has no `wanted`: nothing here is called for it.
Spec: AWS IoT developer guide, "CloudWatch Logs AWS IoT log entries", message broker.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import cbor2

from hedgerow.core.iotlog import Entry, Level
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway.ports import Message

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection
    from hedgerow.gateway.gateway import Gateway

TOPIC: Final = "$hedgerow/iot-log"
LINES: Final = 10_000
UNAUTHORIZED: Final = "AUTHORIZATION_FAILURE"

Line = tuple[float, int, str, str, Mapping[str, Any], bool]


class Activity:
    """See the module. One per gateway."""

    def __init__(self, gateway: "Gateway", soon: Callable[[Callable[[], None]], None]) -> None:
        self._gateway = gateway
        self._soon = soon
        self._lines: dict[str, list[Line]] = {}
        self._count = 0
        self._number = 0
        self._run = ""
        self._lost: dict[str, int] = {}
        self.dropped = 0

    def say(
        self,
        connection: "Connection",
        event: str,
        level: Level = Level.INFO,
        *,
        failed: bool = False,
        trace: str = "",
        **fields: Any,
    ) -> None:
        """Say something about a client that is let in, if it is wanted."""
        wanted = connection.wanted
        if wanted is None or not wanted.wants(event, level):
            return
        account = connection.account.name
        if self._count >= LINES:
            self.dropped += 1
            self._lost[account] = self._lost.get(account, 0) + 1
            return
        peer = connection.peer
        said = {
            "protocol": "MQTT",
            **({"topicName": fields.pop("topicName")} if "topicName" in fields else {}),
            "clientId": connection.question.client_id,
            "principalId": connection.admitted.principal,
            "sourceIp": peer.address,
            "sourcePort": peer.port,
            **{name: value for name, value in fields.items() if value is not None},
        }
        gateway = self._gateway
        if not self._count:
            self._soon(self.flush)
        self._count += 1
        line = (gateway.clock.now(), int(level), event, trace or gateway.ids.uuid(), said, failed)
        self._lines.setdefault(account, []).append(line)

    def denied(self, connection: "Connection", event: str, topic: str, code: Reason, why: str) -> None:
        """Say that a client may not do something, or asked for what nobody can."""
        reason = UNAUTHORIZED if code == Reason.NOT_AUTHORIZED else code.name
        self.say(connection, event, Level.ERROR, failed=True, topicName=topic, reason=reason, details=why)

    def published(self, connection: "Connection", topic: str) -> str:
        """Say that a client published, and answer the id that joins the lines about this publication."""
        trace = self._gateway.ids.uuid()
        self.say(connection, "Publish-In", trace=trace, topicName=topic)
        return trace

    def flush(self) -> None:
        """Hand over what was said in this turn."""
        lines, self._lines = self._lines, {}
        lost, self._lost = self._lost, {}
        self._count = 0
        if not lines:
            return
        gateway = self._gateway
        self._run = self._run or gateway.ids.uuid()
        for account in lines.keys() | lost.keys():
            self._number += 1
            body = [f"{gateway.name}/{self._run}", self._number, lost.get(account, 0), lines.get(account, [])]
            gateway.bus.publish(Message(account=account, topic=TOPIC, payload=cbor2.dumps(body), qos=1))


def decode(message: Message) -> tuple[str, int, int, Sequence[Entry]]:
    """Answer the gateway's run, the number of the batch, how many lines were lost before it, and the lines."""
    run, number, lost, lines = cbor2.loads(message.payload)
    return (
        run,
        number,
        lost,
        [
            Entry(
                account=message.account,
                at=at,
                level=Level(level),
                event=event,
                trace=trace,
                fields=fields,
                failed=failed,
            )
            for at, level, event, trace, fields, failed in lines
        ],
    )
