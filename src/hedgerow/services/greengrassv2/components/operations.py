"""Components as authors and core devices ask for them. Spec: Greengrass V2 API, "components"."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from hedgerow.core.caller import Caller
from hedgerow.core.recipe import VersionError, requirement
from hedgerow.core.request import Request
from hedgerow.services.greengrassv2 import arns
from hedgerow.services.greengrassv2.components.errors import NoSuchComponent, NoUsableVersion
from hedgerow.services.greengrassv2.components.model import Component
from hedgerow.services.greengrassv2.components.store import ComponentStore
from hedgerow.services.greengrassv2.errors import ValidationFailed
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx


class ComponentOperations:
    """Reads and deletes component versions, and chooses them for core devices."""

    def __init__(self, *, store: ComponentStore, pages: Pages) -> None:
        self._store = store
        self._pages = pages

    def get_component(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        component = self._present(tx, request, caller)
        form = request.get("recipeOutputFormat") or "JSON"
        text = component.recipe
        if form == "YAML":
            text = yaml.safe_dump(dict(component.parsed().document), sort_keys=False, allow_unicode=True)
        response = {"recipeOutputFormat": form, "recipe": text.encode("utf-8"), "tags": dict(component.tags)}
        return Answer(response)

    def describe_component(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        component = self._present(tx, request, caller)
        name = arns.ComponentName(component.owner, component.name, component.version)
        return Answer(
            {
                "arn": name.arn(caller.region),
                "componentName": component.name,
                "componentVersion": component.version,
                "status": {"componentState": "DEPLOYABLE", "message": "NONE", "errors": {}},
                "tags": dict(component.tags),
                **_about(component),
            }
        )

    def list_components(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        scope = request.get("scope") or "PRIVATE"
        owner = arns.PUBLIC if scope == "PUBLIC" else caller.account
        page = self._pages.by_token(request, caller, "ListComponents", scope=scope)
        names = self._store.names(tx, owner, after=page.after(), limit=page.limit)

        def shown(name: str) -> dict[str, Any]:
            latest = self._store.versions(tx, owner, name)[0]
            return {
                "arn": arns.ComponentName(owner, name).arn(caller.region),
                "componentName": name,
                "latestVersion": {
                    "arn": arns.ComponentName(owner, name, latest.version).arn(caller.region),
                    "componentVersion": latest.version,
                    **_about(latest),
                },
            }

        return Answer(page.answer("components", names, key=lambda name: (name,), show=shown))

    def list_component_versions(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        asked = arns.component(request["arn"], caller, versioned=False)
        versions = self._store.versions(tx, asked.owner, asked.name)
        if not versions:
            raise NoSuchComponent(request["arn"])
        page = self._pages.by_token(request, caller, "ListComponentVersions", arn=request["arn"])
        at = page.after(0)
        rest = list(enumerate(versions))[at : at + page.limit]

        def shown(item: tuple[int, Component]) -> dict[str, Any]:
            one = item[1]
            arn = arns.ComponentName(one.owner, one.name, one.version).arn(caller.region)
            return {"componentName": one.name, "componentVersion": one.version, "arn": arn}

        return Answer(page.answer("componentVersions", rest, key=lambda item: (item[0] + 1,), show=shown))

    def delete_component(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        component = self._present(tx, request, caller)
        if component.owner == arns.PUBLIC:
            raise ValidationFailed("Public components cannot be deleted.", field="arn")
        self._store.remove(tx, component)
        return Answer()

    def resolve_component_candidates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        platform = request.get("platform")
        attributes: Mapping[str, str] = {}
        if platform is not None:
            platform.get("name")  # only a name for people
            attributes = platform.take_all("attributes") or {}
        chosen = [self._chosen(tx, one, attributes, caller) for one in request.get("componentCandidates") or ()]
        return Answer({"resolvedComponentVersions": [_resolved(one, caller) for one in chosen]})

    def _chosen(self, tx: Tx, candidate: Request, attributes: Mapping[str, str], caller: Caller) -> Component:
        """Answer the version that the device has, where it will do; else the newest that will."""
        name, has = candidate.get("componentName") or "", candidate.get("componentVersion")
        wanted = candidate.take_all("versionRequirements") or {}
        try:
            requirements = [requirement(text) for text in wanted.values()]
        except VersionError as error:
            raise ValidationFailed(str(error), field="versionRequirements") from error
        versions = self._store.visible(tx, caller.account, name)
        allowed = [one for one in versions if all(each.allows(one.ordered) for each in requirements)]
        if not allowed:
            asked = ", ".join(f"{text} ({by})" for by, text in wanted.items()) or "*"
            there = ", ".join(one.version for one in versions) or "none"
            raise NoUsableVersion(
                f"There is no usable version of component {name} for {asked}; the cloud has: {there}.", name
            )
        preferred = sorted(allowed, key=lambda one: one.version != has)  # stable: the rest stays newest first
        chosen = next((one for one in preferred if one.parsed().maybe_manifest(attributes) is not None), None)
        if chosen is None:
            raise NoUsableVersion(
                f"Component {name} {allowed[0].version} does not claim platform compatibility with "
                f"{dict(sorted(attributes.items()))}.",
                name,
            )
        return chosen

    def _present(self, tx: Tx, request: Request, caller: Caller) -> Component:
        asked = arns.component(request["arn"], caller, versioned=True)
        component = self._store.get(tx, asked.owner, asked.name, asked.version or "")
        if component is None:
            raise NoSuchComponent(request["arn"])
        return component


def _resolved(one: Component, caller: Caller) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "arn": arns.ComponentName(one.owner, one.name, one.version).arn(caller.region),
        "componentName": one.name,
        "componentVersion": one.version,
        "recipe": one.for_devices().encode("utf-8"),
        "vendorGuidance": "ACTIVE",
    }
    return answer | ({"message": one.message} if one.message else {})


def _about(component: Component) -> dict[str, Any]:
    recipe = component.parsed()
    platforms: Sequence[dict[str, Any]] = [
        ({"name": one.name} if one.name else {}) | {"attributes": dict(one.platform)} for one in recipe.manifests
    ]
    about = {"creationTimestamp": component.created_at, "platforms": platforms}
    if recipe.description:
        about["description"] = recipe.description
    if recipe.publisher:
        about["publisher"] = recipe.publisher
    return about
