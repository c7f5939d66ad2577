"""Which operation a request calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.wire import HttpRequest, UnknownOperation
from tests.unit.core.wire.models import CATALOGUE


def http(line: str, headers: dict[str, str] | None = None, body: bytes = b"") -> HttpRequest:
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    return HttpRequest(method, path, query, headers or {}, body)


@pytest.mark.parametrize(
    ("scope", "line", "operation"),
    [
        ("iot", "GET /things/lamp", "iot.DescribeThing"),
        ("iot", "GET /things/lamp/", "iot.DescribeThing"),
        ("iot", "GET /things", "iot.ListThings"),
        ("iot", "GET /things/lamp/jobs", "iot.ListJobExecutionsForThing"),
        ("iot-jobs-data", "GET /things/lamp/jobs", "iot-jobs-data.GetPendingJobExecutions"),
        ("iot-jobs-data", "PUT /things/lamp/jobs/$next", "iot-jobs-data.StartNextPendingJobExecution"),
        ("iot-jobs-data", "POST /things/lamp/jobs/j", "iot-jobs-data.UpdateJobExecution"),
        ("iotdata", "GET /things/lamp/shadow", "iot-data.GetThingShadow"),
        ("iotdevicegateway", "POST /topics/a", "iot-data.Publish"),
        ("execute-api", "POST /things/lamp/shadow", "iot-data.UpdateThingShadow"),
        ("execute-api", "GET /things/lamp", "iot.DescribeThing"),
        ("iot", "POST /topics/a/b", "iot-data.Publish"),
        ("iot", "PUT /principal-policies/p", "iot.AttachPrincipalPolicy"),
        ("iot", "POST /policies/p", "iot.CreatePolicy"),
        ("greengrass", "GET /greengrass/v2/coreDevices", "greengrassv2.ListCoreDevices"),
        ("greengrass", "GET /greengrass/groups", "greengrass.ListGroups"),
        (
            "greengrass",
            "GET /tags/arn%3Aaws%3Agreengrass%3Ar%3A1%3A%2Fgreengrass%2Fgroups%2Fg",
            "greengrass.ListTagsForResource",
        ),
        (
            "greengrass",
            "GET /tags/arn%3Aaws%3Agreengrass%3Ar%3A1%3Adeployments%3Ad",
            "greengrassv2.ListTagsForResource",
        ),
        ("lambda", "POST /2015-03-31/functions", "lambda.CreateFunction"),
        ("lambda", "GET /2015-03-31/functions/", "lambda.ListFunctions"),
        ("lambda", "GET /2015-03-31/functions/f/configuration?Qualifier=1", "lambda.GetFunctionConfiguration"),
        ("lambda", "GET /2015-03-31/event-source-mappings/", "lambda.ListEventSourceMappings"),
        ("s3", "GET /", "s3.ListBuckets"),
        ("s3", "GET /b", "s3.ListObjects"),
        ("s3", "GET /b/", "s3.ListObjects"),
        ("s3", "GET /b?list-type=2&prefix=a", "s3.ListObjectsV2"),
        ("s3", "GET /b?location", "s3.GetBucketLocation"),
        ("s3", "GET /b?location=", "s3.GetBucketLocation"),
        ("s3", "GET /b?versions", "s3.ListObjectVersions"),
        ("s3", "GET /b?lifecycle", "s3.GetBucketLifecycleConfiguration"),
        ("s3", "GET /b?analytics", "s3.ListBucketAnalyticsConfigurations"),
        ("s3", "GET /b?analytics&id=1", "s3.GetBucketAnalyticsConfiguration"),
        ("s3", "GET /b/k", "s3.GetObject"),
        ("s3", "GET /b/k/l?versionId=1", "s3.GetObject"),
        ("s3", "GET /b/k?uploadId=1", "s3.ListParts"),
        ("s3", "GET /b/k?tagging", "s3.GetObjectTagging"),
        ("s3", "HEAD /b", "s3.HeadBucket"),
        ("s3", "HEAD /b/k", "s3.HeadObject"),
        ("s3", "PUT /b", "s3.CreateBucket"),
        ("s3", "PUT /b/k", "s3.PutObject"),
        ("s3", "PUT /b/k?partNumber=1&uploadId=u", "s3.UploadPart"),
        ("s3", "POST /b/k?uploads", "s3.CreateMultipartUpload"),
        ("s3", "POST /b/k?uploadId=u", "s3.CompleteMultipartUpload"),
        ("s3", "DELETE /b/k?uploadId=u", "s3.AbortMultipartUpload"),
        ("s3", "DELETE /b/k", "s3.DeleteObject"),
        ("s3", "POST /b?delete", "s3.DeleteObjects"),
        ("hedgerow", "POST /hedgerow/accounts", "hedgerow.CreateAccount"),
    ],
)
def test_a_signed_request_finds_its_operation(scope: str, line: str, operation: str) -> None:
    call = CATALOGUE.signed(http(line), scope)

    assert f"{call.service}.{call.operation.name}" == operation


@pytest.mark.parametrize(
    ("headers", "operation"),
    [
        ({"x-amz-copy-source": "/a/b"}, "CopyObject"),
        ({}, "PutObject"),
    ],
)
def test_a_header_may_decide(headers: dict[str, str], operation: str) -> None:
    assert CATALOGUE.signed(http("PUT /b/k", headers), "s3").operation.name == operation


@pytest.mark.parametrize(
    ("line", "operation"),
    [
        ("GET /role-aliases/a/credentials", "hedgerow-device.AssumeRoleWithCertificate"),
        ("GET /greengrass/v2/coreDevices/c/thingGroups", "hedgerow-device.ListThingGroupsForCoreDevice"),
        ("POST /greengrass/v2/resolveComponentCandidates", "greengrassv2.ResolveComponentCandidates"),
        ("GET /greengrass/v2/components/a/artifacts/b/c.zip", "greengrassv2.GetComponentVersionArtifact"),
        ("GET /greengrass/things/c/connectivityInfo", "greengrassv2.GetConnectivityInfo"),
        ("POST /topics/a%2Fb", "iot-data.Publish"),
        ("GET /things/lamp/shadow?name=n", "iot-data.GetThingShadow"),
        ("GET /things/lamp/jobs", "iot-jobs-data.GetPendingJobExecutions"),
        ("GET /api/things/shadow/ListNamedShadowsForThing/lamp", "iot-data.ListNamedShadowsForThing"),
    ],
)
def test_a_device_finds_the_data_plane(line: str, operation: str) -> None:
    call = CATALOGUE.device(http(line))

    assert f"{call.service}.{call.operation.name}" == operation


@pytest.mark.parametrize("line", ["GET /things", "GET /greengrass/v2/coreDevices", "POST /policies/p", "GET /"])
def test_a_device_finds_nothing_else(line: str) -> None:
    with pytest.raises(UnknownOperation):
        CATALOGUE.device(http(line))


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("scope", "request_", "operation", "protocol"),
    [
        ("logs", http("POST /", {"x-amz-target": "Logs_20140328.PutLogEvents"}), "PutLogEvents", "json"),
        (
            "monitoring",
            http("POST /", {"x-amz-target": "GraniteServiceVersion20100801.ListMetrics"}),
            "ListMetrics",
            "json",
        ),
        ("monitoring", http("POST /", FORM, b"Action=ListMetrics&Version=2010-08-01"), "ListMetrics", "query"),
        (
            "monitoring",
            http(
                "POST /service/GraniteServiceVersion20100801/operation/ListMetrics", {"smithy-protocol": "rpc-v2-cbor"}
            ),
            "ListMetrics",
            "cbor",
        ),
        ("sts", http("GET /?Action=GetCallerIdentity&Version=2011-06-15"), "GetCallerIdentity", "query"),
        ("sts", http("POST /", FORM, b"Version=2011-06-15&Action=GetCallerIdentity"), "GetCallerIdentity", "query"),
    ],
)
def test_a_call_by_name_finds_its_operation(scope: str, request_: HttpRequest, operation: str, protocol: str) -> None:
    call = CATALOGUE.signed(request_, scope)

    assert (call.operation.name, call.protocol) == (operation, protocol)


@pytest.mark.parametrize(
    ("scope", "request_"),
    [
        ("logs", http("POST /", {"x-amz-target": "Other.PutLogEvents"})),
        ("logs", http("POST /", {"x-amz-target": "Logs_20140328.Nothing"})),
        ("logs", http("POST /")),
        ("sts", http("POST /", FORM, b"Action=Nothing")),
        ("sts", http("POST /", FORM, b"\xff\xfe")),
        ("monitoring", http("POST /service/Other/operation/ListMetrics", {"smithy-protocol": "rpc-v2-cbor"})),
        ("iot", http("GET /nothing")),
        ("iot", http("BREW /things")),
    ],
)
def test_any_other_call_is_an_unknown_operation(scope: str, request_: HttpRequest) -> None:
    with pytest.raises(UnknownOperation):
        CATALOGUE.signed(request_, scope)


@pytest.mark.slow
@given(st.text(max_size=30), st.sampled_from(["iot", "s3", "greengrass", "lambda"]))
def test_any_path_finds_an_operation_or_none(path: str, scope: str) -> None:
    try:
        call = CATALOGUE.signed(HttpRequest("GET", "/" + path, "", {}), scope)
    except UnknownOperation:
        return

    assert call.operation.http[0] == "GET"


@pytest.mark.parametrize(
    ("line", "operation"),
    [("POST /hedgerow/console/sign-ins/redeem", "RedeemConsoleSignIn"), ("POST /hedgerow/accounts", None)],
)
def test_only_some_operations_need_no_credentials(line: str, operation: str | None) -> None:
    call = CATALOGUE.anonymous(http(line))

    assert (call.operation.name if call else None) == operation
