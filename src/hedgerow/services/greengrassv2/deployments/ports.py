"""What deployments need of the rest, filled in by `cloud`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.events import Event
from hedgerow.store import Tx

Events = tuple[Event, ...]


class Rights(Protocol):
    """Whether the caller may do what the operation does on their behalf."""

    async def demand(self, caller: Caller, action: str, resource: str) -> None:
        """Raise AccessDenied unless the caller may."""
        ...


class Components(Protocol):
    """The components that an account can deploy."""

    def exists(self, tx: Tx, account: str, name: str, version: str) -> bool:
        """Tell whether the account can deploy this version."""
        ...


class Names(Protocol):
    """Things, or thing groups."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is one of that name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a core device is with a deployment: its own word, as by the job or the shadow."""

    status: str  # QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, REJECTED, CANCELED, TIMED_OUT
    reason: str = ""
    error_stack: tuple[str, ...] = ()
    error_types: tuple[str, ...] = ()
    changed_at: float | None = None


class GroupJobs(Protocol):
    """The IoT jobs that carry deployments to groups: continuous, in Greengrass's namespace."""

    def start(
        self,
        tx: Tx,
        account: str,
        *,
        job: str,
        group: str,
        document: Mapping[str, Any],
        timeout_minutes: int | None,
    ) -> Events:
        """Create the job; answer what is to be published."""
        ...

    def stop(self, tx: Tx, account: str, job: str) -> Events:
        """Cancel the job; nothing when it is over or gone."""
        ...

    def arn(self, region: str, account: str, job: str) -> str:
        """Make the job's ARN."""
        ...

    def maybe_progress(self, tx: Tx, account: str, job: str, thing: str) -> Progress | None:
        """Answer how far a thing is with the job, None when it never got it."""
        ...


class DeploymentShadows(Protocol):
    """The named shadow that carries deployments to single things."""

    def set_desired(
        self, tx: Tx, account: str, thing: str, *, document: Mapping[str, Any], configuration_arn: str, status: str
    ) -> Events:
        """Write what the thing shall run (`status` SUCCEEDED), or that it shall not (CANCELED)."""
        ...

    def maybe_progress(self, tx: Tx, account: str, thing: str, configuration_arn: str) -> Progress | None:
        """Answer how far the thing is with this very configuration, None when it has said nothing about it."""
        ...
