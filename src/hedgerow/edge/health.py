"""Status reports of a core: which components it has, how they are, and how deployments ended.

One message on `$aws/things/<thing>/greengrassv2/health/json` per trigger, at least three seconds apart, numbered in an
order that survives restarts. Messages that are too large are cut into chunks.
Spec: Greengrass V2, fleet status service.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.edge.components.model import BAD, Component
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.connection import Connection
from hedgerow.edge.deployments.engine import Engine
from hedgerow.edge.deployments.failure import Result
from hedgerow.edge.deployments.shadow import KIND as SHADOW
from hedgerow.edge.deployments.shadow import VERSION
from hedgerow.edge.deployments.store import Deployment
from hedgerow.edge.spool import Outgoing
from hedgerow.edge.state import State, recall, remember

LEAST_PAUSE_S: Final = 3.0
CHUNK_BYTES: Final = 120_000
_log = get_logger("edge.health")


class Health:
    """One core's status reports. `run` it as one task."""

    def __init__(
        self,
        *,
        connection: Connection,
        supervisor: Supervisor,
        engine: Engine,
        state: State,
        clock: Clock,
        thing_name: str,
        platform: Mapping[str, str],
        cadence_s: float,
        pause_s: float = LEAST_PAUSE_S,
    ) -> None:
        self._connection = connection
        self._supervisor = supervisor
        self._engine = engine
        self._state = state
        self._clock = clock
        self._thing_name = thing_name
        self._platform = platform
        self._cadence_s = cadence_s
        self._pause_s = pause_s
        self._wake = asyncio.Event()
        self._changed: set[str] = set()
        self._ended: list[tuple[Deployment, Result]] = []
        self._launched = False
        self._connects = 0
        supervisor.on_change(self._component_changed)
        engine.on_ended(self._deployment_ended)

    def online(self) -> None:
        """There is a connection: say that we are here (at the first), or here again (later)."""
        self._connects += 1
        self._wake.set()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        await self._engine.started.wait()
        while True:
            due = ""
            try:
                async with asyncio.timeout(self._cadence_s):
                    await self._wake.wait()
            except TimeoutError:
                due = "CADENCE"
            self._wake.clear()
            if self._connection.connected:  # else nothing is lost: at the next connect everything is said
                await self._send_due(due)
                await asyncio.sleep(self._pause_s)

    async def _send_due(self, due: str) -> None:
        """At most one message says how everything is; without one, what has changed is said."""
        everything = set(self._supervisor.generation.components)
        changed, self._changed = self._changed & everything, set()
        ended, self._ended = self._ended, []
        again, self._connects = self._connects > 1 or (self._launched and self._connects > 0), 0
        if not self._launched:
            self._launched = True
            await self._send("COMPLETE", "NUCLEUS_LAUNCH", everything)
            changed = set()
        for deployment, result in ended:
            trigger = "THING_DEPLOYMENT" if deployment.source["kind"] == SHADOW else "THING_GROUP_DEPLOYMENT"
            await self._send("COMPLETE", trigger, everything, _deployment(deployment, result))
            changed = set()
        if due:
            await self._send("COMPLETE", due, everything)
        elif again:
            await self._send("PARTIAL", "RECONNECT", changed)
        elif changed:
            await self._send("PARTIAL", "COMPONENT_STATUS_CHANGE", changed)

    async def _send(
        self, kind: str, trigger: str, names: set[str], deployment: Mapping[str, Any] | None = None
    ) -> None:
        components = [self._component(self._supervisor.generation.components[name]) for name in sorted(names)]
        number = await self._state.write(_next_number)
        bad = any(self._supervisor.condition(name).state in BAD for name in self._supervisor.generation.components)
        body: dict[str, Any] = {
            "ggcVersion": VERSION,
            "platform": self._platform.get("os", "linux"),
            "architecture": self._platform.get("architecture", ""),
            "thing": self._thing_name,
            "overallDeviceStatus": "UNHEALTHY" if bad else "HEALTHY",
            "sequenceNumber": number,
            "timestamp": int(self._clock.now() * 1000),
            "messageType": kind,
            "trigger": trigger,
        }
        if deployment is not None:
            body["deploymentInformation"] = deployment
        chunks = _chunks(components)
        for at, chunk in enumerate(chunks):
            part = {**body, "components": chunk}
            if len(chunks) > 1:
                part["chunkInfo"] = {"chunkId": at + 1, "totalChunks": len(chunks)}
            await self._publish(part)

    async def _publish(self, body: Mapping[str, Any]) -> None:
        topic = f"$aws/things/{self._thing_name}/greengrassv2/health/json"
        try:
            await self._connection.publish(Outgoing(topic=topic, payload=json.dumps(body).encode()))
        except Unavailable as error:
            _log.warning("a status report was not sent", extra={"fields": {"cause": str(error)}})

    def _component(self, component: Component) -> dict[str, Any]:
        condition = self._supervisor.condition(component.name)
        return {
            "componentName": component.name,
            "version": component.version,
            "fleetConfigArns": list(component.fleet_arns),
            "componentStatusDetails": {"statusCodes": list(condition.codes), "statusReason": condition.cause or None},
            "isRoot": component.root,
            "status": condition.state.value,
        }

    def _deployment_ended(self, deployment: Deployment, result: Result) -> None:
        self._ended.append((deployment, result))
        del self._ended[:-16]
        self._wake.set()

    def _component_changed(self, name: str) -> None:
        self._changed.add(name)
        self._wake.set()


def _next_number(connection: Any) -> int:
    number = int(recall(connection, "status number") or 0) + 1
    remember(connection, "status number", number)
    return number


def _deployment(deployment: Deployment, result: Result) -> dict[str, Any]:
    values = {str(key).lower(): value for key, value in deployment.document.items()}
    return {
        "status": result.status.value,
        "statusDetails": {
            "detailedStatus": result.detail.value if result.detail else None,
            "failureCause": result.cause or None,
            "errorStack": list(result.stack),
            "errorTypes": list(result.types),
        },
        "fleetConfigurationArnForStatus": values.get("configurationarn"),
        "deploymentId": values.get("deploymentid"),
        "unchangedRootComponents": [],
    }


def _chunks(components: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    chunks: list[list[dict[str, Any]]] = [[]]
    size = 0
    for component in components:
        length = len(json.dumps(component))
        if size + length > CHUNK_BYTES and chunks[-1]:
            chunks.append([])
            size = 0
        chunks[-1].append(component)
        size += length
    return chunks
