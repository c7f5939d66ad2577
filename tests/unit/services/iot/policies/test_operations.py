import json

import pytest

from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.policies.errors import (
    DefaultVersion,
    MalformedPolicy,
    PolicyAttached,
    PolicyExists,
    PolicyHasVersions,
    PolicyNotFound,
    PolicyVersionNotFound,
    TargetNotFound,
    TooManyPolicies,
    TooManyVersions,
)
from tests.support.registry import ALLOW_ALL, Registry, arn_of, group_arn
from tests.support.store import CALLER, OTHER_ACCOUNT


def document(resource: str) -> str:
    resource = (
        resource if ":" in resource or resource == "*" else f"arn:aws:iot:eu-central-1:123456789012:topic/{resource}"
    )
    statement = {"Effect": "Allow", "Action": "iot:Publish", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def changed(*ids: str) -> tuple[AuthorisationChanged, ...]:
    return (AuthorisationChanged(account=CALLER.account, principals=frozenset(ids)),)


def attach(registry: Registry, name: str, target: str) -> tuple[object, ...]:
    return registry.store.run(registry.attachments.attach_policy, {"policyName": name, "target": target}).events


@pytest.mark.spec("DR-11")
def test_a_policy_is_read_as_it_was_written(registry: Registry) -> None:
    created = registry.policy("EM247PubSub")

    read = registry.store.run(registry.policies.get_policy, {"policyName": "EM247PubSub"}).response

    assert created["policyArn"] == "arn:aws:iot:eu-central-1:123456789012:policy/EM247PubSub"
    assert created["policyVersionId"] == "1"
    assert read["policyDocument"] == ALLOW_ALL
    assert read["defaultVersionId"] == "1"


@pytest.mark.spec("DR-11")
def test_a_second_policy_of_the_name_is_refused_even_with_the_same_document(registry: Registry) -> None:
    registry.policy("p")

    with pytest.raises(PolicyExists):
        registry.policy("p")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"Version":"2012-10-17","Statement":[]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"iot:*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*"}]}',
    ],
)
def test_what_is_no_policy_is_refused(registry: Registry, text: str) -> None:
    with pytest.raises(MalformedPolicy):
        registry.policy("p", text)


def test_the_size_counts_no_white_space(registry: Registry) -> None:
    registry.policy("wide", ALLOW_ALL + " " * 4000)

    with pytest.raises(MalformedPolicy, match="2048"):
        registry.policy("long", document("arn:aws:iot:*:*:topic/" + "x" * 2048))


@pytest.mark.spec("JB-35")
def test_a_sixth_version_is_refused_and_numbers_are_not_used_again(registry: Registry) -> None:
    registry.policy("p")
    request = {"policyName": "p", "policyDocument": ALLOW_ALL}
    for _ in range(4):
        registry.store.run(registry.policies.create_policy_version, request)

    with pytest.raises(TooManyVersions):
        registry.store.run(registry.policies.create_policy_version, request)
    registry.store.run(registry.policies.delete_policy_version, {"policyName": "p", "policyVersionId": "5"})
    again = registry.store.run(registry.policies.create_policy_version, request).response

    assert again["policyVersionId"] == "6"
    listed = registry.store.run(registry.policies.list_policy_versions, {"policyName": "p"}).response
    versions = [(shown["versionId"], shown["isDefaultVersion"]) for shown in listed["policyVersions"]]
    assert versions == [("6", False), ("4", False), ("3", False), ("2", False), ("1", True)]


def test_the_default_version_cannot_be_deleted(registry: Registry) -> None:
    registry.policy("p")

    with pytest.raises(DefaultVersion):
        registry.store.run(registry.policies.delete_policy_version, {"policyName": "p", "policyVersionId": "1"})


@pytest.mark.spec("JB-35")
def test_an_attached_policy_or_one_with_versions_cannot_be_deleted(registry: Registry) -> None:
    registry.policy("p")
    certificate = registry.certificate()
    attach(registry, "p", arn_of(certificate))

    with pytest.raises(PolicyAttached, match=r"attached to one or more principals \(name=p\)"):
        registry.store.run(registry.policies.delete_policy, {"policyName": "p"})
    registry.store.run(registry.attachments.detach_policy, {"policyName": "p", "target": arn_of(certificate)})
    registry.store.run(registry.policies.create_policy_version, {"policyName": "p", "policyDocument": ALLOW_ALL})
    with pytest.raises(PolicyHasVersions):
        registry.store.run(registry.policies.delete_policy, {"policyName": "p"})
    registry.store.run(registry.policies.delete_policy_version, {"policyName": "p", "policyVersionId": "2"})
    registry.store.run(registry.policies.delete_policy, {"policyName": "p"})

    with pytest.raises(PolicyNotFound):
        registry.store.run(registry.policies.get_policy, {"policyName": "p"})


def test_attaching_names_the_certificate_once(registry: Registry) -> None:
    registry.policy("p")
    certificate = registry.certificate()

    first, second = attach(registry, "p", arn_of(certificate)), attach(registry, "p", arn_of(certificate))

    assert first == changed(certificate.id)
    assert second == ()


@pytest.mark.spec("JB-30")
def test_a_group_policy_touches_exactly_the_things_in_and_below_it(registry: Registry) -> None:
    registry.policy("p")
    registry.group("world")
    registry.group("europe", parentGroupName="world")
    registry.group("elsewhere")
    certificates = {}
    for serial, (name, group) in enumerate((("a", "world"), ("b", "europe"), ("c", "elsewhere")), start=1):
        certificates[name] = registry.certificate(serial)
        registry.thing(name)
        registry.attach(name, certificates[name])
        registry.join(name, group)

    attached = attach(registry, "p", group_arn("world"))
    version = registry.store.run(
        registry.policies.create_policy_version,
        {"policyName": "p", "policyDocument": document("*"), "setAsDefault": True},
    )
    silent = registry.store.run(
        registry.policies.create_policy_version, {"policyName": "p", "policyDocument": document("*")}
    )
    back = registry.store.run(registry.policies.set_default_policy_version, {"policyName": "p", "policyVersionId": "1"})

    touched = changed(certificates["a"].id, certificates["b"].id)
    assert attached == version.events == back.events == touched
    assert silent.events == ()


def test_the_policies_of_a_thing_are_its_certificates_and_all_its_groups_up_to_the_root(registry: Registry) -> None:
    registry.group("world")
    registry.group("europe", parentGroupName="world")
    registry.group("elsewhere")
    registry.thing("a")
    certificate = registry.certificate()
    registry.attach("a", certificate)
    registry.join("a", "europe")
    for name, target in (
        ("own", arn_of(certificate)),
        ("root", group_arn("world")),
        ("leaf", group_arn("europe")),
        ("other", group_arn("elsewhere")),
    ):
        registry.policy(name, document(name))
        attach(registry, name, target)

    with registry.store.tx() as tx:
        all_of_them = registry.effective.of(tx, CALLER.account, certificate.id)
        of_no_thing = registry.effective.documents(tx, CALLER.account, certificate.id, ())
        of_stranger = registry.effective.of(tx, OTHER_ACCOUNT.account, certificate.id)

    assert all_of_them == [("leaf", document("leaf")), ("own", document("own")), ("root", document("root"))]
    assert of_no_thing == (document("own"),)
    assert of_stranger == []


def test_effective_policies_need_a_thing_or_a_principal(registry: Registry) -> None:
    registry.policy("own")
    certificate = registry.certificate()
    attach(registry, "own", arn_of(certificate))

    with pytest.raises(InvalidRequest, match="principal or thingName"):
        registry.store.run(registry.attachments.get_effective_policies)
    answer = registry.store.run(registry.attachments.get_effective_policies, {"principal": arn_of(certificate)})

    assert [shown["policyName"] for shown in answer.response["effectivePolicies"]] == ["own"]


def test_attached_policies_of_a_group_include_those_above_when_asked(registry: Registry) -> None:
    registry.group("world")
    registry.group("europe", parentGroupName="world")
    for name, group in (("root", "world"), ("leaf", "europe")):
        registry.policy(name)
        attach(registry, name, group_arn(group))

    def listed(**more: object) -> list[str]:
        request = {"target": group_arn("europe"), **more}
        answer = registry.store.run(registry.attachments.list_attached_policies, request)
        return [shown["policyName"] for shown in answer.response["policies"]]

    assert listed() == ["leaf"]
    assert listed(recursive=True) == ["leaf", "root"]


@pytest.mark.spec("DR-17")
def test_the_old_calls_do_the_same(registry: Registry) -> None:
    registry.policy("p")
    certificate = registry.certificate()
    both = {"policyName": "p", "principal": arn_of(certificate)}

    registry.store.run(registry.attachments.attach_principal_policy, both)

    policies = registry.store.run(
        registry.attachments.list_principal_policies, {"principal": arn_of(certificate)}
    ).response
    principals = registry.store.run(registry.attachments.list_policy_principals, {"policyName": "p"}).response
    attached = registry.store.run(registry.attachments.list_targets_for_policy, {"policyName": "p"}).response
    assert [shown["policyName"] for shown in policies["policies"]] == ["p"]
    assert principals["principals"] == attached["targets"] == [arn_of(certificate)]
    assert registry.store.run(registry.attachments.detach_principal_policy, both).events == changed(certificate.id)
    assert registry.store.run(registry.attachments.detach_principal_policy, both).events == ()


@pytest.mark.spec("BS-12")
def test_a_policy_or_target_that_is_not_there_is_refused(registry: Registry) -> None:
    certificate = registry.certificate()
    registry.policy("p")

    with pytest.raises(PolicyNotFound):
        attach(registry, "none", arn_of(certificate))
    with pytest.raises(TargetNotFound):
        attach(registry, "p", group_arn("none"))
    with pytest.raises(InvalidRequest):
        attach(registry, "p", arn_of(certificate, OTHER_ACCOUNT))


def test_an_eleventh_policy_on_a_certificate_and_a_third_on_a_group_are_refused(registry: Registry) -> None:
    certificate = registry.certificate()
    registry.group("sites")
    for number in range(11):
        registry.policy(f"p{number}")
    for number in range(10):
        attach(registry, f"p{number}", arn_of(certificate))
    for number in range(2):
        attach(registry, f"p{number}", group_arn("sites"))

    with pytest.raises(TooManyPolicies):
        attach(registry, "p10", arn_of(certificate))
    with pytest.raises(TooManyPolicies):
        attach(registry, "p10", group_arn("sites"))


def test_policies_are_listed_newest_first(registry: Registry) -> None:
    for name in ("b", "a"):
        registry.policy(name)
        registry.store.clock.advance(1)
    registry.policy("theirs", caller=OTHER_ACCOUNT)

    newest = registry.store.run(registry.policies.list_policies).response["policies"]
    oldest = registry.store.run(registry.policies.list_policies, {"ascendingOrder": True}).response["policies"]

    assert [shown["policyName"] for shown in newest] == ["a", "b"]
    assert [shown["policyName"] for shown in oldest] == ["b", "a"]


@pytest.mark.parametrize("version", ["0", "9" * 400, "9" * 5000, "\u0661", "-1", "x"])
def test_a_version_of_no_number_that_was_given_is_not_there(registry: Registry, version: str) -> None:
    registry.policy("p")

    with pytest.raises(PolicyVersionNotFound):
        registry.store.run(registry.policies.get_policy_version, {"policyName": "p", "policyVersionId": version})
