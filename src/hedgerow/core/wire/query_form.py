"""The query protocol's requests: nested members as form fields (`Tags.member.1.Key=a`)."""

from collections.abc import Sequence
from typing import Any

from hedgerow.core.wire.errors import Malformed
from hedgerow.core.wire.model import Member, Shape
from hedgerow.core.wire.text_form import read_text

Tree = dict[str, Any]  # a name leads to a text, or to a Tree
_LEAF = ""  # the key of a tree's own text
_DEPTH = 30


def read_form(shape: Shape | None, pairs: Sequence[tuple[str, str]], ignored: list[str]) -> dict[str, Any]:
    """Answer the members that a form holds; Action, Version and signature fields have been taken out."""
    tree: Tree = {}
    for name, value in pairs:
        _put(tree, name, value)
    if shape is None:
        ignored.extend(tree)
        return {}
    return _structure(shape, tree, "", ignored)


def _put(tree: Tree, name: str, value: str) -> None:
    parts = name.split(".")
    if len(parts) > _DEPTH:
        raise Malformed(name[:60], f"nested at most {_DEPTH} deep")
    if _LEAF in parts:
        raise Malformed(name[:60], "a name without empty parts")
    for part in parts:
        tree = tree.setdefault(part, {})
    tree[_LEAF] = value


def _structure(shape: Shape, tree: Tree, path: str, ignored: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    prefix = f"{path}." if path else ""
    left = dict(tree)
    left.pop(_LEAF, None)
    for name, member in shape.members.items():
        part = left.pop(_wire(member), None)
        if part is not None:
            found[name] = _value(member, part, prefix + name, ignored)
    ignored.extend(prefix + name for name in left)
    return found


def _wire(member: Member) -> str:
    if member.flattened and member.shape.type == "list" and member.wire == member.name:
        element = member.shape.member
        if element is not None and element.wire != "member":
            return element.wire
    return member.query_name or member.wire


def _value(member: Member, part: Tree, path: str, ignored: list[str]) -> Any:
    shape = member.shape
    if shape.type == "structure":
        return _structure(shape, part, path, ignored)
    if shape.type == "list":
        element = shape.member
        assert element is not None  # noqa: S101
        items = part if member.flattened else part.get(element.wire, {})
        return [_value(element, item, f"{path}[{at}]", ignored) for at, item in enumerate(_numbered(items, path))]
    if shape.type == "map":
        return _map(member, part, path, ignored)
    if _LEAF not in part:
        raise Malformed(path, f"a {shape.type}")
    return read_text(shape, part[_LEAF], path)


def _map(member: Member, part: Tree, path: str, ignored: list[str]) -> dict[str, Any]:
    key, value = member.shape.key, member.shape.value
    assert key is not None and value is not None  # noqa: S101, PT018
    entries = part if member.flattened else part.get("entry", {})
    found = {}
    for entry in _numbered(entries, path):
        name = entry.get(key.wire, {}).get(_LEAF)
        if name is None or value.wire not in entry:
            raise Malformed(path, f"entries of {key.wire} and {value.wire}")
        found[name] = _value(value, entry[value.wire], f"{path}.{name}", ignored)
    return found


def _numbered(items: Tree, path: str) -> list[Tree]:
    """Answer the parts under 1, 2, 3 … in order; an empty list comes as a bare name."""
    numbers = [name for name in items if name != _LEAF]
    if not all(name.isascii() and name.isdigit() and len(name) < 9 for name in numbers):
        raise Malformed(path, "numbered 1, 2, 3 …")
    return [items[name] for name in sorted(numbers, key=int)]
