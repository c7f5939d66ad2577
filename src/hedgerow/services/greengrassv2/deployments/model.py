"""A deployment: one revision of what a thing, or all things of a group, shall run.

Every revision has a configuration ARN of its own and a later time stamp than the one before: core devices pass over an
ARN that they have seen and refuse an older stamp. Spec: Greengrass V2, "create deployments"; document of 2021-05-17.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from hedgerow.core.arn import arn

SCHEMA_DATE: Final = "2021-05-17"
THING: Final = "thing/"
GROUP: Final = "thinggroup/"


class Status(Enum):
    """Where a deployment stands. COMPLETED and FAILED are told by the core device, and not kept here."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"  # a later revision took its place
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What a core device does about failures, about components that are busy, about configurations."""

    on_failure: str = "ROLLBACK"
    update_action: str = "NOTIFY_COMPONENTS"
    update_timeout_s: int = 60
    validation_timeout_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One revision for one target (`thing/T` or `thinggroup/G`)."""

    id: str
    target: str
    revision: int
    name: str | None
    components: Mapping[str, Any]  # as in the API: component -> {componentVersion, configurationUpdate, runWith}
    policies: Policies
    stamp_ms: int
    created_at: float
    job: str | None = None  # the IoT job that carries it to a group
    timeout_minutes: int | None = None
    status: Status = Status.ACTIVE
    latest: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    client_token: str | None = None

    @property
    def thing(self) -> str | None:
        """The target thing, None for a group."""
        return self.target.removeprefix(THING) if self.target.startswith(THING) else None

    @property
    def group(self) -> str | None:
        """The target group, None for a thing."""
        return self.target.removeprefix(GROUP) if self.target.startswith(GROUP) else None

    def target_arn(self, region: str, account: str) -> str:
        return arn("iot", region, account, self.target)

    def configuration_arn(self, region: str, account: str) -> str:
        """Answer the ARN that core devices know this revision by."""
        return arn("greengrass", region, account, f"configuration:{self.target}:{self.revision}")

    def document(self, region: str, account: str) -> dict[str, Any]:
        """Answer the configuration document that a core device gets. Members that are not set are left out."""
        document: dict[str, Any] = {
            "deploymentId": self.id,
            "schemaDate": SCHEMA_DATE,
            "configurationArn": self.configuration_arn(region, account),
            "creationTimestamp": self.stamp_ms,
            "components": {name: _for_devices(one) for name, one in self.components.items()},
            "failureHandlingPolicy": self.policies.on_failure,
            "requiredCapabilities": [],
            "componentUpdatePolicy": {
                "timeout": self.policies.update_timeout_s,
                "action": self.policies.update_action,
            },
            "configurationValidationPolicy": {"timeout": self.policies.validation_timeout_s},
        }
        return document | ({"deploymentName": self.name} if self.name else {})


def _for_devices(component: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"version": component["componentVersion"]}
    update = component.get("configurationUpdate")
    if update:
        answer["configurationUpdate"] = {
            **({"merge": json.loads(update["merge"])} if "merge" in update else {}),
            **({"reset": list(update["reset"])} if "reset" in update else {}),
        }
    if component.get("runWith"):
        answer["runWith"] = component["runWith"]
    return answer
