"""The configuration document of a deployment, as it comes by job or shadow. Keys in any case, unknown ones ignored.

Spec: Greengrass V2, the deployment document (schema 2021-05-17).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.core.arn import parse
from hedgerow.edge.deployments.failure import DeploymentFailed

CAPABILITIES: Final = frozenset({"SUB_DEPLOYMENTS"})
_HEALTH_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A component that the document names: a root of its group."""

    version: str
    merge: Mapping[str, Any] = field(default_factory=dict)
    reset: tuple[str, ...] = ()
    run_with: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a deployment wants of this core."""

    deployment_id: str
    configuration_arn: str
    group: str  # `thing/T`, `thinggroup/G`
    created_at_ms: int
    components: Mapping[str, Wanted]
    roll_back: bool = True
    notify: bool = True
    notify_timeout_s: int = _HEALTH_TIMEOUT_S

    @property
    def for_thing(self) -> bool:
        return self.group.startswith("thing/")


def read(values: Mapping[str, Any]) -> Document:
    """Make the document of its JSON; raise DeploymentFailed when it cannot be carried out as it is written."""
    top = _Keys(values)
    capabilities = {str(one) for one in top.sequence("requiredCapabilities")} - CAPABILITIES
    if capabilities:
        names = ", ".join(sorted(capabilities))
        raise DeploymentFailed(f"this core lacks {names}", "NUCLEUS_MISSING_REQUIRED_CAPABILITIES")
    configuration_arn = top.text("configurationArn")
    if not configuration_arn:
        raise DeploymentFailed("the deployment document has no configurationArn", "DEPLOYMENT_DOCUMENT_PARSE_ERROR")
    policy = _Keys(top.mapping("componentUpdatePolicy"))
    return Document(
        deployment_id=top.text("deploymentId"),
        configuration_arn=configuration_arn,
        group=group_of(configuration_arn),
        created_at_ms=int(top.number("creationTimestamp", 0)),
        components={name: _wanted(name, value) for name, value in top.mapping("components").items()},
        roll_back=top.text("failureHandlingPolicy").upper() != "DO_NOTHING",
        notify=policy.text("action").upper() != "SKIP_NOTIFY_COMPONENTS",
        notify_timeout_s=int(policy.number("timeout", _HEALTH_TIMEOUT_S)),
    )


def group_of(configuration_arn: str) -> str:
    """Answer the target in `arn:…:configuration:thinggroup/G:3`; what has another form is a group of its own."""
    arn = parse(configuration_arn)
    if arn is None:
        return configuration_arn
    kind, _, rest = arn.resource.partition(":")
    target, _, _ = rest.rpartition(":")
    return target if kind == "configuration" and target else configuration_arn


def _wanted(name: str, value: Any) -> Wanted:
    keys = _Keys(value if isinstance(value, Mapping) else {})
    version = keys.text("version") or keys.text("componentVersion")
    if not version:
        raise DeploymentFailed(f"the deployment names no version of {name}", "DEPLOYMENT_DOCUMENT_PARSE_ERROR")
    update = _Keys(keys.mapping("configurationUpdate"))
    return Wanted(
        version=version,
        merge=update.mapping("merge"),
        reset=tuple(str(one) for one in update.sequence("reset")),
        run_with=keys.mapping("runWith"),
    )


class _Keys:
    """Members found whatever their case; null counts as absent."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {str(key).lower(): value for key, value in values.items()}

    def text(self, name: str) -> str:
        value = self._values.get(name.lower())
        return "" if value is None else str(value)

    def number(self, name: str, default: float) -> float:
        value = self._values.get(name.lower())
        return value if isinstance(value, int | float) else default

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self._values.get(name.lower())
        return value if isinstance(value, Mapping) else {}

    def sequence(self, name: str) -> list[Any]:
        value = self._values.get(name.lower())
        return value if isinstance(value, list) else []
