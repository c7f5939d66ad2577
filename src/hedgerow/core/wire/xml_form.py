"""XML bodies, read and written by shape (S3), and the answers of the query protocol."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.sax.saxutils import escape, quoteattr

from hedgerow.core.wire.errors import Malformed
from hedgerow.core.wire.model import Member, Shape
from hedgerow.core.wire.text_form import read_text, write_text

# XML 1.0 has no way to write these, not even as a reference: S3 answers such keys with encoding-type=url only
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Plain(TreeBuilder):
    """Builds elements and refuses a document type, and with it every entity, in whatever encoding."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise Malformed("", "XML without a document type")


def parse_xml(body: bytes) -> Element:
    """Answer the root element; raise Malformed."""
    parser = XMLParser(target=_Plain())  # noqa: S314 - no entity can be declared
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError):
        raise Malformed("", "well-formed XML") from None
    return root


def read_xml(shape: Shape, node: Element, path: str, ignored: list[str]) -> Any:
    """Answer the value of an element."""
    if shape.type == "structure":
        return _read_structure(shape, node, path, ignored)
    if shape.type == "list":
        assert shape.member is not None  # noqa: S101
        return [read_xml(shape.member.shape, item, f"{path}[{index}]", ignored) for index, item in enumerate(node)]
    if shape.type == "map":
        return _read_map(shape, list(node), path, ignored)
    text = node.text or ""
    return read_text(shape, text if shape.type in ("string", "character") else text.strip(), path)


def _tag(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _read_structure(shape: Shape, node: Element, path: str, ignored: list[str]) -> dict[str, Any]:
    children: dict[str, list[Element]] = {}
    for child in node:
        children.setdefault(_tag(child), []).append(child)
    found: dict[str, Any] = {}
    prefix = f"{path}." if path else ""
    for name, member in shape.members.items():
        if member.location is not None:
            continue
        if member.attribute:
            value = _attribute(node, member)
            if value is not None:
                found[name] = value
            continue
        wire = _list_wire(member)
        nodes = children.pop(wire, None)
        if nodes is None:
            continue
        if member.shape.type == "list" and member.flattened:
            element = member.shape.member
            assert element is not None  # noqa: S101
            found[name] = [
                read_xml(element.shape, item, f"{prefix}{name}[{index}]", ignored) for index, item in enumerate(nodes)
            ]
        elif member.shape.type == "map" and member.flattened:
            found[name] = _read_map(member.shape, nodes, prefix + name, ignored)
        else:
            found[name] = read_xml(member.shape, nodes[-1], prefix + name, ignored)
    ignored.extend(prefix + wire for wire in children)
    return found


def _attribute(node: Element, member: Member) -> str | None:
    wire = member.wire.rpartition(":")[2]
    return next((value for name, value in node.attrib.items() if name.rpartition("}")[2] == wire), None)


def _list_wire(member: Member) -> str:
    """Answer the element's name; a flattened list may carry its name on the element shape."""
    if member.flattened and member.shape.type == "list" and member.wire == member.name:
        element = member.shape.member
        if element is not None and element.wire != "member":
            return element.wire
    return member.wire


def _read_map(shape: Shape, entries: list[Element], path: str, ignored: list[str]) -> dict[str, Any]:
    key, value = shape.key, shape.value
    assert key is not None and value is not None  # noqa: S101, PT018
    found: dict[str, Any] = {}
    for entry in entries:
        parts = {_tag(child): child for child in entry}
        name = parts[key.wire].text or "" if key.wire in parts else None
        if name is None or value.wire not in parts:
            raise Malformed(path, f"entries of {key.wire} and {value.wire}")
        found[name] = read_xml(value.shape, parts[value.wire], f"{path}.{name}", ignored)
    return found


def write_xml(member: Member, value: Any, out: list[str], *, name: str | None = None) -> None:
    """Append the elements of a member to `out`."""
    shape = member.shape
    wire = name or _list_wire(member)
    if shape.type == "list":
        _write_list(member, wire, value, out)
    elif shape.type == "map":
        _write_map(member, wire, value, out)
    elif shape.type == "structure":
        attributes, inner = _write_structure(shape, value)
        out.append(f"<{wire}{_namespace(member.namespace)}{attributes}>{inner}</{wire}>")
    else:
        text = write_text(member, value, timestamps="iso8601")
        out.append(f"<{wire}>{xml_text(text)}</{wire}>")


def write_structure_members(shape: Shape, value: Mapping[str, Any]) -> str:
    """Answer the elements of a structure's body members."""
    return _write_structure(shape, value)[1]


def _write_structure(shape: Shape, value: Mapping[str, Any]) -> tuple[str, str]:
    attributes: list[str] = []
    out: list[str] = []
    unknown = value.keys() - shape.members.keys()
    if unknown:
        raise ValueError(f"{shape.name} has no member {min(unknown)!r}: the answer does not fit the model")
    for name, member in shape.members.items():
        item = value.get(name)
        if item is None or member.location is not None:
            continue
        if member.attribute:
            attributes.append(f" {member.wire}={quoteattr(str(item))}")
        else:
            write_xml(member, item, out)
    return "".join(attributes), "".join(out)


def _write_list(member: Member, wire: str, value: Any, out: list[str]) -> None:
    element = member.shape.member
    assert element is not None  # noqa: S101
    if member.flattened:
        for item in value:
            write_xml(element, item, out, name=wire)
        return
    inner: list[str] = []
    for item in value:
        write_xml(element, item, inner, name=element.wire)
    out.append(f"<{wire}>{''.join(inner)}</{wire}>")


def _write_map(member: Member, wire: str, value: Mapping[str, Any], out: list[str]) -> None:
    key, element = member.shape.key, member.shape.value
    assert key is not None and element is not None  # noqa: S101, PT018
    entries: list[str] = []
    for name, item in value.items():
        inner = [f"<{key.wire}>{xml_text(str(name))}</{key.wire}>"]
        write_xml(element, item, inner, name=element.wire)
        entry = wire if member.flattened else "entry"
        entries.append(f"<{entry}>{''.join(inner)}</{entry}>")
    out.append("".join(entries) if member.flattened else f"<{wire}>{''.join(entries)}</{wire}>")


def _namespace(namespace: Mapping[str, str] | None) -> str:
    if not namespace:
        return ""
    prefix = f":{namespace['prefix']}" if "prefix" in namespace else ""
    return f" xmlns{prefix}={quoteattr(namespace['uri'])}"


def xml_text(text: str) -> str:
    """Answer text fit for an element: escaped, carriage returns kept, what XML cannot hold replaced."""
    return _UNWRITABLE.sub("\ufffd", escape(text)).replace("\r", "&#13;")
