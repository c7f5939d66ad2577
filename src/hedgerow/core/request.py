"""A request that records which of its members were read.

An operation must read every member that was sent, or take a part whole with `take_all()`. What was sent and not
read when the operation returns is refused by name: nothing is accepted and ignored.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class MissingMember(KeyError):
    """An operation needs a member that the model does not require; `path` says which."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Request(Mapping[str, Any]):
    """The members of one input structure or map. Structures come out as Request, lists of them as RequestList."""

    __slots__ = ("_children", "_path", "_read", "_values")

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path
        self._read: set[str] = set()
        self._children: dict[str, Request | RequestList] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise MissingMember(f"{self._path}{name}")
        value = self._values[name]
        self._read.add(name)
        child = self._children.get(name)
        if child is None and isinstance(value, Mapping | list | tuple):
            child = self._children[name] = _recorded(value, f"{self._path}{name}")
        return value if child is None else child

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def take_all(self, name: str | None = None) -> Any:
        """Answer the plain value of a member (or of this whole structure) and count everything in it as read."""
        if name is None:
            self._read.update(self._values)
            self._children.clear()
            return dict(self._values)
        value = self._values.get(name)
        if name in self._values:
            self._read.add(name)
            self._children.pop(name, None)
            self._children[name] = RequestList((), "")  # nothing below it is looked at any more
        return value

    def peek(self, name: str) -> Any:
        """Answer a member's plain value, or None, without counting it as read (for logs and authorisation)."""
        return self._values.get(name)

    def unread(self) -> list[str]:
        """Answer the paths (`logging.logLevel`, `tags[0].Value`) of the members that were sent and not read."""
        missing = [f"{self._path}{name}" for name in self._values if name not in self._read]
        for child in self._children.values():
            missing.extend(child.unread())
        return missing


class RequestList(Sequence[Any]):
    """A list in a request; its structures come out as Request."""

    __slots__ = ("_items", "_path")

    def __init__(self, values: Sequence[Any], path: str) -> None:
        self._path = path
        self._items = [
            _recorded(value, f"{path}[{index}]") if isinstance(value, Mapping | list | tuple) else value
            for index, value in enumerate(values)
        ]

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def unread(self) -> list[str]:
        """Answer the paths of the members below this list that were sent and not read."""
        return [path for item in self._items if isinstance(item, Request | RequestList) for path in item.unread()]


def _recorded(value: Any, path: str) -> "Request | RequestList":
    return Request(value, f"{path}.") if isinstance(value, Mapping) else RequestList(value, path)
