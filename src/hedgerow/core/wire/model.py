"""Service models in botocore's format, read compactly: services, operations, shapes.

The JSON comes as an argument (core has no I/O). Shapes and operations are built at first use and kept.
"""

from collections.abc import Mapping
from typing import Any

Raw = Mapping[str, Any]


class Shape:
    """One shape of the model, with what its place of use adds to it (`flattened`, timestamp format)."""

    __slots__ = (
        "document",
        "enum",
        "flattened",
        "key",
        "maximum",
        "member",
        "members",
        "minimum",
        "name",
        "pattern",
        "payload",
        "required",
        "sensitive",
        "streaming",
        "timestamp_format",
        "type",
        "union",
        "value",
    )

    def __init__(self, name: str, raw: Raw) -> None:
        self.name = name
        self.type: str = raw["type"]
        self.minimum = raw.get("min")
        self.maximum = raw.get("max")
        self.pattern: str | None = raw.get("pattern")
        self.enum: frozenset[str] | None = frozenset(raw["enum"]) if "enum" in raw else None
        self.sensitive = bool(raw.get("sensitive"))
        self.streaming = bool(raw.get("streaming"))
        self.document = bool(raw.get("document"))
        self.union = bool(raw.get("union"))
        self.flattened = bool(raw.get("flattened"))
        self.timestamp_format: str | None = raw.get("timestampFormat")
        self.payload: str | None = raw.get("payload")
        self.required: tuple[str, ...] = tuple(raw.get("required", ()))
        self.members: dict[str, Member] = {}
        self.member: Member | None = None  # of a list
        self.key: Member | None = None  # of a map
        self.value: Member | None = None


class Member:
    """One member of a structure (or the element of a list, the key or value of a map)."""

    __slots__ = (
        "attribute",
        "event_stream",
        "flattened",
        "idempotent",
        "json_value",
        "location",
        "name",
        "namespace",
        "query_name",
        "shape",
        "streaming",
        "timestamp_format",
        "wire",
    )

    def __init__(self, name: str, raw: Raw, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.location: str | None = raw.get("location")
        self.wire: str = raw.get("locationName", name)
        self.query_name: str | None = raw.get("queryName")
        self.json_value = bool(raw.get("jsonvalue"))
        self.idempotent = bool(raw.get("idempotencyToken"))
        self.streaming = bool(raw.get("streaming")) or shape.streaming
        self.flattened = bool(raw.get("flattened")) or shape.flattened
        self.attribute = bool(raw.get("xmlAttribute"))
        self.namespace: Mapping[str, str] | None = raw.get("xmlNamespace")
        self.timestamp_format: str | None = raw.get("timestampFormat") or shape.timestamp_format


class Operation:
    """One operation: where it is called, what goes in, what comes out."""

    __slots__ = (
        "anonymous",
        "deprecated",
        "http",
        "input",
        "input_wrapper",
        "name",
        "output",
        "result_wrapper",
        "status",
    )

    def __init__(self, name: str, raw: Raw, shapes: "Shapes") -> None:
        http = raw.get("http", {})
        self.name = name
        self.http: tuple[str, str] = (http.get("method", "POST"), http.get("requestUri", "/"))
        self.status: int = http.get("responseCode", 200)
        self.input = shapes[raw["input"]["shape"]] if "input" in raw else None
        self.output = shapes[raw["output"]["shape"]] if "output" in raw else None
        self.input_wrapper: Raw = raw.get("input", {})  # locationName, xmlNamespace of a REST XML body
        self.result_wrapper: str | None = raw.get("output", {}).get("resultWrapper")
        self.anonymous = raw.get("authtype") == "none"
        self.deprecated = bool(raw.get("deprecated"))


class ErrorShape:
    """How an error of the model looks on the wire."""

    __slots__ = ("code", "sender", "shape", "status")

    def __init__(self, raw: Raw, shape: Shape, *, query_names: bool) -> None:
        error = raw.get("error", {})
        self.shape = shape
        self.code: str = error.get("code", shape.name) if query_names else shape.name
        self.sender = bool(error.get("senderFault", not raw.get("fault")))
        self.status: int = error.get("httpStatusCode", 400 if self.sender else 500)


class Shapes:
    """The shapes of one model by name, built when asked for."""

    def __init__(self, raw: Mapping[str, Raw]) -> None:
        self._raw = raw
        self._built: dict[str, Shape] = {}

    def __getitem__(self, name: str) -> Shape:
        shape = self._built.get(name)
        return shape or self._build(name)

    def raw(self, name: str) -> Raw | None:
        """Answer the JSON of a shape, or None."""
        return self._raw.get(name)

    def errors(self) -> list[str]:
        """Answer the names of all shapes that are errors."""
        return [name for name, raw in self._raw.items() if raw.get("exception") or "error" in raw]

    def _build(self, name: str) -> Shape:
        raw = self._raw[name]
        shape = self._built[name] = Shape(name, raw)  # before its members: shapes may contain themselves
        shape.members = {key: self._member(key, member) for key, member in raw.get("members", {}).items()}
        if shape.type == "list":
            shape.member = self._member("member", raw["member"])
        elif shape.type == "map":
            shape.key = self._member("key", raw["key"])
            shape.value = self._member("value", raw["value"])
        return shape

    def _member(self, name: str, raw: Raw) -> Member:
        return Member(name, raw, self[raw["shape"]])


class ServiceModel:
    """One service: `name` is botocore's folder (`iot-data`), `protocols` the wire forms that it speaks."""

    def __init__(self, name: str, raw: Raw) -> None:
        metadata = raw["metadata"]
        self.name = name
        self.protocols: tuple[str, ...] = tuple(metadata.get("protocols", [metadata["protocol"]]))
        self.version: str = metadata["apiVersion"]
        self.json_version: str = metadata.get("jsonVersion", "1.1")
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.namespace: str = metadata.get("xmlNamespace", "")
        self.shapes = Shapes(raw["shapes"])
        self._raw = raw["operations"]
        self._operations: dict[str, Operation] = {}
        self._errors: dict[str, ErrorShape] | None = None

    def operation(self, name: str) -> Operation | None:
        """Answer an operation of the model, or None."""
        found = self._operations.get(name)
        if found is None and name in self._raw:
            found = self._operations[name] = Operation(name, self._raw[name], self.shapes)
        return found

    def operation_names(self) -> list[str]:
        """Answer the names of all operations."""
        return list(self._raw)

    def targets(self) -> list[tuple[str, str, str]]:
        """Answer (operation, method, URI) of all operations without building them."""
        return [
            (name, raw.get("http", {}).get("method", "POST"), raw.get("http", {}).get("requestUri", "/"))
            for name, raw in self._raw.items()
        ]

    def error(self, code: str) -> ErrorShape | None:
        """Answer the error shape of that name, or with that code on the wire; None when the model has none."""
        if self._errors is None:
            self._errors = self._read_errors()
        return self._errors.get(code)

    def _read_errors(self) -> dict[str, ErrorShape]:
        query_names = "query" in self.protocols or "rest-xml" in self.protocols
        found: dict[str, ErrorShape] = {}
        for name in self.shapes.errors():
            raw = self.shapes.raw(name)
            assert raw is not None  # noqa: S101 - errors() answers names of raw shapes
            found[name] = ErrorShape(raw, self.shapes[name], query_names=query_names)
        for shape in list(found.values()):
            found.setdefault(shape.code, shape)
        return found


def without_documentation(value: dict[str, Any]) -> dict[str, Any]:
    """Drop what only people read; for `json.loads(…, object_hook=without_documentation)`."""
    if isinstance(value.get("documentation"), str):
        del value["documentation"]
    return value
