"""Why a deployment ended as it did, in the nucleus' codes and in words."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from hedgerow.base.errors import HedgerowError


class Status(Enum):
    """How a deployment stands, in the word that jobs and the deployment shadow use."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"


class Detail(Enum):
    """The same, closer."""

    SUCCESSFUL = "SUCCESSFUL"
    FAILED_NO_STATE_CHANGE = "FAILED_NO_STATE_CHANGE"
    FAILED_ROLLBACK_NOT_REQUESTED = "FAILED_ROLLBACK_NOT_REQUESTED"
    FAILED_ROLLBACK_COMPLETE = "FAILED_ROLLBACK_COMPLETE"
    FAILED_UNABLE_TO_ROLLBACK = "FAILED_UNABLE_TO_ROLLBACK"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The end of a deployment."""

    status: Status
    detail: Detail | None = None
    cause: str = ""
    stack: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def as_values(self) -> dict[str, Any]:
        return {
            "status": self.status.value,
            "detail": self.detail.value if self.detail else None,
            "cause": self.cause,
            "stack": list(self.stack),
            "types": list(self.types),
        }

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Result":
        return cls(
            status=Status(values["status"]),
            detail=Detail(values["detail"]) if values.get("detail") else None,
            cause=values.get("cause", ""),
            stack=tuple(values.get("stack", ())),
            types=tuple(values.get("types", ())),
        )


class DeploymentFailed(HedgerowError):
    """This deployment cannot be carried out. `codes` are names of the nucleus' DeploymentErrorCode."""

    def __init__(self, message: str, *codes: str, types: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.codes = ("DEPLOYMENT_FAILURE", *codes)
        self.types = types

    def result(self, detail: Detail) -> Result:
        return Result(status=Status.FAILED, detail=detail, cause=str(self), stack=self.codes, types=self.types)


class DeploymentRejected(HedgerowError):
    """The document is older than what this core already has."""


class DeploymentCanceled(HedgerowError):
    """The cloud took the deployment back."""


def not_supported(component: str, member: str, why: str) -> DeploymentFailed:
    """Answer the failure of a component whose configuration has what this edge cannot honour."""
    return DeploymentFailed(
        f"{component}: {member} is not supported on this edge: {why}", "COMPONENT_CONFIGURATION_NOT_VALID"
    )
