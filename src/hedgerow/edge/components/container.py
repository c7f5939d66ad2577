"""A Lambda component's `containerMode`: GreengrassContainer closes the machine's files but for what is named.

The function sees the system, its code, its working folder, a /tmp of its own, and the volumes and devices of
`containerParams`. A volume stands at its own path: another `destinationPath` is refused by name, as are further groups.
Spec: Greengrass V2, LambdaContainerParams, LambdaVolumeMount, LambdaDeviceMount.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from hedgerow.edge.deployments.failure import not_supported
from hedgerow.functions import View, system_view

CONTAINER: Final = "GreengrassContainer"
_MODES: Final = ("", CONTAINER, "NoContainer")


def container_view(name: str, configuration: Mapping[str, Any], *, sees: Iterable[Path]) -> View | None:
    """Answer what the component's function sees, with what every function of this edge needs; None for everything.

    Raises DeploymentFailed for what cannot be honoured, by its name.
    """
    mode = str(configuration.get("containerMode") or "")
    given = configuration.get("containerParams")
    parameters: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    if mode not in _MODES:
        raise not_supported(name, "containerMode", f"it is {CONTAINER} or NoContainer, not {mode!r}")
    volumes = [_volume(name, one) for one in _listed(name, parameters, "volumes")]
    devices = [_device(name, one) for one in _listed(name, parameters, "devices")]
    sysfs = str(parameters.get("mountROSysfs", False)).lower() == "true"
    if mode != CONTAINER:
        if volumes or devices or sysfs:
            raise not_supported(name, "containerParams", f"what it opens is closed in containerMode {CONTAINER} only")
        return None
    places = [*volumes, *devices]
    read = [place for place, writable in places if not writable]
    return system_view(read=[*sees, *read], write=[place for place, writable in places if writable], sysfs=sysfs)


def _listed(name: str, parameters: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    given = parameters.get(key) or []
    entries = list(given.values()) if isinstance(given, Mapping) else given
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        raise not_supported(name, f"containerParams.{key}", "each of them is an object")
    return entries


def _volume(name: str, one: Mapping[str, Any]) -> tuple[Path, bool]:
    source, target = str(one.get("sourcePath") or ""), str(one.get("destinationPath") or "")
    if source != target:
        why = f"a volume is seen at its own path: give {source!r} as destinationPath, not {target!r}"
        raise not_supported(name, "containerParams.volumes", why)
    return _place(name, "containerParams.volumes", source, one)


def _device(name: str, one: Mapping[str, Any]) -> tuple[Path, bool]:
    return _place(name, "containerParams.devices", str(one.get("path") or ""), one)


def _place(name: str, member: str, path: str, one: Mapping[str, Any]) -> tuple[Path, bool]:
    place, permission = Path(path), str(one.get("permission") or "ro")
    if str(one.get("addGroupOwner", False)).lower() == "true":
        raise not_supported(name, f"{member} (addGroupOwner)", "functions get no further groups")
    if permission not in ("ro", "rw"):
        raise not_supported(name, f"{member} (permission)", f"it is ro or rw, not {permission!r}")
    if not place.is_absolute() or not place.exists():
        raise not_supported(name, member, f"there is no {path!r} on this device")
    return place, permission == "rw"
