"""Reads a structure whose keys are written in any case, and writes it down again in their documented case."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hedgerow.core.recipe.errors import RecipeError


def as_text(value: Any, place: str) -> str:
    """Answer the value when it is a text; raise RecipeError with the place when not."""
    if not isinstance(value, str):
        raise RecipeError(f"{place} must be a text, not {type(value).__name__} (in YAML: quote it)")
    return value


class Reader:
    """One structure. `written` is filled, in the author's order, by what is read; the rest is `unknown`."""

    def __init__(self, document: Any, place: str) -> None:
        if not isinstance(document, Mapping):
            raise RecipeError(f"{place} must be an object")
        self._place = place
        self._values: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._children: list[Reader] = []
        self.written: dict[str, Any] = {}
        for key, value in document.items():
            if key.lower() in self._values:
                raise RecipeError(f"{place} has {key!r} twice")
            self._values[key.lower()] = value
            self._names[key.lower()] = key
            self.written[key] = value

    def unknown(self) -> Iterator[str]:
        """Answer the places of all keys that nothing read, here and below."""
        for name in self._names.values():
            yield f"{self._place}: {name}"
        for child in self._children:
            yield from child.unknown()

    def _take(self, name: str) -> Any:
        given = self._names.pop(name.lower(), None)
        value = self._values.get(name.lower())
        if given is not None and given != name:
            self.written = {name if key == given else key: item for key, item in self.written.items()}
        return value

    def maybe_text(self, name: str) -> str | None:
        value = self._take(name)
        return None if value is None else as_text(value, f"{self._place}: {name}")

    def text(self, name: str) -> str:
        value = self.maybe_text(name)
        if not value:
            raise RecipeError(f"{self._place} needs {name}")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        value = (self.maybe_text(name) or default).upper()
        if value not in choices:
            raise RecipeError(f"{self._place}: {name} must be one of {', '.join(choices)}, not {value!r}")
        if name in self.written:
            self.written[name] = value
        return value

    def maybe_list(self, name: str) -> list[Any] | None:
        value = self._take(name)
        if value is not None and not isinstance(value, list):
            raise RecipeError(f"{self._place}: {name} must be a list")
        return value

    def maybe_mapping(self, name: str) -> Mapping[str, Any] | None:
        """Answer an object word by word."""
        value = self._take(name)
        if value is not None and not isinstance(value, Mapping):
            raise RecipeError(f"{self._place}: {name} must be an object")
        return value

    def _child(self, value: Any, place: str) -> "Reader":
        child = Reader(value, place)
        self._children.append(child)
        return child

    def maybe_reader(self, name: str) -> "Reader | None":
        value = self._take(name)
        if value is None:
            return None
        child = self._child(value, name)
        self.written[name] = child
        return child

    def readers(self, name: str) -> list["Reader"]:
        values = self.maybe_list(name)
        if values is None:
            return []
        children = [self._child(value, f"{name}[{index}]") for index, value in enumerate(values)]
        self.written[name] = children
        return children

    def named_readers(self, name: str) -> list[tuple[str, "Reader"]]:
        values = self.maybe_mapping(name) or {}
        children = {key: self._child(value, f"{name}.{key}") for key, value in values.items()}
        if children:
            self.written[name] = children
        return list(children.items())

    def document(self) -> dict[str, Any]:
        """Answer the structure with documented names, all the way down; ask when everything has been read."""
        return {key: _plain(value) for key, value in self.written.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Reader):
        return value.document()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and any(isinstance(item, Reader) for item in value.values()):
        return {key: _plain(item) for key, item in value.items()}
    return value
