"""What a stranger, or a client with a fault, sends to the API: refused in words, and the next call is answered."""

import base64
import gzip
import time
from collections.abc import Callable

import cbor2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from hedgerow.testing import CloudProcess, TestCloud
from tests.support.raw_http import RawClient, Response

pytestmark = pytest.mark.slow

CHUNKED = {"transfer-encoding": "chunked"}
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
CBOR = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
PUT_METRIC = "/service/GraniteServiceVersion20100801/operation/PutMetricData"


@pytest.fixture
def raw(hedgerow_process: CloudProcess) -> RawClient:
    return RawClient(hedgerow_process)


def target(name: str, version: str = "1.1") -> dict[str, str]:
    return {"content-type": f"application/x-amz-json-{version}", "x-amz-target": name}


def chunked(raw: RawClient, body: bytes) -> bytes:
    return raw.unsigned("POST", "/things/a", body, headers={"host": raw.host, **CHUNKED}, length=None)


Make = Callable[[RawClient], bytes]
GET = b"GET /endpoint HTTP/1.1\r\nhost: a\r\n"
FRAMES: dict[str, Make] = {
    "a negative length": lambda raw: raw.signed("POST", "/things/a", b"{}", length="-1"),
    "a length that is no number": lambda raw: raw.signed("POST", "/things/a", b"{}", length="two"),
    "two lengths": lambda raw: raw.signed("POST", "/things/a", b"{}", length="2\r\ncontent-length: 3"),
    "a list of lengths": lambda raw: raw.signed("POST", "/things/a", b"{}", length="2, 2"),
    "a length beyond 64 bits": lambda raw: raw.signed("POST", "/things/a", b"{}", length="9" * 30),
    "a length beyond 64 MiB": lambda raw: raw.signed("POST", "/things/a", b"{}", length=str(65 * 2**20)),
    "length and chunks": lambda raw: raw.signed("POST", "/t", b"{}", length="2\r\ntransfer-encoding: chunked"),
    "an unknown coding": lambda raw: raw.signed("POST", "/t", length="0\r\ntransfer-encoding: xchunked"),
    "chunks not last": lambda raw: raw.unsigned(
        "POST", "/t", b"0\r\n\r\n", headers={"host": "a", "transfer-encoding": "chunked, identity"}, length=None
    ),
    "a chunk size that is no number": lambda raw: chunked(raw, b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": lambda raw: chunked(raw, b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n"),
    "chunks of a stranger without end": lambda raw: chunked(raw, b"10000\r\n" + b"a" * 0x10000 + b"\r\n" * 3),
    "a long chunk extension": lambda raw: chunked(raw, b"2;a=" + b"x" * 200_000 + b"\r\n{}\r\n0\r\n\r\n"),
    "many trailers": lambda raw: chunked(raw, b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 100_000 + b"\r\n"),
    "bare line feeds": lambda raw: GET.replace(b"\r\n", b"\n") + b"\n",
    "a space before the colon": lambda raw: GET + b"a : b\r\n\r\n",
    "a folded header": lambda raw: GET + b"a: b\r\n c\r\n\r\n",
    "a null in a header": lambda raw: GET + b"a: \0\r\n\r\n",
    "no host": lambda raw: b"GET /endpoint HTTP/1.1\r\n\r\n",
    "two hosts": lambda raw: GET + b"host: b\r\n\r\n",
    "HTTP/0.9": lambda raw: b"GET /endpoint\r\n\r\n",
    "HTTP/2": lambda raw: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.7": lambda raw: GET.replace(b"1.1", b"3.7") + b"\r\n",
    "TLS": lambda raw: bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "an unknown method": lambda raw: b"BREW / HTTP/1.1\r\nhost: a\r\n\r\n",
    "a method that is none": lambda raw: b"G@T / HTTP/1.1\r\nhost: a\r\n\r\n",
    "a tunnel": lambda raw: b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    "no path": lambda raw: b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
    "a relative path": lambda raw: b"GET endpoint HTTP/1.1\r\nhost: a\r\n\r\n",
    "a path in no encoding": lambda raw: b"GET /\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n",
    "a path of 70 kB": lambda raw: b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
    "10,000 headers": lambda raw: GET + b"".join(b"x-%d: y\r\n" % at for at in range(10_000)) + b"\r\n",
    "a WebSocket where there is none": lambda raw: (
        GET + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"sec-websocket-version: 13\r\n\r\n"
    ),
    "all bytes there are": lambda raw: bytes(range(256)) * 40,
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_what_is_no_proper_http_is_refused(raw: RawClient, make: Make) -> None:
    response = raw.send(make(raw))

    assert 400 <= response.status < 500
    assert b"Traceback" not in response.body
    assert raw.well()


def test_a_header_of_10_megabytes_is_refused_or_cut_off(raw: RawClient) -> None:
    response = raw.send(GET + b"a: " + b"x" * 10_000_000 + b"\r\n\r\n")

    assert response.status in (0, 431)  # the connection may be gone before we have written all of it
    assert raw.well()


@pytest.mark.parametrize("cut", [0, 1, 60, -1])
def test_a_request_whose_sender_stops_half_way_leaves_nothing(raw: RawClient, cut: int) -> None:
    request = raw.signed("POST", "/things/half", b'{"attributePayload": {}}')

    response = raw.send(request[:cut], half_closed=True)

    assert response.status in (0, 400)
    assert raw.well()
    assert raw.send(raw.signed("GET", "/things/half")).status == 404


def test_calls_on_one_connection_are_answered_one_after_the_other(raw: RawClient) -> None:
    last = raw.signed("GET", "/things/none", headers={"connection": "close"})
    many = raw.signed("GET", "/endpoint") * 50 + last

    response = raw.send(many)

    assert response.status == 200
    assert raw.well()


BYTES: dict[str, tuple[str, str, bytes, str, str, dict[str, str]]] = {
    "a thing's name": ("POST", "/things/a%FF", b"{}", "", "iot", JSON),
    "half a character": ("GET", "/things/%C3", b"", "", "iot", {}),
    "a surrogate": ("GET", "/things/%ED%A0%80", b"", "", "iot", {}),
    "a filter": ("GET", "/things", b"", "attributeName=a&attributeValue=%FF", "iot", {}),
    "a topic": ("POST", "/topics/a%FE", b"x", "", "iotdata", {}),
    "a user's name": ("POST", "/", b"Action=CreateUser&UserName=a%FF&Version=2010-05-08", "", "iam", FORM),
    "an object's key": ("PUT", "/bytes/a%FF", b"x", "", "s3", {}),
}


@pytest.mark.parametrize(("method", "path", "body", "query", "service", "headers"), BYTES.values(), ids=BYTES)
def test_percent_encoded_bytes_that_are_no_text_are_refused(
    raw: RawClient, method: str, path: str, body: bytes, query: str, service: str, headers: dict[str, str]
) -> None:
    response = raw.send(raw.signed(method, path, body, query=query, service=service, headers=headers))

    assert (response.status, b"UTF-8" in response.body) == (400, True)
    assert raw.well()


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"a": ',
    "a list": b"[]",
    "null": b"null",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no UTF-8": b'{"thingTypeName": "\xff\xfe"}',
    "UTF-16": '{"thingTypeName": "a"}'.encode("utf-16"),
    "NaN": b'{"thingTypeName": NaN, "timestamp": NaN}',
    "a long number": b'{"attributePayload": ' + b"9" * 100_000 + b"}",
    "a large number": b'{"timestamp": 1e999999}',
    "the same name twice": b'{"thingTypeName": "a", "thingTypeName": "b"}',
    "half a character": b'{"attributePayload": {"attributes": {"a": "\\ud800"}}}',
    "two values": b"{} {}",
    "gzip": gzip.compress(b"{}"),
    "many unknown names": b"{" + b",".join(b'"k%d":1' % at for at in range(100_000)) + b"}",
    "a document type": b'<!DOCTYPE a [<!ENTITY b "bb">]><Delete><Quiet>&b;</Quiet></Delete>',
    "a file as entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Delete>&b;</Delete>',
    "deep elements": b"<a>" * 100_000 + b"</a>" * 100_000,
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><Delete/>',
    "many keys": b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
    "deep CBOR": b"\x81" * 100_000,
    "a CBOR list longer than it is": b"\x9b\x00\x00\x00\x7f\xff\xff\xff\xff",
    "CBOR with a number of a million digits": cbor2.dumps({"Namespace": cbor2.CBORTag(4, [10**9, 1])}),
    "CBOR with a moment that never comes": cbor2.dumps(
        {"Namespace": "a", "MetricData": [{"MetricName": "a", "Timestamp": cbor2.CBORTag(1, float("inf"))}]}
    ),
}
CALLS: dict[str, tuple[str, str, str, str, dict[str, str]]] = {
    "rest-json": ("POST", "/things/a", "", "iot", JSON),
    "rest-json of another kind": ("POST", "/things/a", "", "iot", {"content-type": "text/xml"}),
    "a payload": ("POST", "/things/a/shadow", "", "iotdata", {}),
    "a function's event": ("POST", "/2015-03-31/functions/f/invocations", "", "lambda", {}),
    "json 1.0": ("POST", "/", "", "monitoring", target("GraniteServiceVersion20100801.PutMetricData", "1.0")),
    "json 1.1": ("POST", "/", "", "logs", target("Logs_20140328.PutLogEvents")),
    "query": ("POST", "/", "Action=CreateUser&Version=2010-05-08", "iam", FORM),
    "rest-xml": ("POST", "/bucket", "delete=", "s3", {"content-type": "application/xml"}),
    "cbor": ("POST", PUT_METRIC, "", "monitoring", CBOR),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(("method", "path", "query", "service", "headers"), CALLS.values(), ids=CALLS)
def test_a_body_that_is_not_what_it_should_be_is_refused(
    raw: RawClient, method: str, path: str, query: str, service: str, headers: dict[str, str], body: bytes
) -> None:
    response = raw.send(raw.signed(method, path, body, query=query, service=service, headers=headers))

    assert response.status in (200, 400, 404, 415, 501)  # some of them are what one of the protocols may say
    assert b"Traceback" not in response.body
    assert raw.well()


@pytest.mark.parametrize(
    "moment", ["NaN", "Infinity", "1e300", "9" * 400, '"9" ', '"Mon, 01 Jan 99999999999 00:00:00 GMT"']
)
def test_a_moment_that_no_calendar_has_is_refused(raw: RawClient, moment: str) -> None:
    body = f'{{"Namespace": "a", "MetricData": [{{"MetricName": "a", "Value": 1, "Timestamp": {moment}}}]}}'
    headers = target("GraniteServiceVersion20100801.PutMetricData", "1.0")

    response = raw.send(raw.signed("POST", "/", body.encode(), service="monitoring", headers=headers))

    assert response.status == 400
    assert raw.well()


@pytest.mark.parametrize("number", ["%D9%A3", "1_0", "%2010", "0x10", "1e1", "NaN", ""])
def test_what_is_no_number_in_a_query_is_refused(raw: RawClient, number: str) -> None:
    response = raw.send(raw.signed("GET", "/things", query=f"maxResults={number}"))

    assert response.status == 400
    assert raw.well()


DOCUMENTS: dict[str, str] = {
    "deep lists": "[" * 50_000 + "]" * 50_000,
    "deep objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "a number of 10,000 digits": '{"Version": ' + "9" * 10_000 + "}",
    "half a character": '{"a": "\\ud800"}',
    "the same name twice": '{"Version": "2012-10-17", "Version": "x"}',
    "nothing": "",
    "no JSON": "{",
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_in_a_member_that_is_none_is_refused(hedgerow_cloud: TestCloud, document: str) -> None:
    options = Config(parameter_validation=False, retries={"max_attempts": 0})
    iot, iam = hedgerow_cloud.client("iot", config=options), hedgerow_cloud.client("iam", config=options)
    components = hedgerow_cloud.client("greengrassv2", config=options)
    arn = f"arn:aws:iot:{hedgerow_cloud.region}:{hedgerow_cloud.account}:thing/t"
    calls: list[Callable[[], object]] = [
        lambda: iot.create_policy(policyName="p", policyDocument=document),
        lambda: iot.create_job(jobId="j", targets=[arn], document=document),
        lambda: iot.create_topic_rule(ruleName="r", topicRulePayload={"sql": document, "actions": []}),
        lambda: iot.create_provisioning_template(
            templateName="t",
            templateBody=document,
            provisioningRoleArn=f"arn:aws:iam::{hedgerow_cloud.account}:role/none",
        ),
        lambda: iam.create_policy(PolicyName="p", PolicyDocument=document),
        lambda: iam.create_role(RoleName="r", AssumeRolePolicyDocument=document),
        lambda: components.create_component_version(inlineRecipe=document.encode("utf-8", "surrogatepass")),
    ]

    statuses = {status(call) for call in calls}

    assert statuses <= {400, 404, 409}  # 409: a policy that is too long
    assert RawClient(hedgerow_cloud.process).well()


def status(call: Callable[[], object]) -> int:
    with pytest.raises(ClientError) as caught:
        call()
    return int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])


@pytest.mark.parametrize("properties", ["1", '"x"', "[1]", "{", '["a"]', '[{"a": "' + "b" * 70_000 + '"}]'])
def test_user_properties_that_are_none_are_refused(raw: RawClient, properties: str) -> None:
    headers = {"x-amz-mqtt5-user-properties": base64.b64encode(properties.encode()).decode()}

    response = raw.send(raw.signed("POST", "/topics/a", b"x", service="iotdata", headers=headers))

    assert response.status in (400, 431)
    assert raw.well()


SKEWED: dict[str, tuple[str, str, bytes, dict[str, str], str]] = {
    "iot": ("GET", "/things", b"", {}, "InvalidSignatureException"),
    "lambda": ("GET", "/2015-03-31/functions", b"", {}, "InvalidSignatureException"),
    "logs": ("POST", "/", b"{}", target("Logs_20140328.DescribeLogGroups"), "InvalidSignatureException"),
    "monitoring": ("POST", PUT_METRIC, b"\xa0", CBOR, "InvalidSignatureException"),
    "iam": ("POST", "/", b"Action=ListUsers&Version=2010-05-08", FORM, "SignatureDoesNotMatch"),
    "s3": ("GET", "/", b"", {}, "RequestTimeTooSkewed"),
}


def code(response: Response) -> str:
    return response.header("x-amzn-errortype") or response.body.partition(b"<Code>")[2].partition(b"<")[0].decode()


@pytest.mark.parametrize("service", SKEWED)
@pytest.mark.parametrize("away_s", [-1000, 1000])
def test_who_signs_at_another_time_learns_the_servers(raw: RawClient, service: str, away_s: float) -> None:
    method, path, body, headers, wanted = SKEWED[service]
    now = time.time() + away_s

    response = raw.send(raw.signed(method, path, body, service=service, headers=headers, now=now))

    assert (response.status, code(response)) == (403, wanted)
    assert b"15 min" in response.body
    assert response.header("date").endswith("GMT")
