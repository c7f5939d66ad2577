"""What is installed on a core: components, and a generation, which is all of them together at one time.

A generation is one value: a deployment makes a new one, and the switch from one to the next is one row in the state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from hedgerow.core.recipe import Recipe, parse_recipe


class ComponentState(Enum):
    """How a component stands, in the nucleus' word."""

    NEW = "NEW"
    INSTALLED = "INSTALLED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    ERRORED = "ERRORED"
    BROKEN = "BROKEN"
    FINISHED = "FINISHED"


_parsed = lru_cache(maxsize=128)(parse_recipe)  # values; asked for again and again

GOOD = frozenset({ComponentState.RUNNING, ComponentState.FINISHED})
BAD = frozenset({ComponentState.ERRORED, ComponentState.BROKEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One installed component: its recipe, its configuration, where it came from."""

    name: str
    version: str
    arn: str
    recipe_text: str
    configuration: Mapping[str, Any] = field(default_factory=dict)
    run_with: Mapping[str, Any] = field(default_factory=dict)
    root: bool = False
    fleet_arns: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        return _parsed(self.recipe_text)

    def runs_as(self, other: "Component | None") -> bool:
        """Tell whether a running instance of the other needs no restart to be this one."""
        return other is not None and (
            (self.version, self.arn, self.recipe_text, self.configuration, self.run_with)
            == (other.version, other.arn, other.recipe_text, other.configuration, other.run_with)
        )

    def as_values(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "arn": self.arn,
            "recipe": self.recipe_text,
            "configuration": dict(self.configuration),
            "run_with": dict(self.run_with),
            "root": self.root,
            "fleet_arns": list(self.fleet_arns),
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Component":
        return cls(
            name=values["name"],
            version=values["version"],
            arn=values["arn"],
            recipe_text=values["recipe"],
            configuration=values["configuration"],
            run_with=values["run_with"],
            root=values["root"],
            fleet_arns=tuple(values["fleet_arns"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What one target's last deployment wants: `thing/T` or `thinggroup/G`."""

    configuration_arn: str
    created_at_ms: int
    roots: Mapping[str, Mapping[str, Any]]  # component -> {"version": …, "run_with": …}

    def as_values(self) -> dict[str, Any]:
        return {
            "configuration_arn": self.configuration_arn,
            "created_at_ms": self.created_at_ms,
            "roots": {name: dict(root) for name, root in self.roots.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Everything that is installed at one time."""

    number: int = 0
    components: Mapping[str, Component] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)

    def as_values(self) -> dict[str, Any]:
        return {
            "components": [one.as_values() for one in self.components.values()],
            "groups": {name: group.as_values() for name, group in self.groups.items()},
        }

    @classmethod
    def of(cls, number: int, values: Mapping[str, Any]) -> "Generation":
        components = [Component.of(one) for one in values["components"]]
        return cls(
            number=number,
            components={one.name: one for one in components},
            groups={name: Group(**group) for name, group in values["groups"].items()},
        )

    def in_order(self) -> list[Component]:
        """Answer the components, each after those that it depends on (a cycle is cut where it closes)."""
        ordered: dict[str, Component] = {}
        visiting: set[str] = set()

        def visit(component: Component) -> None:
            if component.name in ordered or component.name in visiting:
                return
            visiting.add(component.name)
            for name in component.recipe.dependencies:
                if name in self.components:
                    visit(self.components[name])
            ordered[component.name] = component

        for name in sorted(self.components):
            visit(self.components[name])
        return list(ordered.values())
