"""The law of the wire: what botocore's serializer sends is what the operation gets, and the same on the way back."""

import base64
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict, prepare_request_dict
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hedgerow.core.wire import Call, HttpRequest, read_input, write_output
from tests.unit.core.wire.models import CATALOGUE, botocore_model
from tests.unit.core.wire.random_values import located_text, structures

OPERATIONS = [
    ("iot", "rest-json", "CreateThing"),
    ("iot", "rest-json", "ListThings"),
    ("iot", "rest-json", "CreateTopicRule"),
    ("iot", "rest-json", "CreateJob"),
    ("iot", "rest-json", "CreateProvisioningTemplate"),
    ("iot", "rest-json", "ListJobExecutionsForThing"),
    ("iot", "rest-json", "RegisterThing"),
    ("iot", "rest-json", "UpdateCertificate"),
    ("iot", "rest-json", "SearchIndex"),
    ("iot-data", "rest-json", "Publish"),
    ("iot-data", "rest-json", "UpdateThingShadow"),
    ("iot-jobs-data", "rest-json", "UpdateJobExecution"),
    ("greengrassv2", "rest-json", "CreateDeployment"),
    ("greengrassv2", "rest-json", "CreateComponentVersion"),
    ("greengrassv2", "rest-json", "ListEffectiveDeployments"),
    ("greengrass", "rest-json", "CreateFunctionDefinition"),
    ("lambda", "rest-json", "CreateFunction"),
    ("lambda", "rest-json", "Invoke"),
    ("lambda", "rest-json", "ListFunctions"),
    ("logs", "json", "PutLogEvents"),
    ("logs", "json", "FilterLogEvents"),
    ("cloudwatch", "json", "PutMetricData"),
    ("cloudwatch", "json", "GetMetricData"),
    ("cloudwatch", "query", "PutMetricData"),
    ("cloudwatch", "query", "GetMetricData"),
    ("cloudwatch", "smithy-rpc-v2-cbor", "PutMetricData"),
    ("cloudwatch", "smithy-rpc-v2-cbor", "GetMetricData"),
    ("iam", "query", "CreateRole"),
    ("iam", "query", "SimulateCustomPolicy"),
    ("iam", "query", "ListRoles"),
    ("sts", "query", "AssumeRole"),
    ("sns", "query", "Publish"),
    ("s3", "rest-xml", "PutObject"),
    ("s3", "rest-xml", "GetObject"),
    ("s3", "rest-xml", "ListObjectsV2"),
    ("s3", "rest-xml", "DeleteObjects"),
    ("s3", "rest-xml", "CompleteMultipartUpload"),
    ("s3", "rest-xml", "PutBucketTagging"),
    ("s3", "rest-xml", "PutBucketLifecycleConfiguration"),
]
OURS = {"smithy-rpc-v2-cbor": "cbor"}
SERVICES = [
    ("iot", "rest-json"),
    ("iot-data", "rest-json"),
    ("iot-jobs-data", "rest-json"),
    ("iotsecuretunneling", "json"),
    ("greengrass", "rest-json"),
    ("greengrassv2", "rest-json"),
    ("lambda", "rest-json"),
    ("logs", "json"),
    ("cloudwatch", "json"),
    ("cloudwatch", "query"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("iam", "query"),
    ("sts", "query"),
    ("s3", "rest-xml"),
]
NOT_ALIKE = {
    # on the paths of V2's, which are signed alike and mean the same
    *(("greengrass", name) for name in ("AssociateServiceRoleToAccount", "DisassociateServiceRoleFromAccount")),
    *(("greengrass", name) for name in ("GetServiceRoleForAccount", "GetConnectivityInfo", "UpdateConnectivityInfo")),
    *(("greengrass", name) for name in ("ListTagsForResource", "TagResource", "UntagResource")),  # the ARN decides
    # of another name today, on the same path
    *(("s3", f"{verb}Bucket{what}") for verb in ("Get", "Put") for what in ("Lifecycle", "Notification")),
    ("s3", "ListDirectoryBuckets"),  # ListBuckets of another host
    ("s3", "GetBucketLocation"),  # botocore reads it by a handler of its own
    ("s3", "CopyObject"),  # `Expires` is a text in the model and a moment in botocore
    ("s3", "CreateMultipartUpload"),
    ("s3", "PutObject"),
}
FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
FEWEST = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])


def plain(value: Any) -> Any:
    """Answer a value of botocore's as operations see it: seconds for moments, no empty members."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def received(service: str, protocol: str, operation: str, params: dict[str, Any]) -> HttpRequest:
    """Answer the request that botocore would send."""
    model = botocore_model(service).operation_model(operation)
    request = botocore.serialize.create_serializer(protocol, include_validation=False).serialize_to_request(
        params, model
    )
    prepare_request_dict(request, endpoint_url="http://localhost", context={})
    body = request["body"]
    headers = {key.lower(): value for key, value in request["headers"].items()}
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
        headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
    url = urlsplit(request["url"])
    raw = body.encode() if isinstance(body, str) else bytes(body)
    return HttpRequest(request["method"], url.path, url.query, headers, raw)


def normal(params: dict[str, Any], model: Any, protocol: str) -> dict[str, Any]:
    """Leave out what a protocol cannot send: empty lists in queries, XML and headers, empty payloads."""
    shape = model.input_shape
    kept = {}
    for name, value in params.items():
        member = shape.members[name]
        location = member.serialization.get("location")
        if location in ("querystring", "header", "headers") and value in ([], {}):
            continue
        if member.type_name == "list" and location == "header":
            continue
        if member.type_name == "blob" and value == b"" and shape.serialization.get("payload") == name:
            continue
        kept[name] = value
    return kept


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        cleaned = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item not in ([], {}, b"", "")}
    if isinstance(value, list):
        return [item for item in map(without_empty, value) if item not in ([], {})]
    return value


@pytest.mark.slow
@pytest.mark.parametrize(("service", "protocol", "operation"), OPERATIONS)
def test_an_operation_gets_what_botocore_sent(service: str, protocol: str, operation: str) -> None:
    check_inputs(service, protocol, operation, FEW)


@pytest.mark.slow
@pytest.mark.parametrize(("service", "protocol", "operation"), OPERATIONS)
def test_botocore_reads_what_an_operation_answered(service: str, protocol: str, operation: str) -> None:
    check_outputs(service, protocol, operation, FEW)


@pytest.mark.slow
@pytest.mark.parametrize(("service", "protocol"), SERVICES)
def test_every_operation_of_a_service_is_understood_and_answered(service: str, protocol: str) -> None:
    model = CATALOGUE.model(service)
    assert model is not None
    wrong = []
    for operation in model.operation_names():
        if (service, operation) in NOT_ALIKE:
            continue
        for check in (check_inputs, check_outputs):
            try:
                check(service, protocol, operation, FEWEST)
            except AssertionError as error:
                wrong.append(f"{check.__name__} {operation}: {str(error)[:300]}")

    assert wrong == []


def check_inputs(service: str, protocol: str, operation: str, how: settings) -> None:
    """Let botocore send random inputs, and compare what arrives."""
    model = botocore_model(service).operation_model(operation)
    if model.input_shape is None or model.has_event_stream_input:
        return

    @how
    @given(structures(model.input_shape, located_text))
    def check(params: dict[str, Any]) -> None:
        params = normal(params, model, protocol)
        http = received(service, protocol, operation, params)

        call = CATALOGUE.signed(http, CATALOGUE.model(service).signing_name)  # type: ignore[union-attr]  # it is there
        given_ = read_input(call, http, lambda: "token")

        sent = plain(params)
        got = {name: value for name, value in given_.params.items() if name not in given_.filled}
        assert (call.service, call.operation.name) == (service, operation)
        assert without_empty(plain(got)) == without_empty(sent)
        assert given_.ignored == []

    check()


def check_outputs(service: str, protocol: str, operation: str, how: settings) -> None:
    """Let botocore read random answers, and compare what it finds."""
    model = botocore_model(service).operation_model(operation)
    ours = CATALOGUE.model(service)
    assert ours is not None
    found = ours.operation(operation)
    assert found is not None
    call = Call(ours, found, OURS.get(protocol, protocol))
    shape = model.output_shape
    if model.has_event_stream_output:
        return
    parser = botocore.parsers.create_parser(protocol)

    @how
    @given(structures(shape, located_text) if shape is not None else st.just({}))
    def check(answer: dict[str, Any]) -> None:
        answer = {name: value for name, value in answer.items() if not _is_status(shape.members[name])}

        response = write_output(call, plain(answer), "request-1")

        assert isinstance(response.body, bytes)
        streaming = SimpleNamespace(read=lambda: response.body, getheaders=dict) if model.has_streaming_output else None
        wire = {
            "status_code": response.status,
            "headers": HeadersDict(response.headers),
            "body": streaming or response.body,
        }
        parsed = parser.parse(wire, shape) if shape is not None else {}
        parsed = {
            name: value
            for name, value in parsed.items()
            if name != "ResponseMetadata" and not _is_status(shape.members[name])
        }
        if streaming is not None:
            payload = shape.serialization["payload"]
            parsed[payload] = parsed[payload].read()
        assert without_empty(plain(parsed)) == without_empty(plain(answer))

    check()


def _is_status(member: Any) -> bool:
    return bool(member.serialization.get("location") == "statusCode")


def test_a_json_value_in_a_header_is_read_as_json() -> None:
    text = base64.b64encode(b'{"a": [1]}').decode()
    http = HttpRequest("POST", "/2015-03-31/functions/f/invocations", "", {"x-amz-client-context": text}, b"{}")

    call = CATALOGUE.signed(http, "lambda")

    assert read_input(call, http, str).params["Payload"] == b"{}"
