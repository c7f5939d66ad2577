"""Everything of a deployment that changes nothing that runs: groups, versions, files, configuration, checks.

Answers the complete next generation, with all its files checked and on disk; may be done again after a crash.
"""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol

from hedgerow.base.log import get_logger
from hedgerow.core.recipe import ConfigurationError, Recipe, parse_recipe, updated
from hedgerow.edge.cloud import CloudRefused, Resolved
from hedgerow.edge.components.model import Component, Generation, Group
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.deployments.artifacts import Artifacts
from hedgerow.edge.deployments.document import Document, Wanted
from hedgerow.edge.deployments.failure import DeploymentCanceled, DeploymentFailed, DeploymentRejected
from hedgerow.edge.deployments.resolution import BUILT_IN, Resolution, Resolver

NUCLEUS: Final = "aws.greengrass.Nucleus"
_log = get_logger("edge.deployments")


class DataPlane(Resolver, Protocol):
    """What preparing needs of the cloud."""

    async def thing_groups(self) -> set[str]: ...
    async def artifact_url(self, component_arn: str, artifact: str) -> str: ...


class Preparation:
    """Prepares deployments for one core."""

    def __init__(
        self, *, cloud: DataPlane, artifacts: Artifacts, supervisor: Supervisor, attributes: Mapping[str, str]
    ) -> None:
        self._cloud = cloud
        self._artifacts = artifacts
        self._supervisor = supervisor
        self._attributes = attributes

    async def prepare(self, document: Document, active: Generation, cancelled: threading.Event) -> Generation:
        """Answer the generation that the deployment wants; raise DeploymentFailed, DeploymentRejected or Trouble."""
        _refuse_stale(document, active)
        groups = await self._groups(document, active)
        wanted = {name: one for name, one in document.components.items() if not _built_in(name, one)}
        groups[document.group] = Group(
            configuration_arn=document.configuration_arn,
            created_at_ms=document.created_at_ms,
            roots={name: {"version": one.version, "run_with": dict(one.run_with)} for name, one in wanted.items()},
        )
        roots = _roots(groups)
        resolution = Resolution(self._cloud, self._attributes, active.components)
        resolved = await resolution.run(roots)
        led_to = _led_to(groups, resolution)
        components = {
            name: self._component(one, groups, led_to[name], wanted.get(name), active.components.get(name))
            for name, one in resolved.items()
        }
        for component in components.values():
            if cancelled.is_set():
                raise DeploymentCanceled
            await self._fetch(component, cancelled)
        candidate = Generation(components=components, groups=groups)
        await self._supervisor.check(candidate)
        return candidate

    async def clear(self, active: Generation) -> None:
        """Remove the files of versions that no longer run."""
        kept = {(one.name, one.version) for one in active.components.values()}
        await asyncio.to_thread(self._artifacts.clear, kept)

    async def _groups(self, document: Document, active: Generation) -> dict[str, Group]:
        """Answer what the other targets want; groups that the thing has left want nothing any more."""
        groups = dict(active.groups)
        try:
            member_of = await self._cloud.thing_groups()
        except CloudRefused as error:
            fields = {"cause": str(error)}
            _log.warning("the cloud does not say which groups this core is in", extra={"fields": fields})
            return groups
        return {
            name: group
            for name, group in groups.items()
            if not name.startswith("thinggroup/") or name.removeprefix("thinggroup/") in member_of
        }

    def _component(
        self,
        resolved: Resolved,
        groups: Mapping[str, Group],
        fleet_arns: tuple[str, ...],
        wanted: Wanted | None,
        here: Component | None,
    ) -> Component:
        recipe = parse_recipe(resolved.recipe_text)
        wanting = [group for group in groups.values() if resolved.name in group.roots]
        run_with = next((dict(group.roots[resolved.name]["run_with"]) for group in reversed(wanting)), {})
        return Component(
            name=resolved.name,
            version=resolved.version,
            arn=resolved.arn,
            recipe_text=resolved.recipe_text,
            configuration=_configuration(recipe, wanted, here),
            run_with=run_with,
            root=bool(wanting),
            fleet_arns=fleet_arns,
        )

    async def _fetch(self, component: Component, cancelled: threading.Event) -> None:
        manifest = component.recipe.maybe_manifest(self._attributes)
        if manifest is None:
            raise DeploymentFailed(
                f"{component.name} {component.version} has no manifest for this platform",
                "RECIPE_MISSING_MANIFEST",
                types=("COMPONENT_RECIPE_ERROR",),
            )
        for artifact in manifest.artifacts:

            async def url(name: str = artifact.name) -> str:
                return await self._cloud.artifact_url(component.arn, name)

            await self._artifacts.fetch(component.name, component.version, artifact, url, cancelled=cancelled)


def _refuse_stale(document: Document, active: Generation) -> None:
    known = active.groups.get(document.group)
    if known is not None and document.created_at_ms < known.created_at_ms:
        raise DeploymentRejected(
            f"this deployment of {document.group} is older than the one that this core has ({known.configuration_arn})"
        )


def _built_in(name: str, wanted: Wanted) -> bool:
    """Tell whether it is a part of the edge itself. Its configuration cannot be changed from afar yet."""
    if name not in BUILT_IN:
        return False
    if wanted.merge or wanted.reset:
        raise DeploymentFailed(
            f"{name} is a part of this edge and cannot be configured by a deployment",
            "COMPONENT_CONFIGURATION_NOT_VALID",
        )
    return True


def _roots(groups: Mapping[str, Group]) -> dict[str, dict[str, str]]:
    roots: dict[str, dict[str, str]] = {}
    for target, group in groups.items():
        for name, root in group.roots.items():
            roots.setdefault(name, {})[target] = _exactly(root)
    return roots


def _led_to(groups: Mapping[str, Group], resolution: Resolution) -> dict[str, tuple[str, ...]]:
    """Answer for each component the configurations that brought it, itself or below something else."""
    found: dict[str, tuple[str, ...]] = {}
    for group in groups.values():
        for name in resolution.reachable(group.roots):
            found[name] = (*found.get(name, ()), group.configuration_arn)
    return found


def _exactly(root: Mapping[str, Any]) -> str:
    version = str(root["version"])
    return f"={version}" if version[:1].isdigit() else version


def _configuration(recipe: Recipe, wanted: Wanted | None, here: Component | None) -> dict[str, Any]:
    current = here.configuration if here is not None else None
    try:
        return updated(
            current,
            recipe.defaults,
            reset=wanted.reset if wanted is not None else (),
            merge=wanted.merge if wanted is not None else None,
        )
    except ConfigurationError as error:
        raise DeploymentFailed(
            f"the configuration update of {recipe.name} cannot be applied: {error}", "COMPONENT_CONFIGURATION_NOT_VALID"
        ) from error
