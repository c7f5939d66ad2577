"""From an operation's answer, or a refusal, to an HTTP response, for every protocol."""

import json
from collections.abc import AsyncIterable, Mapping
from typing import Any

import cbor2

from hedgerow.base.errors import ServiceError
from hedgerow.core.wire.inputs import Call
from hedgerow.core.wire.json_form import write_cbor, write_json, write_members
from hedgerow.core.wire.messages import HttpResponse
from hedgerow.core.wire.model import ErrorShape, Member, ServiceModel, Shape
from hedgerow.core.wire.text_form import write_headers
from hedgerow.core.wire.xml_form import write_structure_members, write_xml, xml_text

STATUS = "@status"
S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

# errors that the shell raises for every service, by the name that this protocol's clients know
_QUERY_NAMES = {
    "AccessDeniedException": "AccessDenied",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "RequestTimeTooSkewed": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "ExpiredTokenException": "ExpiredToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "UnknownOperationException": "InvalidAction",
    "InternalFailureException": "InternalFailure",
    "NotImplementedException": "NotImplementedException",
    "SerializationException": "MalformedInput",
}
_S3_NAMES = _QUERY_NAMES | {
    "RequestTimeTooSkewed": "RequestTimeTooSkewed",
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "MissingAuthenticationTokenException": "AccessDenied",
    "IncompleteSignatureException": "AuthorizationHeaderMalformed",
    "InternalFailureException": "InternalError",
    "UnknownOperationException": "MethodNotAllowed",
    "SerializationException": "MalformedXML",
}
_JSON_NAMES = {"RequestTimeTooSkewed": "InvalidSignatureException"}
_DATA_NAMES = _JSON_NAMES | {"AccessDeniedException": "ForbiddenException"}  # [iot-core-connect 1.5]


def write_output(call: Call, response: Mapping[str, Any], request_id: str) -> HttpResponse:
    """Answer the HTTP form of an answer; `"@status"` in it overrides the model's status.

    A member that the model does not know raises ValueError: our own mistake.
    """
    if STATUS in response:
        rest = {name: value for name, value in response.items() if name != STATUS}
        written = write_output(call, rest, request_id)
        written.status = int(response[STATUS])
        return written
    shape = call.operation.output
    if shape is None:
        if any(value is not None for value in response.values()):
            raise ValueError(f"{call.operation.name} has no output, but answered {sorted(response)}")
        response = {}
    if call.protocol == "rest-json":
        return _rest_json(call, shape, response)
    if call.protocol == "json":
        headers = {"content-type": f"application/x-amz-json-{call.model.json_version}"}
        body = _JSON(write_members(shape, response)) if shape else "{}"
        return HttpResponse(200, headers, body.encode("utf-8", "surrogatepass"))
    if call.protocol == "cbor":
        return HttpResponse(200, _cbor_headers(), cbor2.dumps(write_cbor(shape, response) if shape else {}))
    if call.protocol == "query":
        return _query(call, shape, response, request_id)
    return _rest_xml(call, shape, response)


def _cbor_headers() -> dict[str, str]:
    return {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}


def _status(call: Call, shape: Shape | None, response: Mapping[str, Any]) -> int:
    for name, member in shape.members.items() if shape else ():
        if member.location == "statusCode" and response.get(name) is not None:
            return int(response[name])
    return call.operation.status


def _payload(shape: Shape | None) -> Member | None:
    return shape.members[shape.payload] if shape is not None and shape.payload else None


def _rest_json(call: Call, shape: Shape | None, response: Mapping[str, Any]) -> HttpResponse:
    headers = {"content-type": "application/json"}
    headers.update(write_headers(shape, response))
    status = _status(call, shape, response)
    payload = _payload(shape)
    if shape is None:
        return HttpResponse(status, headers, b"" if status == 204 else b"{}")
    if payload is None:
        body = _JSON(write_members(shape, response, body_only=True)).encode("utf-8", "surrogatepass")
        return HttpResponse(status, headers, b"" if status == 204 else body)
    _refuse_unknown(shape, response)
    value = response.get(payload.name)
    if payload.shape.type in ("blob", "string"):
        return HttpResponse(status, headers, _raw(value))
    body = b"" if value is None else _JSON(write_json(payload.shape, value)).encode("utf-8", "surrogatepass")
    return HttpResponse(status, headers, body)


def _raw(value: Any) -> bytes | AsyncIterable[bytes]:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8")
    return value  # type: ignore[no-any-return]  # bytes, or pieces of bytes


def _refuse_unknown(shape: Shape, response: Mapping[str, Any]) -> None:
    unknown = response.keys() - shape.members.keys()
    if unknown:
        raise ValueError(f"{shape.name} has no member {min(unknown)!r}: the answer does not fit the model")


def _rest_xml(call: Call, shape: Shape | None, response: Mapping[str, Any]) -> HttpResponse:
    headers = write_headers(shape, response)
    status = 206 if "content-range" in headers else _status(call, shape, response)
    if shape is None:
        return HttpResponse(status, headers)
    if call.operation.name == "GetBucketLocation":  # the one root element that holds the value itself
        text = xml_text(response.get("LocationConstraint") or "")
        return _xml(status, headers, f'<LocationConstraint xmlns="{S3_NAMESPACE}">{text}</LocationConstraint>')
    payload = _payload(shape)
    if payload is None:
        inner = write_structure_members(shape, response)
        if not inner and not any(member.location is None for member in shape.members.values()):
            return HttpResponse(status, headers)
        return _xml(status, headers, f'<{_root(call)} xmlns="{S3_NAMESPACE}">{inner}</{_root(call)}>')
    _refuse_unknown(shape, response)
    value = response.get(payload.name)
    if payload.shape.type in ("blob", "string"):
        return HttpResponse(status, headers, _raw(value))
    if value is None:
        return HttpResponse(status, headers)
    out: list[str] = []
    write_xml(payload, value, out)
    return _xml(status, headers, "".join(out))


def _root(call: Call) -> str:
    """Answer the root element: S3's are the shape's name without `Output` (ListBucketResult has its own)."""
    names = {
        "ListObjects": "ListBucketResult",
        "ListObjectsV2": "ListBucketResult",
        "ListObjectVersions": "ListVersionsResult",
        "ListBuckets": "ListAllMyBucketsResult",
        "ListMultipartUploads": "ListMultipartUploadsResult",
        "CreateMultipartUpload": "InitiateMultipartUploadResult",
        "GetBucketLocation": "LocationConstraint",
        "DeleteObjects": "DeleteResult",
    }
    name = call.operation.name
    return names.get(name, f"{name.removeprefix('Get')}Result" if not name.startswith("Get") else name[3:])


def _xml(status: int, headers: dict[str, str], text: str) -> HttpResponse:
    headers["content-type"] = "application/xml"
    return HttpResponse(status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode())


def _query(call: Call, shape: Shape | None, response: Mapping[str, Any], request_id: str) -> HttpResponse:
    name = call.operation.name
    inner = write_structure_members(shape, response) if shape else ""
    wrapper = call.operation.result_wrapper or (f"{name}Result" if shape else None)
    if wrapper:
        inner = f"<{wrapper}>{inner}</{wrapper}>"
    text = (
        f'<{name}Response xmlns="{call.model.namespace}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )
    return HttpResponse(200, {"content-type": "text/xml"}, text.encode("utf-8"))


def write_error(
    model: ServiceModel | None, protocol: str, error: ServiceError, request_id: str, *, resource: str = ""
) -> HttpResponse:
    """Answer the HTTP form of a refusal; without a model it is JSON."""
    shape = model.error(error.code) if model else None
    code = shape.code if shape else _name(model, protocol, error.code)
    status = shape.status if shape else (error.status or 400)
    if error.code == "UnknownOperationException" and protocol in ("json", "query", "cbor"):
        status = 400  # there is one path: it is the name that is unknown
    if protocol == "rest-xml":
        return _s3_error(code, status, error, request_id, resource)
    if protocol == "query":
        return _query_error(model, code, status, error, shape, request_id)
    members = _error_members(error, shape, protocol)
    if protocol == "cbor":
        name = shape.shape.name if shape else code
        body = cbor2.dumps({"__type": f"{_cbor_prefix(model)}#{name}", **members})
        headers = _cbor_headers()
    else:
        if protocol == "json":
            members = {"__type": shape.shape.name if shape else code, **members}
        version = model.json_version if model else "1.1"
        kind = f"application/x-amz-json-{version}" if protocol == "json" else "application/json"
        headers = {"content-type": kind}
        body = _JSON(members).encode("utf-8", "surrogatepass")
    headers["x-amzn-errortype"] = shape.shape.name if shape else code
    if model is not None and "query" in model.protocols:
        sender = shape.sender if shape else status < 500
        headers["x-amzn-query-error"] = f"{code};{'Sender' if sender else 'Receiver'}"
    return HttpResponse(status, headers, body)


def _cbor_prefix(model: ServiceModel | None) -> str:
    return f"com.amazonaws.{model.name}" if model else "hedgerow"


def _name(model: ServiceModel | None, protocol: str, code: str) -> str:
    if protocol == "rest-xml":
        return _S3_NAMES.get(code, code)
    if protocol == "query":
        return _QUERY_NAMES.get(code, code)
    if model is not None and model.name == "iot-data":
        return _DATA_NAMES.get(code, code)
    return _JSON_NAMES.get(code, code)


def _error_members(error: ServiceError, shape: ErrorShape | None, protocol: str) -> dict[str, Any]:
    """Answer the body: the message under the shape's own spelling, both spellings where there is no shape."""
    if shape is None:
        return {"message": error.message, "Message": error.message}
    members = shape.shape.members
    spelling = next((name for name in members if name.lower() in ("message", "errormessage")), "message")
    values: dict[str, Any] = {spelling: error.message, **error.members}
    if "Type" in members and "Type" not in values:  # Lambda's errors say whose fault it was
        values["Type"] = "User" if shape.status < 500 else "Server"
    known = {name: value for name, value in values.items() if name in members}
    body = write_members(shape.shape, known, cbor=protocol == "cbor")
    body.setdefault(spelling if spelling in members else "message", error.message)
    return body


def _query_error(
    model: ServiceModel | None,
    code: str,
    status: int,
    error: ServiceError,
    shape: ErrorShape | None,
    request_id: str,
) -> HttpResponse:
    sender = shape.sender if shape else status < 500
    text = (
        f'<ErrorResponse xmlns="{model.namespace if model else ""}"><Error>'
        f"<Type>{'Sender' if sender else 'Receiver'}</Type><Code>{xml_text(code)}</Code>"
        f"<Message>{xml_text(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return HttpResponse(status, {"content-type": "text/xml"}, text.encode("utf-8"))


def _s3_error(code: str, status: int, error: ServiceError, request_id: str, resource: str) -> HttpResponse:
    further = "".join(
        f"<{name}>{xml_text(str(value))}</{name}>" for name, value in error.members.items() if name.isalnum()
    )
    text = (
        f"<Error><Code>{xml_text(code)}</Code><Message>{xml_text(error.message)}</Message>{further}"
        f"<Resource>{xml_text(resource)}</Resource><RequestId>{request_id}</RequestId></Error>"
    )
    return _xml(status, {}, text)
