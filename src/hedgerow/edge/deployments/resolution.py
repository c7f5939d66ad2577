"""From what the groups want to the full list of components: versions that all requirements allow, with dependencies.

The cloud chooses the version (ResolveComponentCandidates); when it cannot be reached or refuses, and what is installed
meets every requirement, that stays. What this edge is itself (its own components) is never asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from hedgerow.core.recipe import Recipe, RecipeError, VersionError, parse_recipe, requirement
from hedgerow.edge.cloud import CloudRefused, Resolved
from hedgerow.edge.components.model import Component
from hedgerow.edge.deployments.failure import DeploymentFailed
from hedgerow.edge.trouble import Trouble

BUILT_IN: Final = frozenset(
    {
        "aws.greengrass.Nucleus",
        "aws.greengrass.TokenExchangeService",
        "aws.greengrass.LambdaLauncher",
        "aws.greengrass.LambdaManager",
        "aws.greengrass.LambdaRuntimes",
    }
)
"""What the edge does itself: a dependency on one of these is met by being here."""

_MOST_ROUNDS: Final = 500


class Resolver(Protocol):
    """Answers which version of a component fits. May be asked the same again."""

    async def resolve(
        self, name: str, requirements: Mapping[str, str], attributes: Mapping[str, str], *, known: str | None = None
    ) -> Resolved: ...


@dataclass(slots=True)
class _Found:
    resolved: Resolved
    recipe: Recipe


@dataclass(slots=True)
class Resolution:
    """One deployment's resolution."""

    resolver: Resolver
    attributes: Mapping[str, str]
    installed: Mapping[str, Component]
    wanted: dict[str, dict[str, str]] = field(default_factory=dict)  # component -> who asks -> requirement
    found: dict[str, _Found] = field(default_factory=dict)

    async def run(self, roots: Mapping[str, Mapping[str, str]]) -> dict[str, Resolved]:
        """Answer the chosen version of every root and everything below it; raise DeploymentFailed or Trouble."""
        for name, requirements in roots.items():
            self.wanted[name] = dict(requirements)
        open_ones = list(roots)
        for _ in range(_MOST_ROUNDS):
            if not open_ones:
                return {name: self.found[name].resolved for name in self.reachable(roots)}
            name = open_ones.pop()
            if not self._satisfied(name):
                await self._choose(name)
                open_ones.extend(self._ask_below(name))
        raise DeploymentFailed(f"the dependencies do not settle after {_MOST_ROUNDS} steps", "DEPENDENCY_ERROR")

    def _satisfied(self, name: str) -> bool:
        found = self.found.get(name)
        return found is not None and _allows(self.wanted[name], found.resolved.version, name)

    async def _choose(self, name: str) -> None:
        requirements = self.wanted[name]
        _allows(requirements, "0.0.0", name)  # raises when one of them cannot be read
        here = self.installed.get(name)
        local = here if here is not None and _allows(requirements, here.version, name) else None
        try:
            chosen = await self.resolver.resolve(
                name, requirements, self.attributes, known=local.version if local else None
            )
        except Trouble as error:
            if local is not None:
                chosen = Resolved(name=name, version=local.version, arn=local.arn, recipe_text=local.recipe_text)
            elif isinstance(error, CloudRefused):
                raise _refused(name, requirements, error) from error
            else:
                raise
        if not _allows(requirements, chosen.version, name):
            asked = ", ".join(f"{text} ({by})" for by, text in requirements.items())
            raise DeploymentFailed(
                f"the cloud chose {name} {chosen.version}, which does not meet {asked}",
                "COMPONENT_VERSION_REQUIREMENTS_NOT_MET",
                types=("DEPENDENCY_ERROR",),
            )
        self.found[name] = _Found(chosen, _recipe(chosen))

    def _ask_below(self, name: str) -> list[str]:
        """Hand the component's requirements to what it depends on; answer who has to be looked at (again)."""
        for requirements in self.wanted.values():
            requirements.pop(name, None)
        below = []
        for other, dependency in self.found[name].recipe.dependencies.items():
            if other in BUILT_IN:
                continue
            self.wanted.setdefault(other, {})[name] = str(dependency.requirement)
            below.append(other)
        return below

    def reachable(self, roots: Mapping[str, object]) -> set[str]:
        """Answer the names of these components and of all below them; after `run`."""
        seen: set[str] = set()
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            waiting.extend(other for other in self.found[name].recipe.dependencies if other not in BUILT_IN)
        return seen


def _allows(requirements: Mapping[str, str], version: str, name: str) -> bool:
    try:
        answers = [requirement(text).allows(version) for text in requirements.values()]  # every one is read
    except VersionError as error:
        raise DeploymentFailed(f"{name}: {error}", "COMPONENT_VERSION_REQUIREMENTS_NOT_MET") from error
    return all(answers)


def _recipe(chosen: Resolved) -> Recipe:
    try:
        recipe = parse_recipe(chosen.recipe_text)
    except RecipeError as error:
        raise DeploymentFailed(
            f"the recipe of {chosen.name} {chosen.version} cannot be read: {error}",
            "RECIPE_PARSE_ERROR",
            types=("COMPONENT_RECIPE_ERROR",),
        ) from error
    if (recipe.name, str(recipe.version)) != (chosen.name, chosen.version):
        raise DeploymentFailed(
            f"the recipe of {chosen.name} {chosen.version} is for {recipe.name} {recipe.version}", "RECIPE_PARSE_ERROR"
        )
    return recipe


def _refused(name: str, requirements: Mapping[str, str], error: CloudRefused) -> DeploymentFailed:
    asked = ", ".join(f"{text} ({by})" for by, text in requirements.items())
    if error.status == 403:
        return DeploymentFailed(
            f"this core may not ask which version of {name} fits: {error}",
            "RESOLVE_COMPONENT_CANDIDATES_ACCESS_DENIED",
            types=("PERMISSION_ERROR",),
        )
    if error.status == 404:
        return DeploymentFailed(
            f"there is no version of {name} that meets {asked} on this platform: {error}",
            "NO_AVAILABLE_COMPONENT_VERSION",
            types=("DEPENDENCY_ERROR",),
        )
    return DeploymentFailed(
        f"no version of {name} could be chosen: {error}",
        "RESOLVE_COMPONENT_CANDIDATES_BAD_RESPONSE",
        types=("CLOUD_SERVICE_ERROR",),
    )
