"""The list of steps, without sockets: what each step refuses, and in which form."""

import asyncio
import base64
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from hedgerow.api import Also, Peer, Row, flow, read, write
from hedgerow.api import pipeline as pipeline_module
from hedgerow.api.authorisation import conditions, resource_arn
from hedgerow.base.errors import Unavailable
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.paging import InvalidToken
from hedgerow.core.request import Request
from hedgerow.core.wire import HttpRequest, HttpResponse, sigv4
from hedgerow.store import Answer, Tx
from tests.support.store import CALLER
from tests.unit.api.cloud import KEY_ID, LIMITED_ID, REGION, SECRET, ToyCloud, toy_cloud
from tests.unit.api.toys import THING, ToyObjects, ToyThings, rows

GROUP = "arn:aws:logs:{region}:{account}:log-group:{logGroupName|logGroupIdentifier}"
FUNCTION = "arn:aws:lambda:{region}:{account}:function:{FunctionName}"


def cloud(**more: Row) -> ToyCloud:
    things = ToyThings()
    things.things["lamp"] = {}
    return toy_cloud({**rows(things, ToyObjects()), **{("iot", name): row for name, row in more.items()}})


def signed(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    service: str = "iot",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> HttpRequest:
    http = HttpRequest(method, path, query, {"host": "localhost", **(headers or {})}, body)
    credentials = {"access_key_id": KEY_ID, "secret": SECRET, "region": REGION, "now": time.time()}
    added = sigv4.sign(http, service=service, **{**credentials, **options})
    return HttpRequest(method, path, query, {**http.headers, **added}, body)


def answer(running: ToyCloud, http: HttpRequest, peer: Peer | None = None) -> HttpResponse:
    return asyncio.run(running.pipeline.answer(http, peer or Peer(), "request-1"))


def refusal(response: HttpResponse) -> tuple[int, str, str]:
    assert isinstance(response.body, bytes)
    body = json.loads(response.body)
    return response.status, response.headers["x-amzn-errortype"], body.get("message", body.get("Message"))


def test_an_answer_carries_its_request_id() -> None:
    response = answer(cloud(), signed("GET", "/things/lamp"))

    assert (response.status, response.headers["x-amzn-requestid"]) == (200, "request-1")


def test_an_unknown_member_is_ignored_and_named(caplog: pytest.LogCaptureFixture) -> None:
    body = b'{"attributePayload": {"attributes": {}, "colour": 1}, "shape": "round", "sh\\u00e4pe": 1}'

    response = answer(cloud(), signed("POST", "/things/lamp", body, query="debug=1"))

    assert response.status == 200
    assert response.headers["x-hedgerow-ignored"] == "debug, attributePayload.colour, shape, sh?pe"
    assert "members that the model does not know were ignored" in caplog.messages


def test_long_names_of_unknown_members_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps({"x" * 10_000: 1}).encode()

    assert answer(cloud(), signed("POST", "/things/lamp", body)).status == 200

    (record,) = [each for each in caplog.records if each.message.startswith("members that the model")]
    assert record.__dict__["fields"]["ignored"] == ["x" * 128]


def test_unknown_members_of_strangers_are_told_to_them_alone(caplog: pytest.LogCaptureFixture) -> None:
    def ask(tx: Tx, request: Request, caller: Caller) -> Answer:
        request.take_all()
        return Answer()

    running = cloud()
    running.pipeline._operations = {("hedgerow-device", "RequestCertificate"): read(ask)}
    said = {"serialNumber": "1", "token": "t", "certificateSigningRequest": "r", "colour": "red"}

    response = answer(running, HttpRequest("POST", "/vending", "", {}, json.dumps(said).encode()))

    assert (response.status, response.headers["x-hedgerow-ignored"]) == (200, "colour")
    assert "members that the model does not know were ignored" not in caplog.messages


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"thingTypeName": "a b"}', "'thingTypeName' failed to satisfy constraint: Member must satisfy regular"),
        (b'{"thingTypeName": ""}', "'thingTypeName' failed to satisfy constraint: Member must have length greater"),
        (b'{"attributePayload": {"attributes": {"a b": "1"}}}', "'attributePayload.attributes (key)'"),
        (b'{"thingTypeName": 7}', "thingTypeName must be a string"),
        (b'{"attributePayload": []}', "attributePayload must be a structure"),
        (b'{"attributePayload": {"merge": "yes"}}', "attributePayload.merge must be true or false"),
        (b"{", "the request body must be valid JSON"),
        (b"[" * 100_000, "the request body must be valid JSON"),
    ],
)
def test_an_input_that_breaks_the_model_is_refused_with_the_member_named(body: bytes, said: str) -> None:
    status, code, message = refusal(answer(cloud(), signed("POST", "/things/lamp", body)))

    assert (status, code) == (400, "InvalidRequestException")
    assert said in message


@pytest.mark.parametrize(
    ("service", "http", "code"),
    [
        ("lambda", ("POST", "/2015-03-31/functions/a%20b/invocations"), "ValidationException"),
        ("greengrass", ("GET", "/greengrass/v2/coreDevices/" + "x" * 129), "ValidationException"),
    ],
)
def test_each_service_has_its_own_word_for_invalid(service: str, http: tuple[str, str], code: str) -> None:
    running = cloud()
    running.pipeline._operations = {
        **running.pipeline._operations,
        ("greengrassv2", "GetCoreDevice"): read(lambda tx, request, caller: Answer()),
    }

    response = answer(running, signed(*http, service=service))

    assert refusal(response)[1] == code


def test_a_query_service_answers_in_xml() -> None:
    form = b"Action=GetRole&Version=2010-05-08&RoleName=a%20b"
    kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}

    response = answer(cloud(), signed("POST", "/", form, service="iam", headers=kind))

    assert isinstance(response.body, bytes)
    root = ElementTree.fromstring(response.body)
    space = "{https://iam.amazonaws.com/doc/2010-05-08/}"
    found = {name: root.findtext(f"{space}Error/{space}{name}") for name in ("Type", "Code", "Message")}
    assert (response.status, found["Type"], found["Code"]) == (400, "Sender", "ValidationError")
    assert "'RoleName' failed to satisfy" in (found["Message"] or "")
    assert root.findtext(f"{space}RequestId") == "request-1"


def test_s3_answers_its_own_error() -> None:
    response = answer(cloud(), signed("GET", "/store/nothing", service="s3"))

    assert isinstance(response.body, bytes)
    root = ElementTree.fromstring(response.body)
    assert (root.tag, root.findtext("Code"), root.findtext("Resource")) == ("Error", "NoSuchKey", "/store/nothing")
    assert response.headers["x-amz-request-id"] == "request-1"


def test_a_path_that_no_operation_has_is_an_unknown_operation() -> None:
    status, code, message = refusal(answer(cloud(), signed("PATCH", "/nothing/here")))

    assert (status, code) == (404, "UnknownOperationException")
    assert "PATCH /nothing/here" in message


@pytest.mark.parametrize(
    ("http", "asked"),
    [
        (("GET", "/"), ""),
        (("POST", "/"), "with the target Ssm.GetParameter"),
    ],
)
def test_a_service_that_is_not_here_is_refused_by_name(http: tuple[str, str], asked: str) -> None:
    headers = {"x-amz-target": "Ssm.GetParameter"} if asked else {}

    response = answer(cloud(), signed(*http, service="quantum-ledger", headers=headers))

    status, code, message = refusal(response)
    assert (status, code) == (501, "NotImplementedException")
    assert "'quantum-ledger'" in message
    assert asked in message
    assert "AWS_ENDPOINT_URL_QUANTUM_LEDGER" in message


@pytest.mark.parametrize(
    ("service", "http", "words"),
    [
        ("iot", ("POST", "/audit/tasks"), "Device Defender"),
        ("iot", ("GET", "/streams"), "job"),
        ("greengrass", ("GET", "/greengrass/groups"), "greengrassv2"),
        ("lambda", ("GET", "/2018-10-31/layers"), ".zip"),
    ],
)
def test_an_operation_that_is_not_here_is_refused_with_what_to_use_instead(
    service: str, http: tuple[str, str], words: str
) -> None:
    response = answer(toy_cloud({}), signed(*http, service=service))

    assert refusal(response)[:2] == (501, "NotImplementedException")
    assert words in refusal(response)[2]


@pytest.mark.parametrize(
    ("service", "kind", "status", "word"),
    [
        ("s3", "", 404, b"<Error><Code>MethodNotAllowed</Code>"),
        ("sts", "application/x-www-form-urlencoded", 400, b"<Code>InvalidAction</Code>"),
        ("logs", "application/x-amz-json-1.1", 400, b'"__type":"UnknownOperationException"'),
    ],
)
def test_an_unknown_operation_is_refused_in_the_words_of_its_service(
    service: str, kind: str, status: int, word: bytes
) -> None:
    headers = {"content-type": kind, **({"x-amz-target": "Logs_20140328.Nothing"} if service == "logs" else {})}

    response = answer(cloud(), signed("PATCH" if service == "s3" else "POST", "/", service=service, headers=headers))

    assert isinstance(response.body, bytes)
    assert (response.status, word in response.body) == (status, True), response.body


@pytest.mark.spec("X-01")
def test_an_old_sdk_may_sign_for_execute_api() -> None:
    assert answer(cloud(), signed("GET", "/things/lamp", service="execute-api")).status == 200


def test_who_is_not_allowed_learns_it_before_what_is_wrong_with_the_input() -> None:
    response = answer(cloud(), signed("GET", "/things/a%20b", access_key_id=LIMITED_ID))

    assert refusal(response)[:2] == (403, "AccessDeniedException")


def test_the_data_plane_has_its_own_word_for_denied() -> None:
    response = answer(cloud(), signed("POST", "/topics/a", service="iotdata", access_key_id=LIMITED_ID))

    assert refusal(response)[:2] == (403, "ForbiddenException")


@pytest.mark.parametrize("away_s", [-3600, 3600])
def test_a_clock_that_is_off_is_named(away_s: float) -> None:
    response = answer(cloud(), signed("GET", "/things/lamp", now=time.time() + away_s))

    assert refusal(response)[:2] == (403, "InvalidSignatureException")
    assert "15 min" in refusal(response)[2]


def temporary(running: ToyCloud, *, ends_in_s: float) -> None:
    key = running.directory.keys[KEY_ID]
    running.directory.keys["ASIA"] = replace(key, session_token="token", expires_at=time.time() + ends_in_s)


@pytest.mark.parametrize(
    ("token", "ends_in_s", "status", "code"),
    [
        ("token", 60, 200, None),
        ("other", 60, 403, "UnrecognizedClientException"),
        (None, 60, 403, "UnrecognizedClientException"),
        ("token", -1, 403, "ExpiredTokenException"),
    ],
)
def test_temporary_credentials_need_their_token_and_end(
    token: str | None, ends_in_s: float, status: int, code: str | None
) -> None:
    running = cloud()
    temporary(running, ends_in_s=ends_in_s)

    response = answer(running, signed("GET", "/things/lamp", access_key_id="ASIA", token=token))

    assert (response.status, response.headers.get("x-amzn-errortype")) == (status, code)


def test_a_token_with_a_lasting_key_is_refused() -> None:
    response = answer(cloud(), signed("GET", "/things/lamp", token="token"))

    assert refusal(response)[1] == "UnrecognizedClientException"


def test_another_body_than_the_signed_one_is_refused() -> None:
    http = signed("POST", "/things/lamp", b"{}")

    response = answer(cloud(), HttpRequest(http.method, http.path, http.query, http.headers, b'{"a": 1}'))

    assert response.status == 400
    assert refusal(response)[1] == "XAmzContentSHA256Mismatch"


def test_only_s3_takes_a_body_that_is_not_signed() -> None:
    http = signed("POST", "/things/lamp", b"{}")
    headers = {**http.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    added = sigv4.sign(
        HttpRequest("POST", "/things/lamp", "", {"host": "localhost"}),
        access_key_id=KEY_ID,
        secret=SECRET,
        region=REGION,
        service="iot",
        now=time.time(),
    )

    response = answer(cloud(), HttpRequest("POST", "/things/lamp", "", {**headers, **added}, b'{"a": 1}'))

    assert response.status == 400


@pytest.mark.parametrize(
    ("service", "operation", "http", "code"),
    [
        ("iot", "ListThings", ("GET", "/things"), "InvalidRequestException"),
        ("lambda", "ListFunctions", ("GET", "/2015-03-31/functions"), "InvalidParameterValueException"),
        ("greengrassv2", "ListComponents", ("GET", "/greengrass/v2/components"), "ValidationException"),
    ],
)
def test_a_page_token_that_is_none_of_ours_is_refused_in_the_words_of_the_service(
    service: str, operation: str, http: tuple[str, str], code: str
) -> None:
    def listing(tx: Tx, request: Request, caller: Caller) -> Answer:
        raise InvalidToken

    running = toy_cloud({(service, operation): read(listing)})

    response = answer(running, signed(*http, service="greengrass" if service == "greengrassv2" else service))

    assert refusal(response)[:2] == (400, code)


def test_a_member_that_only_the_operation_needs_is_named_when_it_is_missing() -> None:
    def operation(tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"thingName": request["attributePayload"]["merge"]})

    bare = answer(cloud(CreateThing=write(operation, THING)), signed("POST", "/things/lamp"))
    empty = answer(
        cloud(CreateThing=write(operation, THING)), signed("POST", "/things/lamp", b'{"attributePayload": {}}')
    )

    assert refusal(bare)[:2] == refusal(empty)[:2] == (400, "InvalidRequestException")
    assert "null at 'attributePayload'" in refusal(bare)[2]
    assert "null at 'attributePayload.merge'" in refusal(empty)[2]


def test_a_document_that_is_nested_too_deeply_is_the_callers_mistake() -> None:
    def operation(tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"thingName": json.loads("[" * 100_000)})

    response = answer(cloud(DescribeThing=write(operation, THING)), signed("GET", "/things/lamp"))

    assert refusal(response)[:2] == (400, "InvalidRequestException")
    assert "nested" in refusal(response)[2]


def test_our_own_mistake_is_answered_with_an_id_and_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    status, code, message = refusal(answer(cloud(), signed("DELETE", "/things/lamp")))

    assert (status, code) == (500, "InternalFailureException")
    assert "request-1" in message
    assert "a bug" not in message
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.fields["request_id"] == "request-1"  # type: ignore[attr-defined]  # set by the log call
    assert "a bug of ours" in (caplog.text or "")


def test_an_answer_that_does_not_fit_the_model_is_our_own_mistake() -> None:
    running = cloud(DescribeThing=read(lambda tx, request, caller: Answer({"thing": request["thingName"]})))

    assert refusal(answer(running, signed("GET", "/things/lamp")))[0] == 500


def unavailable(tx: Tx, request: Request, caller: Caller) -> Answer:
    raise Unavailable("the disk is full")


def test_what_is_not_available_is_answered_with_503() -> None:
    response = answer(cloud(DescribeThing=read(unavailable)), signed("GET", "/things/lamp"))

    assert refusal(response) == (503, "ServiceUnavailableException", "the disk is full")


async def endless(request: Request, caller: Caller) -> Mapping[str, Any]:
    await asyncio.Event().wait()
    return {}


def test_a_flow_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "FLOW_DEADLINE_S", 0.01)

    response = answer(cloud(DescribeThing=flow(endless)), signed("GET", "/things/lamp"))

    assert refusal(response)[:2] == (503, "ServiceUnavailableException")


async def careless(request: Request, caller: Caller) -> Mapping[str, Any]:
    return {}


def test_a_flow_that_read_nothing_is_refused_by_name() -> None:
    response = answer(cloud(DescribeThing=flow(careless)), signed("GET", "/things/lamp"))

    assert refusal(response)[0] == 501
    assert "thingName" in refusal(response)[2]


def test_an_operation_that_the_runner_runs_twice_reads_its_members_twice() -> None:
    running = cloud()

    class Twice:
        async def write(self, operation: Any, *, lane: str = "") -> Answer:
            operation(None)
            return operation(None)  # type: ignore[no-any-return]  # the pipeline's own closure

    running.pipeline._runner = Twice()  # type: ignore[assignment]  # half a runner

    assert answer(running, signed("POST", "/things/lamp", b"{}")).status == 200


def test_writes_to_one_resource_have_one_lane() -> None:
    running, lanes = cloud(), []

    class Lanes:
        async def write(self, operation: Any, *, lane: str = "") -> Answer:
            lanes.append(lane)
            return Answer()

    running.pipeline._runner = Lanes()  # type: ignore[assignment]  # half a runner

    answer(running, signed("POST", "/things/lamp", b"{}"))

    assert lanes == [f"123456789012 arn:aws:iot:{REGION}:123456789012:thing/lamp"]


def test_a_token_that_we_filled_in_need_not_be_read() -> None:
    running = cloud(CreatePackage=write(lambda tx, request, caller: Answer({"packageName": request["packageName"]})))

    response = answer(running, signed("PUT", "/packages/p", b"{}"))

    assert response.status == 200


def test_calls_are_counted_by_operation_and_status() -> None:
    running = cloud()

    answer(running, signed("GET", "/things/lamp"))
    answer(running, signed("GET", "/things/lamp"))
    answer(running, signed("GET", "/things/none"))

    assert running.pipeline.answered == {("iot", "DescribeThing", 200): 2, ("iot", "DescribeThing", 404): 1}


@pytest.mark.parametrize(
    ("template", "params", "arn"),
    [
        ("arn:aws:iot:{region}:{account}:thing/{thingName}", {"thingName": "a"}, "arn:aws:iot:R:A:thing/a"),
        ("arn:aws:iot:{region}:{account}:thing/{thingName}", {}, "arn:aws:iot:R:A:thing/*"),
        (FUNCTION, {"FunctionName": "arn:aws:lambda:R:A:function:f"}, None),
        (FUNCTION, {"FunctionName": "arn:aws-cn:lambda:R:A:function:f"}, None),
        (FUNCTION, {"FunctionName": "A:function:f"}, None),
        (FUNCTION, {"FunctionName": "function:f"}, None),
        (FUNCTION, {"FunctionName": "function:function:f"}, "arn:aws:lambda:R:A:function:function:f"),
        ("{resourceArn}", {"resourceArn": "arn:aws:iot:R:A:thing/a"}, "arn:aws:iot:R:A:thing/a"),
        ("*", {"a": "b"}, "*"),
        ("arn:aws:s3:::{Bucket}/{Key}", {"Bucket": "b", "Key": "k/{x}"}, "arn:aws:s3:::b/k/{x}"),
        ("x/{thingName}", {"thingName": ["a"]}, "x/*"),
        ("x/{thingName}{/shadowName}", {"thingName": "a", "shadowName": "s"}, "x/a/s"),
        ("x/{thingName}{/shadowName}", {"thingName": "a"}, "x/a"),
        ("x:{Name}{:Qualifier}", {"Name": "f", "Qualifier": "prod"}, "x:f:prod"),
        ("x:{Name}{:Qualifier}", {"Name": "f"}, "x:f"),
        ("x{Path}{RoleName}", {"RoleName": "r"}, "x/r"),
        ("x{Path}{RoleName}", {"RoleName": "r", "Path": "/a/"}, "x/a/r"),
        ("x/{UserName}", {}, "x/*"),
        (GROUP, {"logGroupName": "g"}, "arn:aws:logs:R:A:log-group:g"),
        (GROUP, {"logGroupIdentifier": "g"}, "arn:aws:logs:R:A:log-group:g"),
        (GROUP, {"logGroupIdentifier": "arn:aws:logs:R:A:log-group:g:*"}, "arn:aws:logs:R:A:log-group:g"),
    ],
)
def test_a_rows_resource_is_filled_with_the_requests_members(
    template: str, params: dict[str, Any], arn: str | None
) -> None:
    caller = replace(CALLER, region="R", account="A")

    assert resource_arn(template, params, caller) == (arn or "arn:aws:lambda:R:A:function:f")


def test_a_user_who_names_no_user_means_themselves() -> None:
    caller = replace(CALLER, kind=Kind.USER, principal="arn:aws:iam::A:user/deep/ann")

    assert resource_arn("x/{UserName}", {}, caller) == "arn:aws:iam::A:user/deep/ann"
    assert resource_arn("x/{UserName}", {"UserName": "bob"}, caller) == "x/bob"


def test_an_arn_of_another_partition_is_refused_even_to_root() -> None:
    row = write(lambda tx, request, caller: Answer({}), "{principal}")

    response = answer(
        cloud(AttachPrincipalPolicy=row),
        signed("PUT", "/principal-policies/p", headers={"x-amzn-iot-principal": f"arn:aws-cn:iot:{REGION}:1:cert/a"}),
    )

    assert refusal(response)[:2] == (403, "AccessDeniedException")


def test_a_name_that_looks_like_the_arn_of_another_thing_is_no_way_in() -> None:
    caller = replace(CALLER, region="R", account="A")
    template = "arn:aws:iot:{region}:{account}:thing/{thingName}"

    assert resource_arn(template, {"thingName": "arn:aws:iot:R:B:thing/a"}, caller) != "arn:aws:iot:R:B:thing/a"


def test_a_thing_may_be_named_like_the_arn_of_another() -> None:
    caller = replace(CALLER, region="R", account="A")
    template = "arn:aws:greengrass:{region}:{account}:coreDevices:{coreDeviceThingName}"
    name = "arn:aws:greengrass:R:A:coreDevices:b"

    assert resource_arn(template, {"coreDeviceThingName": name}, caller).endswith(f":coreDevices:{name}")


THING_RIGHT = f"iot:CreateThing arn:aws:iot:{REGION}:123456789012:thing/lamp"
GROUPED = b'{"attributePayload": {"attributes": {"a": "g1", "b": "g2"}}}'


@pytest.mark.parametrize(
    ("also", "held", "status"),
    [
        (Also("iam:PassRole", "{attributePayload.attributes.a}"), {"iam:PassRole g1"}, 200),
        (Also("iam:PassRole", "{attributePayload.attributes.a}"), set(), 403),
        (Also("iam:PassRole", "{attributePayload.attributes.c}"), set(), 200),
        (Also("x:Y", "{attributePayload.**.b}"), {"x:Y g2"}, 200),
        (Also("x:Y", "{attributePayload.**.b}"), {"x:Y g1"}, 403),
        (Also("x:Y", "{thingName}/{attributePayload.attributes.a}"), {"x:Y lamp/g1"}, 200),
        (Also("x:Y", "{thingName}", when="thingTypeName"), set(), 200),
        (Also("x:Y", "{thingName}", when="thingName"), set(), 403),
        (Also("x:Y", "{thingName}", kind="la"), set(), 403),
        (Also("x:Y", "{thingName}", kind="group/"), set(), 200),
    ],
)
def test_a_row_may_ask_for_further_rights(also: Also, held: set[str], status: int) -> None:
    running = cloud(CreateThing=write(ToyThings().create_thing, THING, also=(also,)))
    running.directory.allowed |= {THING_RIGHT, *held}

    response = answer(running, signed("POST", "/things/lamp", GROUPED, access_key_id=LIMITED_ID))

    assert response.status == status


def test_a_right_is_asked_for_every_entry_of_a_list() -> None:
    running = cloud()
    row = write(lambda tx, request, caller: Answer(), action="", also=(Also("s3:D", "{Bucket}/{Delete.Objects.Key}"),))
    running.pipeline._operations = {("s3", "DeleteObjects"): row}
    running.directory.allowed |= {"s3:D b/open"}
    body = b"<Delete><Object><Key>open</Key></Object><Object><Key>secret</Key></Object></Delete>"
    headers = {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}

    response = answer(
        running,
        signed("POST", "/b", body, service="s3", query="delete=", headers=headers, access_key_id=LIMITED_ID),
    )

    assert response.status == 403
    assert isinstance(response.body, bytes)
    assert b"s3:D on resource: b/secret" in response.body


def test_conditions_say_where_a_request_comes_from() -> None:
    found = conditions(
        replace(CALLER, kind=Kind.USER), Peer(source_ip="10.0.0.1", secure=True), 0.0, {"user-agent": "a"}
    )

    assert (found["aws:SourceIp"], found["aws:SecureTransport"]) == ("10.0.0.1", "true")
    assert found["aws:CurrentTime"] == "1970-01-01T00:00:00Z"
    assert (found["aws:UserAgent"], found["aws:ViaAWSService"]) == ("a", "false")
    assert "aws:Referer" not in found
