"""RegisterThing: templates that operators fill in, with every kind of certificate."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.ca_certificates.model import CaMode, parsed_ca
from hedgerow.services.iot.certificates import InvalidSigningRequest, Status
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.provisioning import OperatorRegistration
from hedgerow.services.iot.provisioning.errors import NotRegistered
from tests.support.authorities import signed
from tests.support.registry import Registry, arn_of, certificate_pem, contents
from tests.support.store import CALLER, OTHER_ACCOUNT
from tests.unit.services.iot.provisioning.bench import DirectRun, FakeAuthority, FakeRoles

CSR = "-----BEGIN CERTIFICATE REQUEST-----"
OWN = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:"
POLICY = {
    "Statement": {
        "Effect": "Allow",
        "Action": "iot:Connect",
        "Resource": {"Fn::Sub": "arn:aws:iot:*:*:client/${ThingName}"},
    }
}


def body(certificate: dict[str, Any], overrides: dict[str, str] | None = None, **thing: Any) -> str:
    declared = {name: {"Type": "String"} for name in ("ThingName", "CSR")}
    resources = {
        "theThing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "ThingName"}, **thing}},
        "theCertificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": certificate,
            "OverrideSettings": overrides or {},
        },
        "thePolicy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": POLICY}},
    }
    return json.dumps({"Parameters": declared, "Resources": resources})


BY_CSR = {"CertificateSigningRequest": {"Ref": "CSR"}, "Status": "ACTIVE"}


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.store = registry.store
        self.denied: set[str] = set()
        self.flows = OperatorRegistration(
            run=DirectRun(registry),
            authority=FakeAuthority(),
            entries=registry.certificates,
            register_certificate=registry.certificates.register_certificate,
            certificates=registry.certificate_store,
            registration=registry.registration(rights=FakeRoles()),
            callers=self,
            attempts=registry.attempts,
        )

    async def may(self, caller: Caller) -> Callable[[str, str], bool]:
        """Answer as the callers' rights do."""
        return lambda action, resource: action not in self.denied

    def register(
        self, text: str, parameters: dict[str, str] | None = None, caller: Caller = CALLER
    ) -> Mapping[str, Any]:
        recorded = Request({"templateBody": text, "parameters": parameters or {"ThingName": "lamp", "CSR": CSR}})
        answer = asyncio.run(self.flows.register_thing(recorded, caller))
        assert recorded.unread() == []
        return answer

    def status(self, certificate_id: str) -> str:
        with self.store.tx() as tx:
            found = self.registry.certificate_store.get(tx, CALLER.account, certificate_id)
        assert found is not None
        return found.status.value

    def principals(self, thing: str = "lamp") -> list[str]:
        answer = self.store.run(self.registry.principals.list_thing_principals, {"thingName": thing})
        return list(answer.response["principals"])


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


@pytest.mark.spec("AL-27")
def test_a_signing_request_becomes_certificate_thing_and_policy_named_as_in_the_template(bench: Bench) -> None:
    done = bench.register(body(BY_CSR))

    arns = done["resourceArns"]
    assert set(arns) == {"theThing", "theCertificate", "thePolicy"}
    assert arns["theThing"] == OWN + "thing/lamp"
    assert done["certificatePem"] == certificate_pem(100, key_number=None)
    assert bench.principals() == [arns["theCertificate"]]
    assert bench.status(arns["theCertificate"].rpartition("/")[2]) == "ACTIVE"
    request = {"policyName": arns["thePolicy"].rpartition("/")[2]}
    document = bench.store.run(bench.registry.policies.get_policy, request).response["policyDocument"]
    assert json.loads(document)["Statement"]["Resource"] == "arn:aws:iot:*:*:client/lamp"


def test_a_certificate_that_is_there_is_named(bench: Bench) -> None:
    certificate = bench.registry.certificate(1, Status.INACTIVE)

    done = bench.register(body({"CertificateId": certificate.id}))

    assert done["resourceArns"]["theCertificate"] == arn_of(certificate)
    assert bench.status(certificate.id) == "ACTIVE"


@pytest.mark.parametrize(("override", "status"), [("DO_NOTHING", "INACTIVE"), ("REPLACE", "ACTIVE")])
def test_a_status_that_is_there_is_overridden_as_the_template_says(bench: Bench, override: str, status: str) -> None:
    certificate = bench.registry.certificate(1, Status.INACTIVE)

    bench.register(body({"CertificateId": certificate.id}, {"Status": override}))

    assert bench.status(certificate.id) == status


def test_a_certificate_of_an_own_ca_is_registered_once(bench: Bench) -> None:
    ca = signed("Acme CA", ca=True)
    leaf = signed("lamp", ca)
    with bench.store.tx() as tx:
        read = parsed_ca(ca.pem, now=tx.now)
        bench.registry.cas.enter(tx, CALLER, read, mode=CaMode.DEFAULT, active=True, auto_registration=False)
    text = body({"CertificatePem": leaf.pem, "CACertificatePem": ca.pem})

    done = [bench.register(text) for _ in range(2)]

    assert done[0] == done[1]
    assert done[0]["certificatePem"] == leaf.pem
    assert bench.status(leaf.id) == "ACTIVE"


def test_an_operator_may_give_a_second_certificate_to_a_thing(bench: Bench) -> None:
    done = [bench.register(body(BY_CSR)) for _ in range(2)]

    assert len({each["resourceArns"]["theCertificate"] for each in done}) == 2
    assert len(bench.principals()) == 2


@pytest.mark.parametrize(
    ("text", "parameters", "error", "why"),
    [
        (body(BY_CSR), {"ThingName": "lamp"}, InvalidRequest, "Cannot resolve reference value: CSR"),
        (body(BY_CSR), {"ThingName": "lamp", "CSR": "nonsense"}, InvalidSigningRequest, "no request"),
        (body(BY_CSR), {"ThingName": "a b", "CSR": CSR}, NotRegistered, "thingName 'a b'"),
        (body(BY_CSR, ThingTypeName="none"), None, NotRegistered, "none"),
        (body(BY_CSR, ThingGroups=["none"]), None, NotRegistered, "none"),
        (body(BY_CSR, BillingGroup="none"), None, NotRegistered, "none"),
        (body({"CertificateId": "c" * 64}), None, NotRegistered, "c{64}"),
        (body({"CertificatePem": "nonsense"}), None, InvalidRequest, "CertificatePem cannot be used"),
        (body({"CertificatePem": signed("lamp").pem}), None, NotRegistered, "No CA certificate exists"),
        ('{"Resources": {}}', None, InvalidRequest, "must have certificate resource"),
        ("{", None, InvalidRequest, "no JSON"),
    ],
)
def test_what_cannot_be_registered_changes_nothing(
    bench: Bench, text: str, parameters: dict[str, str] | None, error: type[ServiceError], why: str
) -> None:
    before = contents(bench.registry)

    with pytest.raises(error, match=why):
        bench.register(text, parameters)

    assert contents(bench.registry) == before


@pytest.mark.parametrize(
    "action",
    [
        "CreateCertificateFromCsr",
        "CreateThing",
        "CreatePolicy",
        "AttachPolicy",
        "AttachThingPrincipal",
        "UpdateCertificate",
    ],
)
def test_the_callers_own_rights_decide_about_each_step(bench: Bench, action: str) -> None:
    bench.denied = {f"iot:{action}"}
    before = contents(bench.registry)

    with pytest.raises(AccessDenied, match=f"the caller may not iot:{action}"):
        bench.register(body(BY_CSR))

    assert contents(bench.registry) == before


@pytest.mark.spec("AL-41")
def test_what_operators_register_is_recorded(bench: Bench) -> None:
    bench.register(body(BY_CSR))
    with pytest.raises(InvalidSigningRequest):
        bench.register(body(BY_CSR), {"ThingName": "bulb", "CSR": "nonsense"})
    fixed = body(BY_CSR, ThingName="torch")
    with pytest.raises(InvalidSigningRequest):
        bench.register(fixed, {"ThingName": "bulb", "CSR": "nonsense"})

    assert [(each["way"], each["outcome"], each["device"]) for each in bench.registry.record()] == [
        ("OPERATOR", "REFUSED", "torch"),
        ("OPERATOR", "REFUSED", "bulb"),
        ("OPERATOR", "ACCEPTED", "lamp"),
    ]


def test_a_certificate_of_another_account_is_not_there(bench: Bench) -> None:
    certificate = bench.registry.certificate(1)

    with pytest.raises(NotRegistered):
        bench.register(body({"CertificateId": certificate.id}), caller=OTHER_ACCOUNT)
