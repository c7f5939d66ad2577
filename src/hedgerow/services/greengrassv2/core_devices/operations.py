"""Core devices as operators ask for them, and what a core device asks about itself.

Spec: Greengrass V2 API, "core devices". A record is made by the first health report, not by a call; a deleted one comes
back with the next report.
"""

from typing import Any

from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.greengrassv2.core_devices.errors import NoSuchCoreDevice
from hedgerow.services.greengrassv2.core_devices.model import CoreDevice, Installed
from hedgerow.services.greengrassv2.core_devices.ports import EffectiveDeployments, Groups
from hedgerow.services.greengrassv2.core_devices.store import CoreDeviceStore
from hedgerow.services.greengrassv2.errors import ValidationFailed
from hedgerow.services.iot.pages import Page, Pages
from hedgerow.store import Answer, Tx

ROUND = 200  # records that are looked at in one go when a list is filtered by group


class CoreDeviceOperations:
    """Reads and deletes core devices."""

    def __init__(
        self, *, store: CoreDeviceStore, groups: Groups, deployments: EffectiveDeployments, pages: Pages
    ) -> None:
        self._store = store
        self._groups = groups
        self._deployments = deployments
        self._pages = pages

    def get_core_device(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device = self._present(tx, request, caller)
        return Answer({**_listed(device), "coreVersion": device.version, "tags": dict(device.tags)})

    def list_core_devices(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        status, runtime, group_arn = request.get("status"), request.get("runtime") or "", request.get("thingGroupArn")
        page = self._pages.by_token(request, caller, "ListCoreDevices", status=status, runtime=runtime, group=group_arn)
        group = None if group_arn is None else _group(group_arn, caller)
        healthy = None if status is None else status == "HEALTHY"
        found = self._found(tx, caller, page, group, healthy, runtime)
        return Answer(page.answer("coreDevices", found, key=lambda one: (one.thing,), show=_listed))

    def _found(
        self, tx: Tx, caller: Caller, page: Page, group: str | None, healthy: bool | None, runtime: str
    ) -> list[CoreDevice]:
        found: list[CoreDevice] = []
        after = page.after()
        while len(found) < page.limit:
            size = page.limit if group is None else ROUND
            batch = self._store.list(tx, caller.account, healthy=healthy, runtime=runtime, after=after, limit=size)
            found += [one for one in batch if group is None or self._is_in(tx, caller, one.thing, group)]
            if len(batch) < size:
                break
            after = batch[-1].thing
        return found[: page.limit]

    def _is_in(self, tx: Tx, caller: Caller, thing: str, group: str) -> bool:
        return group in self._groups.lines_of(tx, caller.account, thing)

    def delete_core_device(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device = self._present(tx, request, caller)
        self._store.remove(tx, caller.account, device.thing)
        return Answer()

    def list_installed_components(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device = self._present(tx, request, caller)
        roots_only = (request.get("topologyFilter") or "ROOT") == "ROOT"
        page = self._pages.by_token(request, caller, "ListInstalledComponents", thing=device.thing, roots=roots_only)
        there = self._store.components(tx, caller.account, device.thing, after=page.after())
        wanted = [one for one in there if one.is_root or not roots_only][: page.limit]
        return Answer(page.answer("installedComponents", wanted, key=lambda one: (one.name,), show=_installed))

    def list_effective_deployments(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device = self._present(tx, request, caller)
        groups = self._groups.lines_of(tx, caller.account, device.thing)
        found = list(enumerate(self._deployments.of(tx, caller, device.thing, groups)))
        page = self._pages.by_token(request, caller, "ListEffectiveDeployments", thing=device.thing)
        at = page.after(0)
        rest = found[at : at + page.limit]
        return Answer(
            page.answer("effectiveDeployments", rest, key=lambda item: (item[0] + 1,), show=lambda item: item[1])
        )

    def list_thing_groups_for_core_device(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        """Answer the groups of a core device, each with its parents. A device in no group, or unknown, has none."""
        request.get("nextToken")  # a thing is in ten groups at most: there is one page
        names = self._groups.groups_of(tx, caller.account, request["coreDeviceThingName"])

        def shown(name: str) -> dict[str, Any]:
            return {"thingGroupName": name, "thingGroupArn": _group_arn(name, caller)}

        answer = []
        for name in names:
            group = self._groups.get(tx, caller.account, name)
            line = group.line if group is not None else ()
            answer.append({**shown(name), "rootToParentThingGroups": [shown(one) for one in line]})
        return Answer({"thingGroups": answer})

    def _present(self, tx: Tx, request: Request, caller: Caller) -> CoreDevice:
        thing = request["coreDeviceThingName"]
        device = self._store.get(tx, caller.account, thing)
        if device is None:
            raise NoSuchCoreDevice(thing)
        return device


def _group(text: str, caller: Caller) -> str:
    parts = parse(text)
    own = parts is not None and (parts.service, parts.account, parts.region) == ("iot", caller.account, caller.region)
    if parts is None or not own or not parts.resource.startswith("thinggroup/"):
        raise ValidationFailed(f"{text} is not the ARN of a thing group of yours.", field="thingGroupArn")
    return parts.resource.removeprefix("thinggroup/")


def _group_arn(name: str, caller: Caller) -> str:
    return arn("iot", caller.region, caller.account, f"thinggroup/{name}")


def _listed(device: CoreDevice) -> dict[str, Any]:
    members = {
        "coreDeviceThingName": device.thing,
        "status": "HEALTHY" if device.healthy else "UNHEALTHY",
        "lastStatusUpdateTimestamp": device.reported_at,
        "platform": device.platform,
        "architecture": device.architecture,
        "runtime": device.runtime,
    }
    return {name: value for name, value in members.items() if value}


def _installed(one: Installed) -> dict[str, Any]:
    members: dict[str, Any] = {
        "componentName": one.name,
        "componentVersion": one.version,
        "lifecycleState": one.state,
        "lifecycleStateDetails": one.details,
        "isRoot": one.is_root,
        "lastStatusChangeTimestamp": one.changed_at,
        "lastReportedTimestamp": one.reported_at,
        "lastInstallationSource": one.sources[0] if one.sources else "",
        "lifecycleStatusCodes": list(one.codes),
    }
    return {name: value for name, value in members.items() if value not in ("", None)}
