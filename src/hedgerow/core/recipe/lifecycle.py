"""What a component does on a device, step by step; keys are read without regard to case.

A manifest's own lifecycle is taken as it is. A recipe's global lifecycle may have selection keys at any level: where a
map has any, the first of the manifest's selections that is there replaces the map, and sections without keys stay.
Spec: Greengrass V2 component recipe reference, "Lifecycle".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from hedgerow.core.recipe.errors import RecipeError


class StepName(Enum):
    """The steps of a lifecycle."""

    BOOTSTRAP = "bootstrap"
    INSTALL = "install"
    STARTUP = "startup"
    RUN = "run"
    SHUTDOWN = "shutdown"
    RECOVER = "recover"
    UNINSTALL = "uninstall"


DEFAULT_TIMEOUT_S: Final[Mapping[StepName, float | None]] = {
    StepName.BOOTSTRAP: 120,
    StepName.INSTALL: 120,
    StepName.STARTUP: 120,
    StepName.RUN: None,
    StepName.SHUTDOWN: 15,
    StepName.RECOVER: 60,
    StepName.UNINSTALL: 120,
}
_STEPS: Final = {step.value: step for step in StepName}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a script for the shell, and how it is run."""

    script: str
    requires_privilege: bool = False
    skip_if: str | None = None  # `onpath X` or `exists F`, may start with `!`
    timeout_s: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The steps that a device takes, and the environment that all of them see."""

    steps: Mapping[StepName, Step] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def selected(lifecycle: Any, selections: Sequence[str], known: frozenset[str]) -> Any:
    """Answer the lifecycle for these selections, None where no section fits. `known` are all selection keys in use."""
    if not isinstance(lifecycle, Mapping):
        return lifecycle
    if any(key in known for key in lifecycle):
        chosen = next((key for key in selections if key in lifecycle), None)
        return None if chosen is None else selected(lifecycle[chosen], selections, known)
    below = ((key, selected(value, selections, known)) for key, value in lifecycle.items())
    return {key: value for key, value in below if value is not None}


def lifecycle(section: Mapping[str, Any]) -> Lifecycle:
    """Read a lifecycle whose selections have been made; raise RecipeError when it says something unknown."""
    steps: dict[StepName, Step] = {}
    environment: Mapping[str, str] = {}
    for key, value in section.items():
        if key.lower() == "setenv":
            environment = _environment(value, "Lifecycle")
            continue
        name = _STEPS.get(key.lower())
        if name is None:
            raise RecipeError(f"the lifecycle has no step {key!r}; known are: {', '.join(_STEPS)}, setenv")
        step = _step(name, value)
        if step is not None:
            steps[name] = step
    if StepName.RUN in steps and StepName.STARTUP in steps:
        raise RecipeError("a lifecycle has either startup or run, not both")
    return Lifecycle(steps=steps, environment=environment)


def _step(name: StepName, value: Any) -> Step | None:
    if value is None:
        return None
    if isinstance(value, str):
        return Step(script=value, timeout_s=DEFAULT_TIMEOUT_S[name])
    if not isinstance(value, Mapping):
        raise RecipeError(f"the step {name.value} must be a text or an object")
    members = {key.lower(): item for key, item in value.items()}
    unknown = sorted(set(members) - {"script", "requiresprivilege", "skipif", "timeout", "setenv"})
    if unknown and not (name is StepName.BOOTSTRAP and unknown == ["bootstraponrollback"]):
        raise RecipeError(f"the step {name.value} has no member {unknown[0]!r}")
    script = members.get("script")
    if not isinstance(script, str):
        raise RecipeError(f"the step {name.value} needs a Script")
    skip_if = members.get("skipif")
    return Step(
        script=script,
        requires_privilege=_truth(members.get("requiresprivilege", False), f"{name.value}.RequiresPrivilege"),
        skip_if=_skip_if(skip_if, name) if skip_if is not None else None,
        timeout_s=_timeout(members.get("timeout"), name),
        environment=_environment(members.get("setenv"), name.value),
    )


def _skip_if(value: Any, name: StepName) -> str:
    if not isinstance(value, str) or value.lstrip("!").strip().partition(" ")[0].lower() not in ("onpath", "exists"):
        raise RecipeError(f"{name.value}.Skipif must be 'onpath <program>' or 'exists <file>'")
    return value.strip()


def _timeout(value: Any, name: StepName) -> float | None:
    if value is None:
        return DEFAULT_TIMEOUT_S[name]
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1
    if isinstance(value, bool) or not 0 <= seconds < float("inf"):
        raise RecipeError(f"{name.value}.Timeout must be a number of seconds")
    return seconds


def _truth(value: Any, place: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise RecipeError(f"{place} must be true or false")


def _environment(value: Any, place: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RecipeError(f"{place}.Setenv must be an object")
    for name, item in value.items():
        if isinstance(item, Mapping | list):
            raise RecipeError(f"{place}.Setenv.{name} must be a text")
    return {str(name): _word(item) for name, item in value.items()}


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
