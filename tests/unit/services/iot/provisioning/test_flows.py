import asyncio
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import AccessDenied, ServiceError, Unavailable
from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iot.provisioning import UNCLAIMED, HookFailed, flows
from hedgerow.store import FollowUp
from tests.support.registry import ALLOW_ALL, Registry, arn_of
from tests.support.store import CALLER
from tests.unit.core.template.templates import CERTIFICATE, template
from tests.unit.services.iot.provisioning.bench import CLAIM, Bench

THING: dict[str, Any] = {"ThingName": {"Ref": "ThingName"}}
SITE: dict[str, Any] = {
    **THING,
    "ThingGroups": ["sites"],
    "AttributePayload": {"serial": {"Ref": "Serial"}},
}


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


def describe(bench: Bench, name: str) -> dict[str, Any]:
    return dict(bench.store.run(bench.registry.things.describe_thing, {"thingName": name}).response)


def principals(bench: Bench, name: str) -> list[str]:
    answer = bench.store.run(bench.registry.principals.list_thing_principals, {"thingName": name})
    return [arn.rpartition("/")[2] for arn in answer.response["principals"]]


def groups(bench: Bench, name: str) -> list[str]:
    answer = bench.store.run(bench.registry.groups.list_thing_groups_for_thing, {"thingName": name})
    return [group["groupName"] for group in answer.response["thingGroups"]]


@pytest.mark.spec("BS-03", "BS-21", "AL-53", "AL-29", "BS-05", "BS-29")
def test_a_device_gets_a_certificate_and_then_its_thing_policy_group_and_configuration(bench: Bench) -> None:
    bench.registry.group("sites")
    bench.registry.policy("device")
    policy = {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}}}
    configuration = {"url": {"Fn::Sub": "https://${ThingName}"}}
    bench.template(template(SITE, resources=policy, DeviceConfiguration=configuration))

    got = bench.certificate()
    before = bench.status(got["certificateId"])
    ending, reply = bench.provision(got["certificateOwnershipToken"], {"ThingName": "site-1", "Serial": "4711"})

    assert before == "PENDING_ACTIVATION"
    assert (ending, reply) == (
        "accepted",
        {"deviceConfiguration": {"url": "https://site-1"}, "thingName": "site-1"},
    )
    assert bench.status(got["certificateId"]) == "ACTIVE"
    assert describe(bench, "site-1")["attributes"] == {"serial": "4711"}
    assert principals(bench, "site-1") == [got["certificateId"]]
    assert groups(bench, "site-1") == ["sites"]
    with bench.store.tx() as tx:
        documents = bench.registry.effective.documents(tx, CALLER.account, got["certificateId"])
    assert documents == (ALLOW_ALL,)
    touched = frozenset({got["certificateId"]})
    told = [event for event in bench.run.events if isinstance(event, AuthorisationChanged)]
    assert told == [AuthorisationChanged(account=CALLER.account, principals=touched)]


def test_a_reply_has_the_documented_members_and_a_token_that_fits_small_buffers(bench: Bench) -> None:
    got = bench.certificate()

    assert set(got) == {"certificateId", "certificatePem", "privateKey", "certificateOwnershipToken"}
    assert len(got["certificateOwnershipToken"]) <= 512
    assert "PRIVATE KEY" not in "\n".join(bench.dump())


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"a": 1}'])
def test_a_certificate_is_asked_for_with_nothing_or_an_empty_map(bench: Bench, payload: bytes) -> None:
    assert bench.ask(bench.flows.create, "$aws/certificates/create/json", raw=payload)[0] == "accepted"


@pytest.mark.spec("AL-53")
def test_all_of_it_works_in_cbor(bench: Bench) -> None:
    bench.template(template(THING))

    ending, got = bench.ask(bench.flows.create, "$aws/certificates/create/cbor", raw=b"\xa0")
    again = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"}, form="cbor")

    assert ending == "accepted"
    assert again == ("accepted", {"deviceConfiguration": {}, "thingName": "a"})


@pytest.mark.spec("AL-53")
def test_a_signing_request_gives_a_certificate_without_a_key(bench: Bench) -> None:
    ending, reply = bench.ask(
        bench.flows.create_from_csr,
        "$aws/certificates/create-from-csr/json",
        {"certificateSigningRequest": "-----BEGIN CERTIFICATE REQUEST-----"},
    )

    assert ending == "accepted"
    assert set(reply) == {"certificateId", "certificatePem", "certificateOwnershipToken"}


@pytest.mark.parametrize("body", [{}, {"certificateSigningRequest": 7}, {"certificateSigningRequest": "none"}])
def test_a_signing_request_that_cannot_be_used_is_refused(bench: Bench, body: dict[str, object]) -> None:
    ending, reply = bench.ask(bench.flows.create_from_csr, "$aws/certificates/create-from-csr/json", body)

    assert ending == "rejected"
    assert (reply["statusCode"], reply["errorCode"]) == (400, "InvalidCertificateSigningRequest")


@pytest.mark.parametrize(("form", "raw"), [("json", b"{"), ("json", b"[]"), ("json", b"\xff"), ("cbor", b"\xff")])
def test_a_payload_that_is_no_map_is_refused(bench: Bench, form: str, raw: bytes) -> None:
    topic = f"$aws/provisioning-templates/fleet/provision/{form}"

    ending, reply = bench.ask(bench.flows.provision, topic, raw=raw)

    assert ending == "rejected"
    assert reply == {"statusCode": 400, "errorCode": "InvalidPayload", "errorMessage": "Message cannot be parsed"}


@given(raw=st.binary(max_size=40), form=st.sampled_from(["json", "cbor"]))
def test_whatever_is_sent_gets_one_reply(raw: bytes, form: str) -> None:
    bench = Bench(Registry())

    ending, reply = bench.ask(bench.flows.provision, f"$aws/provisioning-templates/x/provision/{form}", raw=raw)

    assert ending == "rejected"
    assert reply["errorCode"] in ("InvalidPayload", "InvalidTemplate", "InvalidParameters")


def code(answer: tuple[str, dict[str, Any]]) -> tuple[str, str]:
    ending, reply = answer
    assert ending == "rejected", reply
    return reply["errorCode"], reply["errorMessage"]


@pytest.mark.spec("AL-09")
def test_a_hook_that_hangs_is_given_up_and_keeps_nobody_else_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "HOOK_S", 0.1)
    bench.template(template(THING), hook=True)
    bench.template(template(THING), name="plain")
    bench.functions.hangs = True
    tokens = [bench.certificate()["certificateOwnershipToken"] for _ in range(9)]
    answered: list[str] = []

    async def device(number: int) -> None:
        name = "plain" if number > 5 else "fleet"
        body = {"certificateOwnershipToken": tokens[number], "parameters": {"ThingName": f"site-{number}"}}
        ending, _ = await bench.asking(
            bench.flows.provision, f"$aws/provisioning-templates/{name}/provision/json", body
        )
        answered.append(f"{name} {ending}")

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as devices:
            for number in range(len(tokens)):
                devices.create_task(device(number))

    asyncio.run(all_of_them())

    assert answered == ["plain accepted"] * 3 + ["fleet rejected"] * 6
    reason = "InvocationError: A failure occurred while invoking the provisioning hook. (no answer within 0.1 s)"
    assert [each["reason"] for each in bench.registry.record() if each["outcome"] == "REFUSED"] == [reason] * 6


@pytest.mark.spec("AL-41")
def test_the_record_says_what_kept_a_hook_from_answering_and_the_device_is_not_told(bench: Bench) -> None:
    bench.template(template(THING), hook=True)
    bench.functions.result = Throttled("1000 invocations wait already")
    got = bench.certificate()

    answer = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"})

    told = "A failure occurred while invoking the provisioning hook."
    assert code(answer) == ("InvocationError", told)
    assert bench.registry.record()[0]["reason"] == f"InvocationError: {told} (1000 invocations wait already)"


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (b'{"allowProvisioning": false}', "AccessDenied: Access Denied (the pre-provisioning hook does not allow it)"),
        (b"yes", "is in an invalid format. (it is no JSON)"),
        (b"[]", "is in an invalid format. (it is no JSON object)"),
        (b"{}", "is in an invalid format. (allowProvisioning is not there, or neither true nor false)"),
        (
            b'{"allowProvisioning": true, "parameterOverrides": "x"}',
            "is in an invalid format. (parameterOverrides is no object)",
        ),
        (
            b'{"allowProvisioning": true, "parameterOverrides": {"a": []}}',
            "is in an invalid format. (the override of 'a' is no text)",
        ),
    ],
)
def test_the_record_says_what_a_hook_answered_instead_of_yes(bench: Bench, result: bytes, why: str) -> None:
    bench.template(template(THING), hook=True)
    bench.functions.result = result

    bench.provision(bench.certificate()["certificateOwnershipToken"], {"ThingName": "a"})

    assert bench.registry.record()[0]["reason"].endswith(why)


@pytest.mark.spec("AL-41")
@pytest.mark.parametrize(
    ("parameters", "device"),
    [({"Serial": "7"}, "lamp-7"), ({"Serial": "7", "ThingName": "x"}, "lamp-7"), ({"ThingName": "x"}, "x"), ({}, None)],
)
def test_the_record_says_what_the_template_would_have_called_a_device(
    bench: Bench, parameters: dict[str, Any], device: str | None
) -> None:
    bench.template(template({"ThingName": {"Fn::Sub": "lamp-${Serial}"}}))

    bench.provision("stolen", parameters)

    assert bench.registry.record()[0].get("device") == device


@pytest.mark.spec("AL-37")
def test_the_record_says_where_a_function_of_the_template_has_no_answer(bench: Bench) -> None:
    bench.template(template({"ThingName": {"Fn::Select": [1, {"Fn::Split": ["-", {"Ref": "ThingName"}]}]}}))

    answer = bench.provision(bench.certificate()["certificateOwnershipToken"], {"ThingName": "a"})

    told = "Template fleet has an invalid Fn::Select."
    assert code(answer) == ("InvalidTemplate", told)
    assert bench.registry.record()[0]["reason"] == f"InvalidTemplate: {told} (at ThingName)"


@pytest.mark.spec("BS-21")
def test_the_order_of_checks_is_template_enabled_token(bench: Bench) -> None:
    bench.template(template(THING), enabled=False)

    unknown = code(bench.provision("", name="none"))
    disabled = code(bench.provision(""))
    bench.store.run(bench.templates.update_provisioning_template, {"templateName": "fleet", "enabled": True})
    empty = code(bench.provision(""))
    forged = code(bench.provision("forged"))

    assert unknown == ("InvalidTemplate", "Template with name none does not exist.")
    assert disabled == ("InvalidTemplate", "Template fleet is not enabled.")
    assert empty == ("InvalidCertificateOwnershipToken", "Certificate ownership token cannot be empty.")
    assert forged == ("InvalidCertificateOwnershipToken", "Certificate ownership token is invalid.")


def test_a_token_ends_after_an_hour(bench: Bench) -> None:
    bench.template(template(THING))
    got = bench.certificate()
    bench.store.clock.advance(3601)

    answer = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"})

    assert code(answer)[0] == "InvalidCertificateOwnershipToken"


@pytest.mark.spec("BS-22")
def test_a_missing_parameter_is_named(bench: Bench) -> None:
    bench.template(template(THING))

    answer = bench.provision(bench.certificate()["certificateOwnershipToken"])

    assert code(answer) == ("InvalidParameters", "Cannot resolve reference value: ThingName")


def test_numbers_are_written_out_and_nested_parameters_refused(bench: Bench) -> None:
    bench.registry.group("sites")
    bench.template(template(SITE))

    got = bench.certificate()["certificateOwnershipToken"]
    nested = bench.provision(got, {"ThingName": "a", "Serial": ["x"]})
    list_of_them = bench.provision(got, ["a"])
    half = bench.provision(got, {"ThingName": "a", "Serial": "\ud800"})
    bench.enrol(ThingName="site-1", Serial=4711)  # type: ignore[arg-type]  # what some devices send

    assert code(nested) == ("InvalidParameters", "Parameter Serial must be a string.")
    assert code(list_of_them)[0] == "InvalidParameters"
    assert code(half)[0] == "InvalidParameters"
    assert describe(bench, "site-1")["attributes"] == {"serial": "4711"}


@pytest.mark.parametrize(
    ("form", "raw", "expected"),
    [
        ("json", b'{"parameters": {"a": NaN}}', "InvalidPayload"),
        ("json", b'{"parameters": {"a": 1e999}}', "InvalidParameters"),
        ("json", b'{"parameters": {"\\ud800": []}}', "InvalidParameters"),
        ("json", b'{"parameters": {"a": ' + b"9" * 5000 + b"}}", "InvalidPayload"),
        ("cbor", b"\xa1\x6aparameters\xa1\xc2\x59\x0f\xa0" + b"\xff" * 4000 + b"\x61a", "InvalidPayload"),
        ("cbor", b"\xa1\x6aparameters\xa1\x41a\x61b", "InvalidParameters"),
        ("cbor", b"\xa1\x6aparameters\xa1\x61a\xf9\x7e\x00", "InvalidParameters"),
        ("cbor", b"\xa1\x6aparameters\xa2\x61a\x61b\x61a\x61c", "InvalidPayload"),
        ("cbor", b"\xa1\x6aparameters\xa1\x61a\xd8\x23\x61x", "InvalidPayload"),
        ("cbor", b"\xa0\xa0", "InvalidPayload"),
        ("cbor", b"\x81" * 100_000, "InvalidPayload"),
        ("cbor", b"\xbf\x6aparameters\xbf\x61a\x7f\x61x\x61y\xff\xff\xff", "InvalidTemplate"),
        ("cbor", b"\xd9\xd9\xf7\xa0", "InvalidTemplate"),
    ],
)
def test_what_is_no_map_of_texts_is_refused_in_one_reply(bench: Bench, form: str, raw: bytes, expected: str) -> None:
    answer = bench.ask(bench.flows.provision, f"$aws/provisioning-templates/none/provision/{form}", raw=raw)

    assert code(answer)[0] == expected


@pytest.mark.parametrize("tag", [b"\xc4\x82\x01", b"\xc5\x82\x01"])
def test_a_payload_sets_off_no_long_work(bench: Bench, tag: bytes) -> None:
    number = b"\xc2\x5a" + (120_000).to_bytes(4, "big") + b"\xff" * 120_000
    begin = time.process_time()

    answer = bench.ask(bench.flows.create, "$aws/certificates/create/cbor", raw=b"\xa1\x61a" + tag + number)

    assert code(answer)[0] == "InvalidPayload"
    assert time.process_time() - begin < 0.5


def test_the_default_version_at_that_time_counts(bench: Bench) -> None:
    bench.template(template({"ThingName": "first"}))
    bench.store.run(
        bench.templates.create_provisioning_template_version,
        {"templateName": "fleet", "templateBody": template({"ThingName": "second"})},
    )

    assert bench.enrol()["thingName"] == "first"
    bench.store.run(bench.templates.update_provisioning_template, {"templateName": "fleet", "defaultVersionId": 2})
    assert bench.enrol()["thingName"] == "second"


def test_a_template_without_a_thing_activates_the_certificate_alone(bench: Bench) -> None:
    bench.template(template())

    got = bench.enrol()

    assert "thingName" not in got
    assert got["deviceConfiguration"] == {}
    assert bench.status(got["certificateId"]) == "ACTIVE"


def test_a_certificate_can_be_left_inactive(bench: Bench) -> None:
    inactive = {**CERTIFICATE, "Properties": {**CERTIFICATE["Properties"], "Status": "inactive"}}
    bench.template(template(THING, resources={"certificate": inactive}))

    assert bench.status(bench.enrol(ThingName="a")["certificateId"]) == "INACTIVE"


def test_a_policy_document_is_made_once_for_all_devices(bench: Bench) -> None:
    policy = {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": json.loads(ALLOW_ALL)}}}
    bench.template(template(THING, resources=policy))

    for name in ("a", "b"):
        bench.enrol(ThingName=name)

    listed = bench.store.run(bench.registry.policies.list_policies).response["policies"]
    assert len(listed) == 1
    targets = bench.store.run(
        bench.registry.attachments.list_targets_for_policy, {"policyName": listed[0]["policyName"]}
    )
    assert len(targets.response["targets"]) == 2


@pytest.mark.parametrize(
    ("thing", "policy", "why"),
    [
        (
            SITE,
            "device",
            "Register thing workflow execution terminates due to: ThingGroup 123456789012:sites not found.",
        ),
        (THING, "none", "Register thing workflow execution terminates due to: Policy default version not found"),
        (
            {**THING, "ThingTypeName": "radio"},
            "device",
            "Register thing workflow execution terminates due to: Thing Type 123456789012:radio not found.",
        ),
        ({"ThingName": {"Fn::Sub": "not/a/${ThingName}"}}, "device", "thingName 'not/a/a'"),
    ],
)
def test_a_step_that_fails_leaves_nothing(bench: Bench, thing: dict[str, Any], policy: str, why: str) -> None:
    bench.registry.policy("device")
    resources = {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": policy}}}
    bench.template(template(thing, resources=resources))
    got = bench.certificate()
    before = bench.dump()

    answer = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a", "Serial": "1"})

    failed, message = code(answer)
    assert failed == "ProvisioningFailed"
    assert message.startswith(why)
    assert message.endswith(
        "(Service: AWSIot; Status Code: 400; Error Code: ResourceRegistrationFailureException; "
        f"Request ID: {CLAIM.request_id}; Proxy: null)"
    )
    assert bench.dump() == before
    assert bench.run.events == []


@pytest.mark.spec("BS-20", "AL-44", "AL-52")
@pytest.mark.parametrize(
    "action",
    [
        "iot:CreateThing",
        "iot:AttachPolicy",
        "iot:AttachThingPrincipal",
        "iot:AddThingToThingGroup",
        "iot:UpdateCertificate",
    ],
)
def test_a_role_that_lacks_a_right_changes_nothing(bench: Bench, action: str) -> None:
    bench.registry.group("sites")
    bench.registry.policy("device")
    resources = {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}}}
    bench.template(template(SITE, resources=resources))
    bench.roles.denied = {action}
    got = bench.certificate()
    before = bench.dump()

    ending, reply = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a", "Serial": "1"})

    assert (ending, reply["statusCode"], reply["errorCode"]) == ("rejected", 403, "AccessDenied")
    assert action in reply["errorMessage"]
    assert bench.dump() == before


@pytest.mark.spec("BS-41", "BS-23")
@pytest.mark.parametrize("override", [None, "REPLACE", "MERGE", "DO_NOTHING"])
def test_a_second_device_of_one_name_is_refused_and_the_first_stays_intact(bench: Bench, override: str | None) -> None:
    overrides = {"AttributePayload": override, "ThingGroups": override} if override else {}
    bench.registry.group("sites")
    bench.template(template(SITE, overrides=overrides))
    first = bench.enrol(ThingName="branch-017", Serial="1")
    second = bench.certificate()
    before = bench.dump()

    answer = bench.provision(second["certificateOwnershipToken"], {"ThingName": "branch-017", "Serial": "2"})

    assert "Thing branch-017 already exists" in code(answer)[1]
    assert bench.dump() == before
    assert principals(bench, "branch-017") == [first["certificateId"]]
    assert bench.status(first["certificateId"]) == "ACTIVE"
    assert bench.status(second["certificateId"]) == "PENDING_ACTIVATION"


@pytest.mark.spec("BS-23")
def test_a_name_is_free_again_once_its_certificate_is_deactivated(bench: Bench) -> None:
    bench.template(template(THING))
    first = bench.enrol(ThingName="branch-017")
    bench.store.run(
        bench.registry.certificates.update_certificate,
        {"certificateId": first["certificateId"], "newStatus": "INACTIVE"},
    )

    second = bench.enrol(ThingName="branch-017")

    assert sorted(principals(bench, "branch-017")) == sorted([first["certificateId"], second["certificateId"]])


@pytest.mark.spec("BS-23")
def test_a_hook_may_approve_that_a_name_is_taken_over(bench: Bench) -> None:
    bench.template(template(THING), hook=True)
    bench.enrol(ThingName="branch-017")

    bench.enrol(ThingName="branch-017")

    assert len(principals(bench, "branch-017")) == 2


def enrol_by_request(bench: Bench, name: str) -> tuple[str, dict[str, Any]]:
    _, got = bench.ask(
        bench.flows.create_from_csr,
        "$aws/certificates/create-from-csr/json",
        {"certificateSigningRequest": "-----BEGIN CERTIFICATE REQUEST-----"},
    )
    return bench.provision(got["certificateOwnershipToken"], {"ThingName": name})


@pytest.mark.spec("BS-41")
def test_the_holder_of_the_same_key_is_the_same_device_and_may_enrol_again(bench: Bench) -> None:
    bench.template(template(THING))
    bench.authority.key_number = 1
    first = enrol_by_request(bench, "branch-017")
    again = enrol_by_request(bench, "branch-017")
    bench.authority.key_number = 2
    clone = enrol_by_request(bench, "branch-017")

    assert first == again == ("accepted", {"deviceConfiguration": {}, "thingName": "branch-017"})
    assert "already exists" in code(clone)[1]
    assert len(principals(bench, "branch-017")) == 2


def test_a_key_whose_certificate_was_revoked_does_not_open_a_name_that_is_taken(bench: Bench) -> None:
    bench.template(template(THING))
    bench.authority.key_number = 1
    enrol_by_request(bench, "branch-017")
    (revoked,) = principals(bench, "branch-017")
    bench.store.run(bench.registry.certificates.update_certificate, {"certificateId": revoked, "newStatus": "REVOKED"})
    bench.authority.key_number = 2
    enrol_by_request(bench, "branch-017")
    bench.authority.key_number = 1

    assert "already exists" in code(enrol_by_request(bench, "branch-017"))[1]


def test_names_may_be_taken_where_the_operator_says_so(registry: Registry) -> None:
    bench = Bench(registry, names_may_be_taken=True)
    bench.template(template(THING))

    for _ in range(2):
        bench.enrol(ThingName="branch-017")

    assert len(principals(bench, "branch-017")) == 2


def test_a_device_that_lost_the_reply_asks_again_and_gets_the_same(bench: Bench) -> None:
    bench.registry.group("sites")
    bench.template(template(SITE, overrides={"AttributePayload": "FAIL"}))
    got = bench.certificate()
    parameters = {"ThingName": "a", "Serial": "1"}

    first = bench.provision(got["certificateOwnershipToken"], parameters)
    second = bench.provision(got["certificateOwnershipToken"], parameters)

    assert first == second
    assert first[0] == "accepted"
    assert principals(bench, "a") == [got["certificateId"]]


@pytest.mark.parametrize(("written", "kind"), [(None, "NON_EXCLUSIVE_THING"), ("EXCLUSIVE_THING", "EXCLUSIVE_THING")])
def test_a_certificate_is_attached_as_the_template_says(bench: Bench, written: str | None, kind: str) -> None:
    properties = {**CERTIFICATE["Properties"]} | ({"ThingPrincipalType": written} if written else {})
    bench.template(template(THING, resources={"certificate": {**CERTIFICATE, "Properties": properties}}))

    bench.enrol(ThingName="a")

    listed = bench.store.run(bench.registry.principals.list_thing_principals_v2, {"thingName": "a"}).response
    assert [shown["thingPrincipalType"] for shown in listed["thingPrincipalObjects"]] == [kind]


def test_asking_again_leaves_how_the_certificate_was_attached_meanwhile(bench: Bench) -> None:
    bench.template(template(THING))
    got = bench.enrol(ThingName="a")
    with bench.store.tx() as tx:
        certificate = bench.registry.certificate_store.get(tx, CALLER.account, got["certificateId"])
    assert certificate is not None
    bench.registry.attach("a", certificate, thingPrincipalType="EXCLUSIVE_THING")

    bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"})

    listed = bench.store.run(bench.registry.principals.list_thing_principals_v2, {"thingName": "a"}).response
    assert listed["thingPrincipalObjects"][0]["thingPrincipalType"] == "EXCLUSIVE_THING"


def test_one_certificate_is_not_given_a_second_name(bench: Bench) -> None:
    bench.template(template(THING))
    got = bench.certificate()
    bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"})

    answer = bench.provision(got["certificateOwnershipToken"], {"ThingName": "b"})

    assert code(answer) == ("InvalidCertificateOwnershipToken", "Certificate ownership token is invalid.")
    with bench.store.tx() as tx:
        assert bench.registry.thing_store.get(tx, CALLER.account, "b") is None


def test_asking_again_changes_nothing_that_was_changed_meanwhile(bench: Bench) -> None:
    bench.registry.group("sites")
    bench.template(template(SITE, overrides={"AttributePayload": "REPLACE", "ThingGroups": "REPLACE"}))
    got = bench.enrol(ThingName="a", Serial="1")
    request = {"thingName": "a", "attributePayload": {"attributes": {"serial": "by-hand"}}}
    bench.store.run(bench.registry.things.update_thing, request)

    again = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a", "Serial": "1"})

    assert again == ("accepted", {"deviceConfiguration": {}, "thingName": "a"})
    assert describe(bench, "a")["attributes"] == {"serial": "by-hand"}


def test_a_token_is_over_once_the_device_has_connected_as_itself(bench: Bench) -> None:
    bench.template(template(THING))
    got = bench.enrol(ThingName="a")
    with bench.store.tx() as tx:
        waiting = bench.registry.enrolment_store.is_waiting(tx, CALLER.account, got["certificateId"])
        bench.registry.enrolment_store.connected(tx, CALLER.account, got["certificateId"])

    answer = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"})

    assert waiting
    assert code(answer)[0] == "InvalidCertificateOwnershipToken"


@pytest.mark.spec("AL-41")
def test_every_attempt_is_recorded_with_its_device_and_reason_and_nothing_secret(bench: Bench) -> None:
    bench.template(template(THING))
    got = bench.certificate()
    token = got["certificateOwnershipToken"]

    bench.provision(token, {"ThingName": "a", "Password": "hidden"})
    bench.provision("forged", {"ThingName": "b", "Password": "hidden"})
    bench.provision(token, {"ThingName": "c"}, name="other")

    record = bench.registry.record()
    assert [(each["way"], each["outcome"], each["device"]) for each in record] == [
        ("CLAIM", "REFUSED", "c"),
        ("CLAIM", "REFUSED", "b"),
        ("CLAIM", "ACCEPTED", "a"),
    ]
    assert record[0]["reason"] == "InvalidTemplate: Template with name other does not exist."
    assert record[2]["certificateId"] == got["certificateId"]
    assert (record[2]["clientId"], record[2]["templateName"]) == ("boot-1", "fleet")
    text = str(record)
    assert not [secret for secret in ("hidden", token, got["privateKey"]) if secret in text]


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_token_does_not_bring_a_deactivated_certificate_back(bench: Bench, status: str) -> None:
    bench.template(template(THING))
    got = bench.enrol(ThingName="a")
    bench.store.run(
        bench.registry.certificates.update_certificate,
        {"certificateId": got["certificateId"], "newStatus": status},
    )

    answer = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"})

    assert code(answer)[0] == "InvalidCertificateOwnershipToken"
    assert bench.status(got["certificateId"]) == status


def override_case(bench: Bench, override: str | None) -> tuple[str, dict[str, Any]]:
    """Provision over a thing that was made beforehand, in another group and with other attributes."""
    for name in ("sites", "old"):
        bench.registry.group(name)
    bench.registry.thing("a", attributePayload={"attributes": {"serial": "0", "kept": "k"}})
    bench.registry.join("a", "old")
    overrides = {"AttributePayload": override, "ThingGroups": override} if override else {}
    bench.template(template(SITE, overrides=overrides))
    return bench.provision(bench.certificate()["certificateOwnershipToken"], {"ThingName": "a", "Serial": "1"})


@pytest.mark.spec("BS-23")
@pytest.mark.parametrize(
    ("override", "attributes", "in_groups"),
    [
        ("REPLACE", {"serial": "1"}, ["sites"]),
        ("MERGE", {"serial": "1", "kept": "k"}, ["old", "sites"]),
        ("DO_NOTHING", {"serial": "0", "kept": "k"}, ["old"]),
    ],
)
def test_override_settings_decide_about_a_thing_that_was_made_beforehand(
    bench: Bench, override: str, attributes: dict[str, str], in_groups: list[str]
) -> None:
    ending, _ = override_case(bench, override)

    assert ending == "accepted"
    assert describe(bench, "a")["attributes"] == attributes
    assert groups(bench, "a") == in_groups


@pytest.mark.spec("BS-23")
@pytest.mark.parametrize("override", [None, "FAIL"])
def test_without_a_setting_or_with_fail_a_value_that_differs_is_a_conflict(bench: Bench, override: str | None) -> None:
    message = code(override_case(bench, override))[1]

    assert message.startswith(
        "Existing AttributePayload: {serial=0, kept=k} conflicts with AttributePayload: {serial=1} in Template."
    )
    assert describe(bench, "a")["attributes"] == {"serial": "0", "kept": "k"}


def test_a_conflict_is_told_in_the_words_of_aws(bench: Bench) -> None:
    bench.registry.group("sites")
    bench.registry.group("halls")
    bench.registry.thing("a")
    bench.store.run(bench.registry.groups.add_thing_to_thing_group, {"thingGroupName": "halls", "thingName": "a"})
    bench.template(template({**THING, "ThingGroups": ["sites"]}))

    _, message = code(bench.provision(bench.certificate()["certificateOwnershipToken"], {"ThingName": "a"}))

    there = "{GroupName: halls,GroupArn: arn:aws:iot:eu-central-1:123456789012:thinggroup/halls}"
    assert message.startswith(f"Existing ThingGroups: [{there}] conflict with ThingGroups: [sites] in Template. (Serv")


@pytest.mark.spec("AL-09", "AL-55", "BS-29")
def test_the_hook_is_told_who_asks_and_its_overrides_win(bench: Bench) -> None:
    bench.registry.group("sites")
    bench.template(template(SITE), hook=True)
    overrides = {"ThingName": "site-9", "Serial": 7, "Extra": None}
    bench.functions.result = json.dumps({"allowProvisioning": "TRUE", "parameterOverrides": overrides}).encode()

    got = bench.enrol(ThingName="site-1", Extra="x")

    assert got["thingName"] == "site-9"
    assert describe(bench, "site-9")["attributes"] == {"serial": "7"}
    assert bench.functions.asked == [
        {
            "claimCertificateId": CLAIM.certificate_id,
            "certificateId": got["certificateId"],
            "certificatePem": got["certificatePem"],
            "templateArn": "arn:aws:iot:eu-central-1:123456789012:provisioningtemplate/fleet",
            "clientId": "boot-1",
            "parameters": {"ThingName": "site-1", "Extra": "x"},
        }
    ]


class Throttled(ServiceError):
    """What functions are refused with when too many wait."""

    code = "TooManyRequestsException"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (b'{"allowProvisioning": false}', ("AccessDenied", "Access Denied")),
        (b'{"allowProvisioning": 0}', ("AccessDenied", "Access Denied")),
        (b"", ("InvalidResult", "The provisioning hook did not return a response.")),
        (b"null", ("InvalidResult", "The provisioning hook did not return a response.")),
        (b"{}", ("InvalidResult", "Provisioning hook result is in an invalid format.")),
        (b"[1]", ("InvalidResult", "Provisioning hook result is in an invalid format.")),
        (
            b'{"allowProvisioning": true, "parameterOverrides": {"ThingName": {"a": "b"}}}',
            ("InvalidResult", "Provisioning hook result is in an invalid format."),
        ),
        *(
            (result, ("InvalidResult", "Provisioning hook result is in an invalid format."))
            for result in (
                b'{"allowProvisioning": NaN}',
                b'{"allowProvisioning": true, "parameterOverrides": []}',
                b'{"allowProvisioning": true, "parameterOverrides": ""}',
                b'{"allowProvisioning": true, "parameterOverrides": false}',
                b'{"allowProvisioning": true, "parameterOverrides": {"a": Infinity}}',
                b'{"allowProvisioning": true, "parameterOverrides": {"\\ud800": "a"}}',
            )
        ),
        (AccessDenied("no"), ("InvocationError", "Access denied while invoking Lambda function")),
        (Throttled("no"), ("InvocationError", "A failure occurred while invoking the provisioning hook.")),
        (Unavailable("no"), ("InvocationError", "A failure occurred while invoking the provisioning hook.")),
        (HookFailed("no"), ("InvocationError", "The provisioning hook was not executed successfully.")),
    ],
)
@pytest.mark.spec("AL-09", "AL-55")
def test_a_hook_that_does_not_allow_it_stops_it(bench: Bench, result: Any, expected: tuple[str, str]) -> None:
    bench.template(template(THING), hook=True)
    bench.functions.result = result
    got = bench.certificate()
    before = bench.dump()

    answer = bench.provision(got["certificateOwnershipToken"], {"ThingName": "a"})

    assert code(answer) == expected
    assert bench.dump() == before


@pytest.mark.spec("BS-21")
def test_a_template_that_is_disabled_while_the_hook_thinks_provisions_nothing(bench: Bench) -> None:
    bench.template(template(THING), hook=True)
    bench.functions.meanwhile = lambda: bench.store.run(  # type: ignore[assignment]  # the answer is dropped
        bench.templates.update_provisioning_template, {"templateName": "fleet", "enabled": False}
    )

    answer = bench.provision(bench.certificate()["certificateOwnershipToken"], {"ThingName": "a"})

    assert code(answer) == ("InvalidTemplate", "Template fleet is not enabled.")


def timers(bench: Bench) -> list[str]:
    return [line for line in bench.dump() if UNCLAIMED in line]


def due(bench: Bench, certificate_id: str) -> None:
    row = FollowUp(seq=1, account=CALLER.account, kind=UNCLAIMED, key=certificate_id, due_at=0.0, body={})
    with bench.store.tx() as tx:
        bench.follow_ups.on_unclaimed(tx, row)


def test_a_certificate_that_nobody_claims_is_deleted_when_its_token_ends(bench: Bench) -> None:
    got = bench.certificate()

    assert len(timers(bench)) == 1
    due(bench, got["certificateId"])
    due(bench, got["certificateId"])

    assert bench.status(got["certificateId"]) is None


def test_a_certificate_that_was_claimed_is_not_deleted(bench: Bench) -> None:
    bench.template(template(THING))
    got = bench.enrol(ThingName="a")

    assert timers(bench) == []
    due(bench, got["certificateId"])

    assert bench.status(got["certificateId"]) == "ACTIVE"


def test_a_pending_certificate_that_an_operator_attached_is_not_deleted(bench: Bench) -> None:
    got = bench.certificate()
    bench.registry.policy("p")
    with bench.store.tx() as tx:
        certificate = bench.registry.certificate_store.get(tx, CALLER.account, got["certificateId"])
    assert certificate is not None
    request = {"policyName": "p", "target": arn_of(certificate)}
    bench.store.run(bench.registry.attachments.attach_policy, request)

    due(bench, got["certificateId"])

    assert bench.status(got["certificateId"]) == "PENDING_ACTIVATION"
