"""Devices of an own CA that are provisioned at their first connection: from admission to the thing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from hedgerow.cloud.just_in_time import facts_of
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted
from hedgerow.services.iot.ca_certificates import registering
from hedgerow.services.iot.ca_certificates.model import CaMode, CaStatus, Provisioning, parsed_ca
from tests.support import authorities
from tests.support.cloud import Cloud, wait
from tests.support.registry import arn_of
from tests.support.store import CALLER
from tests.unit.core.template.templates import template

ROLE = f"arn:aws:iam::{CALLER.account}:role/fleet"
REGISTRATION = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
OF = "AWS::IoT::Certificate::"
CA = authorities.signed("Acme CA", ca=True)


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def body(name: object = None, **sections: Any) -> str:
    """A template that names the thing after the certificate's common name."""
    declared = {OF + "CommonName": {"Type": "String"}, OF + "Id": {"Type": "String"}}
    thing = {"ThingName": name or {"Ref": OF + "CommonName"}}
    statement = {
        "Effect": "Allow",
        "Action": "iot:Connect",
        "Resource": {"Fn::Sub": "arn:aws:iot:eu-central-1:123456789012:client/${" + OF + "CommonName}"},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    policy = {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}}}
    return template(thing, Parameters=declared, resources=policy, **sections)


class Bench:
    def __init__(self, text: str | None = None, *, service: str = "iot.amazonaws.com") -> None:
        self.cloud = Cloud()
        self.registry = self.cloud.registry
        self.cloud.run(
            self.cloud.iam.roles.create_role, {"RoleName": "fleet", "AssumeRolePolicyDocument": trust(service)}
        )
        self.cloud.run(
            self.cloud.iam.role_policies.attach_role_policy, {"RoleName": "fleet", "PolicyArn": REGISTRATION}
        )
        by = Provisioning(template=None, body=text or body(), role_arn=ROLE)
        read = parsed_ca(CA.pem, now=self.cloud.store.clock.now())
        with self.cloud.store.tx() as tx:
            self.registry.cas.enter(
                tx, CALLER, read, mode=CaMode.DEFAULT, active=True, auto_registration=True, provisioning=by
            )

    def connect(self, leaf: authorities.Signed, name: str | None = None) -> Admitted | NotAdmitted:
        question = Admit(client_id="lamp", peer="192.0.2.1", server_name=name, certificate=leaf.der)
        return wait(self.cloud.admission.admit(question))

    def status(self, leaf: authorities.Signed) -> str:
        with self.cloud.store.tx() as tx:
            found = self.registry.certificate_store.get(tx, CALLER.account, leaf.id)
        assert found is not None
        return found.status.value

    def things(self) -> list[str]:
        return [each["thingName"] for each in self.cloud.run(self.registry.things.list_things)["things"]]

    def principals(self, thing: str) -> Mapping[str, Any]:
        return self.cloud.run(self.registry.principals.list_thing_principals, {"thingName": thing})


@pytest.mark.spec("AL-31", "AL-33", "AL-34")
def test_the_second_connection_finds_thing_policy_and_certificate() -> None:
    bench, leaf = Bench(), authorities.signed("lamp", CA)

    first, second = bench.connect(leaf), bench.connect(leaf)

    assert isinstance(first, NotAdmitted)
    assert isinstance(second, Admitted)
    assert (second.account, second.principal) == (CALLER.account, leaf.id)
    assert json.loads(second.policies[0])["Statement"][0]["Resource"].endswith(":client/lamp")
    with bench.cloud.store.tx() as tx:
        certificate = bench.registry.certificate_store.get(tx, CALLER.account, leaf.id)
    assert certificate is not None
    assert bench.principals("lamp")["principals"] == [arn_of(certificate)]


@pytest.mark.spec("AL-36")
def test_a_second_device_of_the_same_name_does_not_get_the_first_ones_thing() -> None:
    bench = Bench()
    mine, thief = authorities.signed("lamp", CA), authorities.signed("lamp", CA)
    bench.connect(mine)

    answers = [bench.connect(thief) for _ in range(2)]

    assert all(isinstance(answer, NotAdmitted) for answer in answers)
    assert bench.status(thief) == "PENDING_ACTIVATION"
    assert len(bench.principals("lamp")["principals"]) == 1
    assert isinstance(bench.connect(mine), Admitted)


@pytest.mark.parametrize(
    ("bench", "name"),
    [
        (lambda: Bench(service="lambda.amazonaws.com"), "lamp"),  # the role does not trust AWS IoT
        (lambda: Bench(), "no thing is called so"),
        (lambda: Bench(), "*"),
        (lambda: Bench(body(name="fixed")), 'x","Action":"*'),
        (lambda: Bench(body(name="fixed")), "*"),
        (lambda: Bench(body(name="fixed")), "${iot:ClientId}"),
    ],
)
def test_what_fails_leaves_a_pending_certificate_and_nothing_else(bench: Any, name: str) -> None:
    there, leaf = bench(), authorities.signed(name, CA)

    answers = [there.connect(leaf) for _ in range(2)]

    assert all(isinstance(answer, NotAdmitted) for answer in answers)
    assert there.things() == []
    assert there.cloud.run(there.registry.policies.list_policies)["policies"] == []
    assert there.status(leaf) == "PENDING_ACTIVATION"


def test_a_certificate_that_lacks_what_the_template_declares_is_not_provisioned() -> None:
    declared = {OF + "Country": {"Type": "String", "Default": "DE"}}
    bench = Bench(template({"ThingName": {"Ref": OF + "Country"}}, Parameters=declared))

    bench.connect(authorities.signed("lamp", CA))

    assert bench.things() == []


def test_what_was_mended_is_provisioned_at_the_next_connection() -> None:
    bench, leaf = Bench(template({"ThingName": "lamp", "ThingTypeName": "none"})), authorities.signed("lamp", CA)
    bench.connect(leaf)

    bench.cloud.run(bench.registry.types.create_thing_type, {"thingTypeName": "none"})
    bench.connect(leaf)

    assert isinstance(bench.connect(leaf), Admitted)
    assert bench.things() == ["lamp"]


def test_a_named_template_is_taken_as_it_is_at_that_moment() -> None:
    bench = Bench()
    by_name = Provisioning(template="gone", body=None, role_arn=None)
    with bench.cloud.store.tx() as tx:
        ca = bench.registry.ca_store.get(tx, CALLER.account, CA.id)
        assert ca is not None
        changed = ca.changed(status=ca.status, auto_registration=True, provisioning=by_name, now=tx.now)
        bench.registry.ca_store.put(tx, CALLER.account, changed)
    leaf = authorities.signed("lamp", CA)

    bench.connect(leaf)

    assert bench.status(leaf) == "PENDING_ACTIVATION"
    assert bench.things() == []


def test_the_serial_number_is_the_subjects_and_not_the_certificates() -> None:
    parts = {
        NameOID.COUNTRY_NAME: "DE",
        NameOID.ORGANIZATION_NAME: "Acme",
        NameOID.ORGANIZATIONAL_UNIT_NAME: "Lamps",
        NameOID.DN_QUALIFIER: "q",
        NameOID.STATE_OR_PROVINCE_NAME: "Hessen",
        NameOID.SERIAL_NUMBER: "4711",
    }
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])
    leaf = authorities.signed("lamp", CA)
    certificate = (
        x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=CA.certificate.subject,
            public_key=leaf.key.public_key(),
            serial_number=1,
            not_valid_before=authorities.BEGIN,
            not_valid_after=authorities.END,
        )
    ).sign(CA.key, hashes.SHA256())

    assert facts_of(certificate) == {
        "Country": "DE",
        "Organization": "Acme",
        "OrganizationalUnit": "Lamps",
        "DistinguishedNameQualifier": "q",
        "StateName": "Hessen",
        "SerialNumber": "4711",
    }


@pytest.mark.spec("AL-41")
def test_first_connections_are_recorded_however_they_end() -> None:
    bench = Bench()
    mine, thief = authorities.signed("lamp", CA), authorities.signed("lamp", CA)

    for leaf in (mine, thief):
        bench.connect(leaf)

    refused, accepted = bench.registry.record()
    assert (accepted["way"], accepted["outcome"], accepted["device"]) == ("JITP", "ACCEPTED", "lamp")
    assert (accepted["certificateId"], accepted["address"]) == (mine.id, "192.0.2.1")
    assert (refused["outcome"], refused["certificateId"]) == ("REFUSED", thief.id)
    assert "another device's" in refused["reason"]


def changed_ca(bench: Bench, **changes: Any) -> None:
    with bench.cloud.store.tx() as tx:
        ca = bench.registry.ca_store.get(tx, CALLER.account, CA.id)
        assert ca is not None
        bench.registry.ca_store.put(tx, CALLER.account, replace(ca, **changes))


def old(name: str) -> authorities.Signed:
    return authorities.signed(name, CA, end=authorities.BEGIN + timedelta(seconds=1))


def young(name: str) -> authorities.Signed:
    return authorities.signed(name, CA, begin=authorities.END - timedelta(seconds=1))


@pytest.mark.spec("AL-36", "AL-41")
@pytest.mark.parametrize(
    ("leaf", "changes", "way", "why"),
    [
        (old, {}, "JITP", "the device's certificate expired 2026-01-01T00:00:01Z"),
        (young, {}, "JITP", "the device's certificate begins 2039-12-31T23:59:59Z"),
        (None, {"status": CaStatus.INACTIVE}, "JITP", " is INACTIVE"),
        (None, {"not_after": 0.0}, "JITP", " has expired"),
        (None, {"auto_registration": False, "provisioning": None}, "JITR", "does not allow auto registration"),
    ],
)
def test_what_keeps_a_certificate_of_a_ca_out_is_recorded(
    leaf: Callable[[str], authorities.Signed] | None, changes: dict[str, Any], way: str, why: str
) -> None:
    bench, device = Bench(), (leaf or partial(authorities.signed, by=CA))("lamp")
    changed_ca(bench, **changes)

    answer = bench.connect(device)

    assert isinstance(answer, NotAdmitted)
    (attempt,) = bench.registry.record()
    assert (attempt["way"], attempt["outcome"], attempt["device"]) == (way, "REFUSED", "lamp")
    assert (attempt["certificateId"], attempt["address"]) == (device.id, "192.0.2.1")
    assert attempt["reason"].endswith(why)
    with bench.cloud.store.tx() as tx:
        assert bench.registry.certificate_store.get(tx, CALLER.account, device.id) is None


def test_who_is_turned_away_again_and_again_is_recorded_once_for_each_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registering, "TOLD", 2)
    bench = Bench()
    lamp, bulb, fuse = (authorities.signed(name, CA) for name in ("lamp", "bulb", "fuse"))
    changed_ca(bench, status=CaStatus.INACTIVE)
    for device in (lamp, lamp, bulb, lamp):
        bench.connect(device)
    changed_ca(bench, status=CaStatus.ACTIVE, auto_registration=False)
    for device in (lamp, lamp, fuse, bulb):
        bench.connect(device)

    devices = [each["device"] for each in bench.registry.record()]

    assert devices == ["bulb", "fuse", "lamp", "bulb", "lamp"]


def test_a_certificate_that_only_says_so_or_is_registered_leaves_no_attempt() -> None:
    bench, mine = Bench(), authorities.signed("lamp", CA)
    bench.connect(mine)
    changed_ca(bench, status=CaStatus.INACTIVE)
    before = bench.registry.record()

    bench.connect(authorities.signed("lamp", authorities.signed("Acme CA", ca=True)))
    bench.connect(mine)

    assert bench.registry.record() == before
