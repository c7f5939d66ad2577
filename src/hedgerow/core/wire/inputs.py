"""From an HTTP request to an operation's input, for every protocol. Values are converted here, not checked."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2

from hedgerow.core.wire.errors import Malformed
from hedgerow.core.wire.json_form import read_members
from hedgerow.core.wire.messages import HttpRequest, is_text, query_pairs
from hedgerow.core.wire.model import Member, Operation, ServiceModel, Shape
from hedgerow.core.wire.query_form import read_form
from hedgerow.core.wire.text_form import read_text
from hedgerow.core.wire.xml_form import parse_xml, read_xml

_QUERY_NOISE = frozenset({"Action", "Version", "AWSAccessKeyId"})
_REST_NOISE = frozenset({"x-id"})  # some SDKs name the operation in the query
INFLATED_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """What a request calls: an operation of a service, and the protocol it is spoken in."""

    model: ServiceModel
    operation: Operation
    protocol: str  # "rest-json", "rest-xml", "json", "query", "cbor"
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """botocore's name of the service."""
        return self.model.name


@dataclass(slots=True)
class Input:
    """An operation's input; `ignored` are paths that the model does not know, `filled` members that we made up."""

    params: dict[str, Any]
    ignored: list[str]
    filled: frozenset[str] = frozenset()


def read_input(call: Call, http: HttpRequest, token: Callable[[], str]) -> Input:
    """Answer the input of a call; `token` makes idempotency tokens. Raises Malformed."""
    ignored: list[str] = []
    if "gzip" in http.headers.get("content-encoding", "") and not _opaque(call.operation.input):
        http = HttpRequest(http.method, http.path, http.query, http.headers, _inflated(http.body))
    try:
        params = _params(call, http, ignored)
    except RecursionError:
        raise Malformed("", "nested less deeply") from None
    members = call.operation.input.members if call.operation.input else {}
    filled = frozenset(name for name, member in members.items() if member.idempotent and name not in params)
    for name in filled:
        params[name] = token()
    return Input(params, ignored, filled)


def _params(call: Call, http: HttpRequest, ignored: list[str]) -> dict[str, Any]:
    shape = call.operation.input
    _check_encoding(http.path, "the path")
    _check_encoding(http.query, "the query")
    if call.protocol == "query":
        return _read_query(shape, http, ignored)
    if call.protocol == "cbor":
        return _read_cbor(shape, http.body, ignored)
    if call.protocol == "json":
        return read_members(shape, _json(http.body, {}), "", ignored) if shape else {}
    return _read_rest(call, http, ignored)


def _check_encoding(encoded: str, where: str) -> None:
    if "%" in encoded and not is_text(encoded):
        raise Malformed(where, "percent-encoded UTF-8")


def _opaque(shape: Shape | None) -> bool:
    """Say whether the body is the caller's own bytes, which are kept as they come."""
    return shape is not None and shape.payload is not None and shape.members[shape.payload].shape.type == "blob"


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        out = inflater.decompress(body, INFLATED_LIMIT)
    except zlib.error:
        raise Malformed("", "gzip, as Content-Encoding says") from None
    if inflater.unconsumed_tail:
        raise Malformed("", f"at most {INFLATED_LIMIT} bytes when inflated")
    if not inflater.eof or inflater.unused_data:  # cut short, or more than one
        raise Malformed("", "one whole gzip stream, as Content-Encoding says")
    return out


def _json(body: bytes, empty: Any) -> Any:
    if not body or body.isspace():
        return empty
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("", "valid JSON") from None


def _read_cbor(shape: Shape | None, body: bytes, ignored: list[str]) -> dict[str, Any]:
    if shape is None or not body:
        return {}
    try:
        value = cbor2.loads(body)
    except (cbor2.CBORDecodeError, ValueError, RecursionError):
        raise Malformed("", "valid CBOR") from None
    return read_members(shape, value, "", ignored)


def _read_query(shape: Shape | None, http: HttpRequest, ignored: list[str]) -> dict[str, Any]:
    pairs = [
        (name, value)
        for name, value in [*http.pairs, *form_pairs(http)]
        if name not in _QUERY_NOISE and not name.lower().startswith("x-amz-")
    ]
    return read_form(shape, pairs, ignored)


def form_pairs(http: HttpRequest, *, errors: str = "strict") -> list[tuple[str, str]]:
    """Answer the fields of a form body; [] for other bodies."""
    if not http.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return []
    try:
        form = http.body.decode("utf-8", errors)
    except UnicodeDecodeError:
        raise Malformed("", "a form in UTF-8") from None
    if errors == "strict":
        _check_encoding(form, "the form")
    return query_pairs(form)


def _read_rest(call: Call, http: HttpRequest, ignored: list[str]) -> dict[str, Any]:
    shape = call.operation.input
    if shape is None:
        return {}
    params: dict[str, Any] = {}
    queries: dict[str, list[str]] = {}
    for name, value in http.pairs:
        queries.setdefault(name, []).append(value)
    for name, member in shape.members.items():
        value = _located(member, call, http, queries)
        if value is not None:
            params[name] = value
    _ignore_queries(call, queries, ignored)
    if shape.payload is not None:
        _read_payload(call, shape, http.body, params, ignored)
    elif call.protocol == "rest-json":
        if any(member.location is None for member in shape.members.values()):
            params.update(read_members(shape, _json(http.body, {}), "", ignored, body_only=True))
    elif http.body and any(member.location is None for member in shape.members.values()):
        params.update(read_xml(shape, parse_xml(http.body), "", ignored))
    return params


def _ignore_queries(call: Call, queries: dict[str, list[str]], ignored: list[str]) -> None:
    fixed = call.operation.http[1].partition("?")[2]
    known = {part.partition("=")[0] for part in fixed.split("&")} | _REST_NOISE
    ignored.extend(name for name in queries if name not in known and not name.lower().startswith("x-amz-"))


def _located(member: Member, call: Call, http: HttpRequest, queries: dict[str, list[str]]) -> Any:
    location = member.location
    if location is None:
        return None
    if location == "uri":
        text = call.labels.get(member.wire)
        return None if text is None else read_text(member.shape, text, member.name)
    if location == "querystring":
        return _from_query(member, queries)
    if location == "header":
        text = http.headers.get(member.wire.lower())
        return None if text is None else _from_header(member, text)
    if location == "headers":
        prefix = member.wire.lower()
        found = {name[len(prefix) :]: value for name, value in http.headers.items() if name.startswith(prefix)}
        return found or None
    return None


def _from_query(member: Member, queries: dict[str, list[str]]) -> Any:
    shape = member.shape
    if shape.type == "map":
        assert shape.value is not None  # noqa: S101
        many = shape.value.shape.type == "list"
        rest = {name: values if many else values[-1] for name, values in queries.items()}
        queries.clear()
        return rest or None
    values = queries.pop(member.wire, None)
    if values is None:
        return None
    if shape.type == "list":
        assert shape.member is not None  # noqa: S101
        element = shape.member.shape
        return [read_text(element, value, f"{member.name}[{at}]") for at, value in enumerate(values)]
    return read_text(shape, values[-1], member.name)


def _from_header(member: Member, text: str) -> Any:
    shape = member.shape
    if shape.type == "list":
        assert shape.member is not None  # noqa: S101
        element = shape.member.shape
        return [read_text(element, part.strip(), member.name) for part in text.split(",") if part.strip()]
    if shape.type == "map" or shape.type == "structure":
        raise Malformed(member.name, "a value that fits a header")
    return read_text(shape, text, member.name, header=True, json_value=member.json_value)


def _read_payload(call: Call, shape: Shape, body: bytes, params: dict[str, Any], ignored: list[str]) -> None:
    assert shape.payload is not None  # noqa: S101 - asked by the caller
    member = shape.members[shape.payload]
    kind = member.shape.type
    if kind == "blob":
        if body or member.streaming or member.name in shape.required:
            params[member.name] = body
    elif kind == "string":
        if body:
            try:
                params[member.name] = body.decode("utf-8")
            except UnicodeDecodeError:
                raise Malformed(member.name, "text in UTF-8") from None
    elif body:
        if call.protocol == "rest-xml":
            params[member.name] = read_xml(member.shape, parse_xml(body), member.name, ignored)
        else:
            params[member.name] = read_members(member.shape, _json(body, {}), member.name, ignored)
