"""References and functions of a template: `Ref`, `Fn::Join`, `Fn::Select`, `Fn::Split`, `Fn::FindInMap`, `Fn::Sub`.

`check` looks at their form, when a template is made; `evaluate` fills them in, when a device comes. Both are bounded:
in depth, and in the length of any text, so that a small template cannot make a large answer.
Spec: AWS IoT provisioning templates; `${!X}` in Fn::Sub stands for a literal `${X}`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.base.errors import HedgerowError

DEEPEST: Final = 32
LONGEST: Final = 65536
_PLACE: Final = re.compile(r"\$\{(!?)([^{}]*)\}")


class BadFunction(HedgerowError):
    """A function that there is not, or whose arguments have the wrong form or no answer; `name` is its name.

    `path` says where it stands, as far as that is known.
    """

    def __init__(self, name: str, path: str = "") -> None:
        super().__init__(f"invalid {name}")
        self.name = name
        self.path = path


class CannotResolve(HedgerowError):
    """A reference to something that has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cannot resolve reference value: {name}")
        self.name = name


class UnsafeValue(HedgerowError):
    """A device's own text that may not be used: in a policy it would change what that says, or it is none anywhere."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the value of {name} {why}")
        self.name = name


class TooLong(HedgerowError):
    """A text would be longer than any text may be."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What references and maps mean: parameters by name, `Mappings` by map and two keys."""

    values: Mapping[str, str]
    mappings: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def value(self, name: str) -> str:
        """Answer what the name stands for; raise CannotResolve when it stands for nothing."""
        try:
            return self.values[name]
        except KeyError:
            raise CannotResolve(name) from None


_CHANGES_A_POLICY: Final = re.compile(r'[*?#+${}"\\\x00-\x1f]')
"""What is more than a name there: patterns of policies and of topic filters, variables, and what ends a JSON text."""


@dataclass(frozen=True, slots=True)
class GuardedScope(Scope):
    """A scope for policy documents: what a device says of itself may be a name in them, but no pattern and no JSON."""

    own: Mapping[str, str]  # what the device says

    def value(self, name: str) -> str:
        """Answer what the name stands for; raise UnsafeValue for what would change the policy's meaning."""
        found = Scope.value(self, name)
        if name in self.own and _CHANGES_A_POLICY.search(found):
            raise UnsafeValue(name, 'may not become part of a policy: it has one of * ? # + $ { } " \\ in it')
        return found


def function_of(value: Any) -> tuple[str, Any] | None:
    """Answer (name, argument) when the value is a function, None when it is plain; raise BadFunction when neither."""
    if not isinstance(value, Mapping):
        return None
    names = [name for name in value if name == "Ref" or name.startswith("Fn::")]
    if not names:
        return None
    if len(value) != 1 or names[0] not in _EVALUATE:
        raise BadFunction(names[0])
    return names[0], value[names[0]]


def check(value: Any, path: str = "", depth: int = 0) -> None:
    """Raise BadFunction, with the path, when anything in the value is no good whatever the parameters are."""
    if depth > DEEPEST:
        raise BadFunction("nesting", path)
    try:
        function = function_of(value)
    except BadFunction as error:
        raise BadFunction(error.name, path) from None
    if function is not None:
        name, argument = function
        if not _FORMS[name](argument):
            raise BadFunction(name, path)
        check(argument, path, depth + 1)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            check(part, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            check(part, f"{path}[{index}]", depth + 1)


def references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Answer (path, name) of everything that the value, whose form was checked, refers to; `path` says where it is."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            here = f"{path}.{key}"
            if key == "Ref":
                yield path, str(part)
            elif key == "Fn::Sub":
                text, given = (part, {}) if isinstance(part, str) else (part[0], part[1])
                for literal, name in _PLACE.findall(text):
                    if not literal and name not in given:
                        yield here, name
                yield from references(given, here)
            else:
                yield from references(part, here)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from references(part, f"{path}[{index}]")


def evaluate(value: Any, scope: Scope, depth: int = 0) -> Any:
    """Answer the value with every reference and function filled in; numbers and truth values become text.

    Raises CannotResolve, BadFunction or TooLong.
    """
    if depth > DEEPEST:
        raise BadFunction("nesting")
    function = function_of(value)
    if function is not None:
        name, argument = function
        return _EVALUATE[name](argument, scope, depth + 1)
    if isinstance(value, Mapping):
        return {key: evaluate(part, scope, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [evaluate(part, scope, depth + 1) for part in value]
    return plain(value)


def plain(value: Any) -> Any:
    """Answer a number or truth value as text, everything else as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise TooLong(f"a text of more than {LONGEST} characters")
    return text


def _text(name: str, value: Any, scope: Scope, depth: int) -> str:
    found = evaluate(value, scope, depth)
    if not isinstance(found, str):
        raise BadFunction(name)
    return found


def _texts(name: str, value: Any, scope: Scope, depth: int) -> list[str]:
    found = evaluate(value, scope, depth)
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise BadFunction(name)
    return found


def _arguments(name: str, argument: Any, count: int) -> list[Any]:
    if not isinstance(argument, list) or len(argument) != count:
        raise BadFunction(name)
    return argument


def _ref(argument: Any, scope: Scope, depth: int) -> str:
    if not isinstance(argument, str):
        raise BadFunction("Ref")
    return scope.value(argument)


def _join(argument: Any, scope: Scope, depth: int) -> str:
    separator, parts = _arguments("Fn::Join", argument, 2)
    texts = _texts("Fn::Join", parts, scope, depth)
    joint = _text("Fn::Join", separator, scope, depth)
    if sum(map(len, texts)) + len(joint) * len(texts) > LONGEST:
        raise TooLong(f"a text of more than {LONGEST} characters")
    return joint.join(texts)


def _select(argument: Any, scope: Scope, depth: int) -> str:
    index, parts = _arguments("Fn::Select", argument, 2)
    texts = _texts("Fn::Select", parts, scope, depth)
    number = _text("Fn::Select", index, scope, depth)
    if not (number.isascii() and number.isdecimal()) or len(number) > 6 or int(number) >= len(texts):
        raise BadFunction("Fn::Select")
    return texts[int(number)]


def _split(argument: Any, scope: Scope, depth: int) -> list[str]:
    separator, text = _arguments("Fn::Split", argument, 2)
    mark = _text("Fn::Split", separator, scope, depth)
    if not mark:
        raise BadFunction("Fn::Split")
    return _text("Fn::Split", text, scope, depth).split(mark)


def _find(argument: Any, scope: Scope, depth: int) -> Any:
    keys = [_text("Fn::FindInMap", key, scope, depth) for key in _arguments("Fn::FindInMap", argument, 3)]
    try:
        return plain(scope.mappings[keys[0]][keys[1]][keys[2]])
    except KeyError:
        raise BadFunction("Fn::FindInMap") from None


def _sub(argument: Any, scope: Scope, depth: int) -> str:
    text, given = (argument, {}) if isinstance(argument, str) else _arguments("Fn::Sub", argument, 2)
    if not isinstance(text, str) or not isinstance(given, Mapping):
        raise BadFunction("Fn::Sub")
    own = {name: _text("Fn::Sub", value, scope, depth) for name, value in given.items()}
    size = 0

    def fill(place: re.Match[str]) -> str:
        nonlocal size
        literal, name = place.groups()
        found = f"${{{name}}}" if literal else own[name] if name in own else scope.value(name)
        size += len(found)
        if size > LONGEST:
            raise TooLong(f"a text of more than {LONGEST} characters")
        return found

    return _bounded(_PLACE.sub(fill, text))


def _list_of(count: int) -> Callable[[Any], bool]:
    return lambda argument: isinstance(argument, list) and len(argument) == count


_EVALUATE: Final[Mapping[str, Callable[[Any, Scope, int], Any]]] = {
    "Ref": _ref,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": _find,
    "Fn::Sub": _sub,
}
_FORMS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "Ref": lambda argument: isinstance(argument, str) and bool(argument),
    "Fn::Join": _list_of(2),
    "Fn::Select": _list_of(2),
    "Fn::Split": lambda argument: _list_of(2)(argument) and argument[0] != "",
    "Fn::FindInMap": _list_of(3),
    "Fn::Sub": lambda argument: (
        isinstance(argument, str)
        or (_list_of(2)(argument) and isinstance(argument[0], str) and isinstance(argument[1], Mapping))
    ),
}
