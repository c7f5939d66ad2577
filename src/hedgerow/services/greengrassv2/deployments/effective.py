"""Which deployments reach a core device, and how far it is with each: told by the job, or by the shadow."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hedgerow.core.caller import Caller
from hedgerow.services.greengrassv2.deployments.model import GROUP, THING, Deployment, Status
from hedgerow.services.greengrassv2.deployments.ports import DeploymentShadows, GroupJobs, Progress
from hedgerow.services.greengrassv2.deployments.store import DeploymentStore
from hedgerow.store import Tx

_SHOWN: Final = frozenset(
    {"IN_PROGRESS", "QUEUED", "FAILED", "COMPLETED", "TIMED_OUT", "CANCELED", "REJECTED", "SUCCEEDED"}
)
_LONGEST: Final = 255


class EffectiveDeploymentReader:
    """Reads them for the core devices subject."""

    def __init__(self, *, store: DeploymentStore, jobs: GroupJobs, shadows: DeploymentShadows) -> None:
        self._store = store
        self._jobs = jobs
        self._shadows = shadows

    def of(self, tx: Tx, caller: Caller, thing: str, groups: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Answer the members of ListEffectiveDeployments, the newest deployment first."""
        targets = [f"{THING}{thing}", *(f"{GROUP}{name}" for name in groups)]
        latest = self._store.latest_of(tx, caller.account, targets)
        return [self._shown(tx, one, caller, thing) for one in latest]

    def _shown(self, tx: Tx, one: Deployment, caller: Caller, thing: str) -> dict[str, Any]:
        progress = self._progress(tx, one, caller, thing)
        members: dict[str, Any] = {
            "deploymentId": one.id,
            "deploymentName": one.name or "",
            "targetArn": one.target_arn(caller.region, caller.account),
            "coreDeviceExecutionStatus": progress.status if progress.status in _SHOWN else "CANCELED",
            "reason": progress.reason,
            "creationTimestamp": one.created_at,
            "modifiedTimestamp": progress.changed_at or one.created_at,
            "statusDetails": {
                "errorStack": [text[:_LONGEST] for text in progress.error_stack],
                "errorTypes": [text[:_LONGEST] for text in progress.error_types],
            },
        }
        if one.job is not None:
            members |= {"iotJobId": one.job, "iotJobArn": self._jobs.arn(caller.region, caller.account, one.job)}
        return members

    def _progress(self, tx: Tx, one: Deployment, caller: Caller, thing: str) -> Progress:
        if one.job is not None:
            told = self._jobs.maybe_progress(tx, caller.account, one.job, thing)
        else:
            arn = one.configuration_arn(caller.region, caller.account)
            told = self._shadows.maybe_progress(tx, caller.account, thing, arn)
        return told or Progress(status="CANCELED" if one.status is Status.CANCELED else "QUEUED")
