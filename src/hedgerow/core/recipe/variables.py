"""Recipe variables: `{configuration:/port}`, `{artifacts:path}`, `{other.component:work:path}`, `{iot:thingName}`.

What cannot be resolved stays in the text literally, as the nucleus leaves it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hedgerow.core.recipe.configuration import find, pointer
from hedgerow.core.recipe.errors import ConfigurationError

_VARIABLE = re.compile(r"\{(?:([^:{}\s]+):)?([^:{}\s]+):([^:{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """What a component's own variables stand for."""

    artifacts: str = ""
    decompressed: str = ""
    work: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Everything that the variables of one component can name: its own, its direct dependencies', the device's."""

    own: Paths
    dependencies: Mapping[str, Paths] = field(default_factory=dict)
    root_path: str = ""
    thing_name: str = ""

    def maybe_value(self, component: str | None, namespace: str, key: str) -> str | None:
        """Answer what a variable stands for, or None when nothing does."""
        if component is None and namespace == "kernel":
            return self.root_path if key == "rootPath" else None
        if component is None and namespace == "iot":
            return self.thing_name if key == "thingName" else None
        paths = self.own if component is None else self.dependencies.get(component)
        return None if paths is None else _of(paths, namespace, key)


def interpolate(text: str, variables: Variables) -> str:
    """Answer the text with every variable that can be resolved replaced, once (values are not read again)."""

    def replaced(match: re.Match[str]) -> str:
        value = variables.maybe_value(match[1], match[2], match[3])
        return match[0] if value is None else value

    return _VARIABLE.sub(replaced, text)


def interpolate_all(value: Any, variables: Variables) -> Any:
    """Answer a JSON value with the variables in all its texts (not in its keys) replaced."""
    if isinstance(value, str):
        return interpolate(value, variables)
    if isinstance(value, Mapping):
        return {key: interpolate_all(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [interpolate_all(item, variables) for item in value]
    return value


def _of(paths: Paths, namespace: str, key: str) -> str | None:
    if namespace == "configuration":
        return _configured(paths.configuration, key)
    if namespace == "artifacts" and key == "path":
        return paths.artifacts
    if namespace == "artifacts" and key == "decompressedPath":
        return paths.decompressed
    if namespace == "work" and key == "path":
        return paths.work
    return None


def _configured(configuration: Mapping[str, Any], key: str) -> str | None:
    try:
        found, value = find(configuration, pointer(key))
    except ConfigurationError:
        return None
    if not found:
        return None
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
