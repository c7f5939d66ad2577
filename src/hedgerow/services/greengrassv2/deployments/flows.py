"""CancelDeployment: it reaches the job, or the shadow, that carries the deployment, as the caller must be allowed to.

Spec: AWS service authorization reference, "AWS IoT Greengrass V2": dependent actions of CancelDeployment.
"""

from collections.abc import Mapping
from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.greengrassv2.deployments.operations import DeploymentOperations
from hedgerow.services.greengrassv2.deployments.ports import Rights
from hedgerow.store import Run


class DeploymentFlows:
    """See the module. It holds no state of its own."""

    def __init__(self, *, run: Run, operations: DeploymentOperations, rights: Rights) -> None:
        self._run = run
        self._operations = operations
        self._rights = rights

    async def cancel_deployment(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        action, resource = await self._run.read(lambda tx: self._operations.reached(tx, request, caller))
        await self._rights.demand(caller, action, resource)
        return (await self._run.write(lambda tx: self._operations.cancel_deployment(tx, request, caller))).response
