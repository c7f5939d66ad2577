"""What a job asks for: a document of steps, in the form that AWS's device client and its managed templates use.

`{"version": "1.0", "includeStdOut": true, "conditions": [...], "steps": [{"action": {...}}], "finalStep": {...}}`, and
the older `{"operation": "name", "args": [...]}`. What is not understood is refused, with the member's path, before
anything runs. Leaves to others: where handlers are (`handlers.py`), what actions do (`actions.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.base.errors import HedgerowError

VERSION: Final = "1.0"
MOST_STEPS: Final = 100
_DOCUMENT: Final = frozenset({"version", "includeStdOut", "conditions", "steps", "finalStep", "_comment"})
_OLDER: Final = frozenset({"operation", "args", "path", "includeStdOut", "allowStdErr", "runAsUser", "_comment"})
_ACTION: Final = frozenset({"name", "type", "input", "runAsUser", "allowStdErr", "ignoreStepFailure", "_comment"})
_INPUTS: Final[Mapping[str, frozenset[str]]] = {
    "runHandler": frozenset({"handler", "args", "path"}),
    "runCommand": frozenset({"command"}),
    "runScript": frozenset({"script"}),
    "reboot": frozenset(),
    "rotateCertificate": frozenset(),
    "collectLogs": frozenset({"uploadUrl"}),
}


class NotUnderstood(HedgerowError):
    """The document asks for something that this edge does not know; the job is rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action. `input` holds what its type needs, checked."""

    name: str
    kind: str
    input: Mapping[str, Any] = field(default_factory=dict)
    user: str = ""
    most_error_lines: int | None = None
    may_fail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A platform attribute that must have one of these values."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A job's document: its steps in order, the final one last."""

    steps: tuple[Step, ...]
    conditions: tuple[Condition, ...] = ()
    with_output: bool = False

    def unmet(self, attributes: Mapping[str, str]) -> str | None:
        """Say which condition this platform does not meet, None when it meets them all."""
        for condition in self.conditions:
            if condition.key not in attributes:
                known = ", ".join(sorted(attributes))
                return f"a condition asks for {condition.key}; this edge knows {known}"
            if attributes[condition.key] not in condition.values:
                wanted = " or ".join(condition.values)
                return (
                    f"the job is for devices whose {condition.key} is {wanted}; here it is {attributes[condition.key]}"
                )
        return None


def read(value: Any) -> Document:
    """Read a job's document; raise NotUnderstood, with the member's path, for what it must not or does not say."""
    document = _mapping(value, "the document")
    if "operation" in document:
        return _older(document)
    _known(document, _DOCUMENT, "the document")
    version = document.get("version", VERSION)
    if str(version) != VERSION:
        raise NotUnderstood(f"version {version!r} is not known; this edge reads {VERSION}")
    steps = _list(document.get("steps"), "steps")
    if not 1 <= len(steps) <= MOST_STEPS:
        raise NotUnderstood(f"steps must have 1 to {MOST_STEPS} entries, not {len(steps)}")
    read_steps = [_step(step, f"steps[{number}]") for number, step in enumerate(steps)]
    if document.get("finalStep") is not None:
        read_steps.append(_step(document["finalStep"], "finalStep"))
    conditions = _list(document.get("conditions") or [], "conditions")
    return Document(
        steps=tuple(read_steps),
        conditions=tuple(_condition(one, f"conditions[{number}]") for number, one in enumerate(conditions)),
        with_output=_flag(document.get("includeStdOut"), "includeStdOut"),
    )


def _older(document: Mapping[str, Any]) -> Document:
    _known(document, _OLDER, "the document")
    handler = _text(document["operation"], "operation")
    given: dict[str, Any] = {"handler": handler, "args": _texts(document.get("args") or [], "args")}
    if document.get("path") is not None:
        given["path"] = _text(document["path"], "path", empty=True)
    step = Step(
        name=handler,
        kind="runHandler",
        input=given,
        user=_text(document.get("runAsUser") or "", "runAsUser", empty=True),
        most_error_lines=_count(document.get("allowStdErr"), "allowStdErr"),
    )
    return Document(steps=(step,), with_output=_flag(document.get("includeStdOut"), "includeStdOut"))


def _step(value: Any, path: str) -> Step:
    step = _mapping(value, path)
    _known(step, frozenset({"action", "_comment"}), path)
    path = f"{path}.action"
    action = _mapping(step.get("action"), path)
    _known(action, _ACTION, path)
    kind = _text(action.get("type"), f"{path}.type")
    if kind not in _INPUTS:
        raise NotUnderstood(f"{path}.type {kind!r} is not known; this edge knows {', '.join(sorted(_INPUTS))}")
    return Step(
        name=_text(action.get("name") or kind, f"{path}.name"),
        kind=kind,
        input=_input(kind, action.get("input"), f"{path}.input"),
        user=_text(action.get("runAsUser") or "", f"{path}.runAsUser", empty=True),
        most_error_lines=_count(action.get("allowStdErr"), f"{path}.allowStdErr"),
        may_fail=_flag(action.get("ignoreStepFailure"), f"{path}.ignoreStepFailure"),
    )


def _input(kind: str, value: Any, path: str) -> dict[str, Any]:
    given = _mapping({} if value is None else value, path)
    _known(given, _INPUTS[kind], path)
    match kind:
        case "runHandler":
            found: dict[str, Any] = {"handler": _text(given.get("handler"), f"{path}.handler")}
            found["args"] = _texts(given.get("args") or [], f"{path}.args")
            if given.get("path") is not None:
                found["path"] = _text(given["path"], f"{path}.path", empty=True)
            return found
        case "runCommand":
            return {"command": command_of(_text(given.get("command"), f"{path}.command"))}
        case "runScript":
            return {"script": _text(given.get("script"), f"{path}.script")}
        case "collectLogs":
            url = _text(given.get("uploadUrl"), f"{path}.uploadUrl")
            if not url.startswith("https://"):
                raise NotUnderstood(f"{path}.uploadUrl must begin with https://")
            return {"uploadUrl": url}
        case _:
            return {}


def command_of(text: str) -> list[str]:
    r"""Split a command at its commas, as AWS's device client does; `\,` is a comma."""
    words = text.replace("\\,", "\0").split(",")
    return [word.replace("\0", ",").strip() for word in words]


def _condition(value: Any, path: str) -> Condition:
    given = _mapping(value, path)
    _known(given, frozenset({"key", "value", "type", "_comment"}), path)
    kind = given.get("type") or "stringEqual"
    if kind != "stringEqual":
        raise NotUnderstood(f"{path}.type {kind!r} is not known; this edge knows stringEqual")
    values = given.get("value")
    values = [values] if isinstance(values, str) else values
    return Condition(key=_text(given.get("key"), f"{path}.key"), values=tuple(_texts(values, f"{path}.value")))


def _known(given: Mapping[str, Any], names: frozenset[str], path: str) -> None:
    unknown = sorted(set(given) - names)
    if unknown:
        raise NotUnderstood(f"{path} has members that this edge does not know: {', '.join(unknown)}")


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NotUnderstood(f"{path} must be an object")
    return value


def _list(value: Any, path: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise NotUnderstood(f"{path} must be a list")
    return value


def _texts(value: Any, path: str) -> list[str]:
    return [_text(one, f"{path}[{number}]", empty=True) for number, one in enumerate(_list(value, path))]


def _text(value: Any, path: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or (not value and not empty) or "\0" in value:
        raise NotUnderstood(f"{path} must be a text")
    return value


def _flag(value: Any, path: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    if str(value).lower() in ("true", "false"):  # managed templates fill parameters in as texts
        return str(value).lower() == "true"
    raise NotUnderstood(f"{path} must be true or false")


def _count(value: Any, path: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        raise NotUnderstood(f"{path} must be a number of lines")
    return int(value)
