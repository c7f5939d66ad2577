"""Finding the operation of a REST service by method, path and query.

A literal segment wins over a label, a label over a greedy one; of operations on one path, the one whose fixed and
required query parameters and headers are all there wins.
"""

from dataclasses import dataclass, field

from hedgerow.core.wire.messages import HttpRequest, decoded
from hedgerow.core.wire.model import Operation, ServiceModel

# the model has plain labels, but topics may come with unescaped slashes [iot-core-connect 1.5]
_GREEDY = {("iot-data", "Publish"), ("iot-data", "GetRetainedMessage")}


@dataclass(slots=True)
class _Target:
    operation: str
    labels: tuple[str, ...]
    query: tuple[tuple[str, str | None], ...]


@dataclass(slots=True)
class _Node:
    literals: "dict[str, _Node]" = field(default_factory=dict)
    label: "_Node | None" = None
    greedy: "_Node | None" = None
    targets: list[_Target] = field(default_factory=list)


class Routes:
    """The paths of one REST service."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._roots: dict[str, _Node] = {}
        for name, method, uri in model.targets():
            self._add(name, method, uri)

    def find(self, http: HttpRequest) -> tuple[Operation, dict[str, str]] | None:
        """Answer the operation and its labels (decoded), or None."""
        root = self._roots.get(http.method)
        if root is None:
            return None
        values: list[str] = []
        for node in _walk(root, http.path.split("/")[1:], values):
            found = self._choose(node.targets, http)
            if found is not None:
                operation, target = found
                return operation, dict(zip(target.labels, [decoded(value) for value in values], strict=True))
        return None

    def _add(self, name: str, method: str, uri: str) -> None:
        path, _, query = uri.partition("?")
        node = self._roots.setdefault(method, _Node())
        labels = []
        for segment in path.strip("/").split("/"):
            if not segment:
                continue
            if segment.startswith("{") and segment.endswith("}"):
                labels.append(segment[1:-1].rstrip("+"))
                if segment.endswith("+}") or (self._model.name, name) in _GREEDY:
                    node.greedy = node = node.greedy or _Node()
                else:
                    node.label = node = node.label or _Node()
            else:
                node = node.literals.setdefault(segment, _Node())
        fixed = tuple((part.partition("=")[0], part.partition("=")[2] or None) for part in query.split("&") if part)
        node.targets.append(_Target(name, tuple(labels), fixed))

    def _choose(self, targets: list[_Target], http: HttpRequest) -> tuple[Operation, _Target] | None:
        if len(targets) == 1 and not targets[0].query:
            return self._operation(targets[0].operation), targets[0]
        sent = dict(http.pairs)
        best: tuple[tuple[int, ...], Operation, _Target] | None = None
        for target in targets:
            if not all(name in sent and value in (None, sent[name]) for name, value in target.query):
                continue
            operation = self._operation(target.operation)
            there, missing = _required(operation, sent, http)
            rank = (len(target.query), -missing, there, -int(operation.deprecated))
            if best is None or rank > best[0]:
                best = (rank, operation, target)
        return None if best is None else best[1:]

    def _operation(self, name: str) -> Operation:
        operation = self._model.operation(name)
        assert operation is not None  # noqa: S101 - the names come from this model
        return operation


def _required(operation: Operation, sent: dict[str, str], http: HttpRequest) -> tuple[int, int]:
    """Answer how many required query parameters and headers are there, and how many are missing."""
    there = missing = 0
    shape = operation.input
    for name in shape.required if shape else ():
        assert shape is not None  # noqa: S101
        member = shape.members[name]
        if member.location == "querystring":
            present = member.wire in sent
        elif member.location == "header":
            present = member.wire.lower() in http.headers
        else:
            continue
        there += present
        missing += not present
    return there, missing


def _walk(node: _Node, segments: list[str], values: list[str], at: int = 0) -> "list[_Node]":
    """Answer the first node with targets that the segments lead to (none or one), and fill in the label values."""
    rest = len(segments) - at
    if node.targets and (rest == 0 or (rest == 1 and segments[at] == "")):
        return [node]
    if rest == 0:
        return []
    segment = segments[at]
    literal = node.literals.get(segment) or (node.literals.get(decoded(segment)) if "%" in segment else None)
    if literal is not None and (found := _walk(literal, segments, values, at + 1)):
        return found
    depth = len(values)
    if node.label is not None and segment:
        values.append(segment)
        if found := _walk(node.label, segments, values, at + 1):
            return found
        del values[depth:]
    if node.greedy is not None and (remainder := "/".join(segments[at:])):
        values.append(remainder)
        return [node.greedy]
    return []
