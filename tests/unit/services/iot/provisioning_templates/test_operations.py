from typing import Any

import pytest

from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.provisioning_templates import TemplateOperations, TemplateStore
from hedgerow.services.iot.provisioning_templates.errors import (
    DefaultVersion,
    InvalidHook,
    InvalidTemplateBody,
    RoleUnusable,
    TemplateExists,
    TemplateInUse,
    TemplateNotFound,
    TemplateVersionNotFound,
    TooManyVersions,
)
from hedgerow.store import Tx
from tests.support.registry import Registry
from tests.support.store import OTHER_ACCOUNT
from tests.unit.core.template.templates import template
from tests.unit.services.iot.provisioning.bench import HOOK, ROLE, FakeFunctions, FakeRoles

BODY = template({"ThingName": "a"})


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.store = registry.store
        self.functions = FakeFunctions()
        self.in_use: set[tuple[str, str]] = set()
        self.operations = TemplateOperations(
            templates=TemplateStore(),
            authorities=self,
            roles=FakeRoles(),
            hooks=self.functions,
            pages=registry.pages,
        )

    def use_template(self, tx: Tx, account: str, name: str) -> bool:
        """Answer as the CA certificates do."""
        return (account, name) in self.in_use

    def create(self, name: str = "fleet", **more: Any) -> dict[str, Any]:
        request = {"templateName": name, "templateBody": BODY, "provisioningRoleArn": ROLE, **more}
        return dict(self.store.run(self.operations.create_provisioning_template, request).response)

    def describe(self) -> dict[str, Any]:
        request = {"templateName": "fleet"}
        return dict(self.store.run(self.operations.describe_provisioning_template, request).response)

    def version(self, **more: Any) -> dict[str, Any]:
        request = {"templateName": "fleet", "templateBody": template({"ThingName": "b"}), **more}
        return dict(self.store.run(self.operations.create_provisioning_template_version, request).response)

    def update(self, **changes: Any) -> None:
        self.store.run(self.operations.update_provisioning_template, {"templateName": "fleet", **changes})

    def versions(self) -> list[tuple[int, bool]]:
        request = {"templateName": "fleet"}
        listed = self.store.run(self.operations.list_provisioning_template_versions, request).response["versions"]
        return [(shown["versionId"], shown["isDefaultVersion"]) for shown in listed]


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


@pytest.mark.spec("BS-21", "JB-27")
def test_a_template_is_described_as_it_was_made_and_not_enabled_unless_said(bench: Bench) -> None:
    created = bench.create(description="radios")

    arn = "arn:aws:iot:eu-central-1:123456789012:provisioningtemplate/fleet"
    assert created == {"templateArn": arn, "templateName": "fleet", "defaultVersionId": 1}
    assert bench.describe() == {
        **created,
        "description": "radios",
        "creationDate": bench.store.clock.now(),
        "lastModifiedDate": bench.store.clock.now(),
        "enabled": False,
        "type": "FLEET_PROVISIONING",
        "templateBody": BODY,
        "provisioningRoleArn": ROLE,
    }


def test_a_name_is_taken_once_in_an_account(bench: Bench) -> None:
    bench.create()

    with pytest.raises(TemplateExists, match="Template with name fleet already exists"):
        bench.create()


def test_a_body_that_cannot_be_honoured_is_refused_when_it_is_made(bench: Bench) -> None:
    with pytest.raises(InvalidTemplateBody, match="The template body is invalid: Template must have certificate"):
        bench.create(templateBody='{"Resources": {}}')
    bench.create()
    with pytest.raises(InvalidTemplateBody, match="software packages are not supported"):
        bench.version(templateBody=template({"ThingName": "a", "PackageVersions": {}}))


def test_a_role_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(RoleUnusable):
        bench.create(provisioningRoleArn="arn:aws:iam::123456789012:role/none")


@pytest.mark.spec("AL-32", "JB-27")
def test_a_template_for_first_connections_keeps_its_type_and_has_no_hook(bench: Bench) -> None:
    bench.create(type="JITP")

    assert bench.describe()["type"] == "JITP"
    listed = bench.store.run(bench.operations.list_provisioning_templates, {}).response["templates"]
    assert [each["type"] for each in listed] == ["JITP"]
    for call in (
        lambda: bench.create("other", type="JITP", preProvisioningHook={"targetArn": HOOK}),
        lambda: bench.update(preProvisioningHook={"targetArn": HOOK}),
    ):
        with pytest.raises(InvalidHook, match="not supported for template type: JITP"):
            call()


def test_a_version_of_a_template_for_first_connections_must_do_without_parameters(bench: Bench) -> None:
    bench.create(type="JITP")

    with pytest.raises(InvalidTemplateBody, match="Serial needs a Default"):
        bench.version(
            templateBody=template({"ThingName": {"Ref": "Serial"}}, Parameters={"Serial": {"Type": "String"}})
        )


def test_a_template_that_ca_certificates_use_is_not_deleted(bench: Bench) -> None:
    bench.create(type="JITP")
    bench.in_use = {("123456789012", "fleet")}

    with pytest.raises(TemplateInUse, match="attached to a CA certificate"):
        bench.store.run(bench.operations.delete_provisioning_template, {"templateName": "fleet"})
    bench.in_use = set()
    bench.store.run(bench.operations.delete_provisioning_template, {"templateName": "fleet"})


@pytest.mark.spec("AL-09")
def test_a_hook_that_could_not_be_asked_is_refused_with_the_reason(bench: Bench) -> None:
    bench.functions.why_not = "its policy does not name iot.amazonaws.com"

    with pytest.raises(InvalidHook, match=r"during lambda validation: .*:function:hook \(its policy"):
        bench.create(preProvisioningHook={"targetArn": HOOK})
    with pytest.raises(InvalidHook, match=r"supported versions are: \[2020-04-01\]"):
        bench.create(preProvisioningHook={"targetArn": HOOK, "payloadVersion": "2019-01-01"})


@pytest.mark.spec("AL-09")
def test_a_hook_is_put_on_and_taken_off(bench: Bench) -> None:
    bench.create()

    bench.update(preProvisioningHook={"targetArn": HOOK})
    on = bench.describe()["preProvisioningHook"]
    bench.update(removePreProvisioningHook=True)

    assert on == {"targetArn": HOOK, "payloadVersion": "2020-04-01"}
    assert "preProvisioningHook" not in bench.describe()
    with pytest.raises(InvalidRequest, match="together"):
        bench.update(preProvisioningHook={"targetArn": HOOK}, removePreProvisioningHook=True)


@pytest.mark.spec("JB-27")
def test_an_update_changes_what_is_given_only(bench: Bench) -> None:
    bench.create(description="old")
    bench.version()

    bench.update(enabled=True)
    bench.update(description="new", defaultVersionId=2)

    described = bench.describe()
    assert (described["enabled"], described["description"], described["defaultVersionId"]) == (True, "new", 2)
    assert described["templateBody"] == template({"ThingName": "b"})
    with pytest.raises(DefaultVersion, match="Unable to set version 9 as the default, version does not exist"):
        bench.update(defaultVersionId=9)


@pytest.mark.spec("JB-27")
def test_versions_are_five_at_most_and_their_numbers_are_not_used_again(bench: Bench) -> None:
    bench.create()
    for _ in range(3):
        bench.version()
    last = bench.version(setAsDefault=True)

    with pytest.raises(TooManyVersions):
        bench.version()
    bench.store.run(bench.operations.delete_provisioning_template_version, {"templateName": "fleet", "versionId": 4})
    again = bench.version()

    assert (last["versionId"], last["isDefaultVersion"]) == (5, True)
    assert again["versionId"] == 6
    assert bench.versions() == [(1, False), (2, False), (3, False), (5, True), (6, False)]


def test_the_default_version_cannot_be_deleted(bench: Bench) -> None:
    bench.create()

    with pytest.raises(DefaultVersion, match="Unable to delete template version 1, it is the default version"):
        bench.store.run(
            bench.operations.delete_provisioning_template_version, {"templateName": "fleet", "versionId": 1}
        )
    with pytest.raises(TemplateVersionNotFound):
        bench.store.run(
            bench.operations.describe_provisioning_template_version, {"templateName": "fleet", "versionId": 2}
        )


def test_a_deleted_template_takes_its_versions_along(bench: Bench) -> None:
    bench.create()
    bench.version()

    bench.store.run(bench.operations.delete_provisioning_template, {"templateName": "fleet"})

    with pytest.raises(TemplateNotFound, match="Unable to find template named fleet"):
        bench.describe()
    bench.create()
    assert bench.versions() == [(1, True)]


def test_templates_are_listed_for_their_account_alone(bench: Bench) -> None:
    for name in ("b", "a"):
        bench.create(name)

    mine = bench.store.run(bench.operations.list_provisioning_templates).response["templates"]
    theirs = bench.store.run(bench.operations.list_provisioning_templates, {}, OTHER_ACCOUNT).response["templates"]

    assert [shown["templateName"] for shown in mine] == ["a", "b"]
    assert theirs == []
