"""Deployments of this one thing: the named shadow `AWSManagedGreengrassV2Deployment`.

The document stands, as a JSON text, in `desired.fleetConfig`; `desiredStatus` CANCELED takes it back. It is asked for
after every connect. Spec: Greengrass V2, the deployment shadow of the nucleus.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.packets import Publish
from hedgerow.edge.connection import Connection, Offline
from hedgerow.edge.deployments.engine import Engine
from hedgerow.edge.deployments.failure import Result
from hedgerow.edge.trouble import Trouble

KIND: Final = "shadow"
NAME: Final = "AWSManagedGreengrassV2Deployment"
QUEUE: Final = 16  # states that wait to be read; when it is full the shadow is asked for instead
VERSION: Final = "2.18.0"
_AGAIN_S: Final = 30.0
_log = get_logger("edge.shadow")


class DeploymentShadow:
    """One core's deployment shadow."""

    def __init__(self, *, connection: Connection, engine: Engine, thing_name: str) -> None:
        self._connection = connection
        self._engine = engine
        self._topic = f"$aws/things/{thing_name}/shadow/name/{NAME}"
        self._listening = False
        self._states: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue(maxsize=QUEUE)

    def ask(self) -> None:
        """Read the whole shadow: after a connect."""
        if not self._states.full():
            self._states.put_nowait(None)

    async def run(self) -> None:
        """Listen and read, until cancelled."""
        if not self._listening:
            await self._connection.subscribe(f"{self._topic}/update/accepted", self._updated)
            self._listening = True
        while True:
            state = await self._states.get()
            try:
                await self._take(await self._whole() if state is None else state)
            except Offline:
                continue  # the next connect asks again
            except Trouble as trouble:
                _log.warning("the deployment shadow is not known", extra={"fields": {"cause": str(trouble)}})
                asyncio.get_running_loop().call_later(_AGAIN_S, self.ask)

    async def report(self, source: Mapping[str, Any], result: Result) -> None:
        """Tell the deployment's status; raises Trouble to be called again."""
        details = {
            "detailedStatus": result.detail.value if result.detail else None,
            "failureCause": result.cause or None,
            "errorStack": list(result.stack),
            "errorTypes": list(result.types),
        }
        reported = {
            "fleetConfigurationArnForStatus": source["configuration_arn"],
            "status": result.status.value,
            "statusDetails": details,
            "ggcVersion": VERSION,
        }
        accepted, answer = await self._connection.request(f"{self._topic}/update", {"state": {"reported": reported}})
        if not accepted:
            code = answer.get("code")
            said = f"the cloud rejected the deployment's status: {code} {answer.get('message')}"
            if not isinstance(code, int) or code in (409, 429) or code >= 500:
                raise Trouble(said)
            _log.warning("a deployment's status will never be taken", extra={"fields": {"cause": said}})

    def _updated(self, message: Publish) -> None:
        try:
            state = json.loads(message.payload)["state"]
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(state, Mapping) and state.get("desired"):
            if self._states.full():
                _log.warning("too many changes of the deployment shadow; one is left out")
            else:
                self._states.put_nowait({"desired": state["desired"]})

    async def _whole(self) -> Mapping[str, Any]:
        accepted, answer = await self._connection.request(f"{self._topic}/get", {})
        state = answer.get("state") if accepted else None
        return state if isinstance(state, Mapping) else {}

    async def _take(self, state: Mapping[str, Any]) -> None:
        desired, reported = state.get("desired") or {}, state.get("reported") or {}
        status, text = desired.get("desiredStatus"), desired.get("fleetConfig")
        if not status or not isinstance(text, str):
            return
        try:
            document = json.loads(text)
            values = {str(key).lower(): value for key, value in document.items()}
            configuration_arn = str(values["configurationarn"])
        except (ValueError, AttributeError, KeyError):
            _log.warning("the document in the deployment shadow cannot be read")
            return
        key = f"{KIND}:{configuration_arn}"
        if status == "CANCELED":
            await self._engine.cancel(key)
        elif (
            reported.get("fleetConfigurationArnForStatus") != configuration_arn
            or reported.get("status") == "IN_PROGRESS"
        ):
            await self._engine.offer(key, {"kind": KIND, "configuration_arn": configuration_arn}, document)
