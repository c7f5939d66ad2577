import asyncio
import datetime
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from hedgerow.base.errors import ServiceError
from hedgerow.cloud.tagging import NewTags
from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.core.request import Request
from hedgerow.services.iot.ca_certificates import (
    CaCertificateFlows,
    FirstConnection,
    JustInTimeFlows,
    JustInTimeRegistration,
    NotProvisioned,
    Provisioning,
)
from hedgerow.services.iot.ca_certificates.errors import (
    CaActive,
    CaElsewhere,
    CaExists,
    CaNotFound,
    CaValidation,
    RegistrationCodeValidation,
    TooManyOfOneName,
)
from hedgerow.services.iot.certificates.errors import (
    CertificateConflict,
    CertificateExists,
    CertificateNotFound,
    CertificateState,
    CertificateValidation,
)
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound
from hedgerow.services.iot.provisioning_templates.model import JUST_IN_TIME, ProvisioningTemplate
from hedgerow.services.iot.tags import TagStore
from hedgerow.store import Answer, Tx
from tests.support.authorities import Signed, signed
from tests.support.openssl import OpenSsl
from tests.support.registry import Registry
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun
from tests.unit.core.template.templates import template

ACME = signed("Acme CA", ca=True)
ROLE = "arn:aws:iam::123456789012:role/fleet"
COMMON_NAME = "AWS::IoT::Certificate::CommonName"
BODY = template({"ThingName": {"Ref": COMMON_NAME}}, Parameters={COMMON_NAME: {"Type": "String"}})
BY_BODY = {"templateBody": BODY, "roleArn": ROLE}


class Listening:
    """The listeners' trust."""

    def __init__(self) -> None:
        self.trusted: list[str] = []

    @asynccontextmanager
    async def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AsyncIterator[None]:
        yield
        self.trusted.append(certificate_pem)


class FakeProvisioner:
    """Provisions whoever comes, or fails as it is told to."""

    def __init__(self) -> None:
        self.why_not: NotProvisioned | None = None
        self.done: list[tuple[str, Provisioning]] = []
        self.failures: list[str] = []

    def provision(self, tx: Tx, caller: Caller, by: Provisioning, certificate: x509.Certificate) -> Answer:
        if self.why_not is not None:
            raise self.why_not
        self.done.append((pki.certificate_id(certificate), by))
        return Answer({})

    def registered(self, tx: Tx, caller: Caller, certificate: x509.Certificate) -> None:
        """Nobody reads it here."""

    def failed(self, tx: Tx, caller: Caller, certificate: x509.Certificate, why: NotProvisioned) -> Answer:
        self.failures.append(f"{why.code}: {why} ({caller.source_ip})")
        return Answer({})

    def turned_away(
        self, tx: Tx, caller: Caller, certificate: x509.Certificate, why: str, *, provisions: bool
    ) -> Answer:
        return Answer({})


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.registry, self.listening = registry, Listening()
        self.operations = registry.cas
        self.flows = CaCertificateFlows(
            run=MemoryRun(registry.store),
            operations=registry.cas,
            codes=registry.codes,
            anchors=self.listening,
            clock=registry.store.clock,
            tags=NewTags(),
        )
        self.provisioner = FakeProvisioner()
        self.just_in_time = JustInTimeRegistration(
            cas=registry.ca_store,
            certificates=registry.certificates,
            provisioner=self.provisioner,
            region=CALLER.region,
            ids=registry.ids,
        )

    def register(self, request: Mapping[str, Any], caller: Caller = CALLER) -> str:
        recorded = Request(request)
        answer = asyncio.run(self.flows.register_ca_certificate(recorded, caller))
        assert recorded.unread() == []
        return str(answer["certificateId"])

    def proved(self, ca: Signed, caller: Caller = CALLER, **more: Any) -> str:
        """Register a CA with its verification certificate."""
        proof = signed(self.code(caller), ca)
        return self.register({"caCertificate": ca.pem, "verificationCertificate": proof.pem, **more}, caller)

    def template(self, name: str, kind: str = JUST_IN_TIME, caller: Caller = CALLER) -> None:
        """Enter a provisioning template."""
        made = ProvisioningTemplate(
            name=name,
            description=None,
            enabled=True,
            role_arn=ROLE,
            hook=None,
            default_version=1,
            last_version=1,
            created_at=0.0,
            updated_at=0.0,
            type=kind,
        )
        with self.registry.store.tx() as tx:
            self.registry.template_store.add(tx, caller.account, made, BODY)

    def code(self, caller: Caller = CALLER) -> str:
        return str(
            self.registry.store.run(self.operations.get_registration_code, {}, caller).response["registrationCode"]
        )

    def describe(self, ca_id: str, caller: Caller = CALLER) -> Mapping[str, Any]:
        request = {"certificateId": ca_id}
        answer = self.registry.store.run(self.operations.describe_ca_certificate, request, caller)
        described: Mapping[str, Any] = answer.response["certificateDescription"]
        return described

    def update(self, ca_id: str, **more: Any) -> None:
        self.registry.store.run(self.operations.update_ca_certificate, {"certificateId": ca_id, **more})

    def certificate(self, leaf: Signed, caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        request = {"certificatePem": leaf.pem, **more}
        return self.registry.store.run(self.registry.certificates.register_certificate, request, caller).response

    def connect(self, leaf: Signed, server_name: str | None = "cloud.test") -> list[dict[str, Any]]:
        """A refused connection with this certificate; answer what was announced."""
        with self.registry.store.tx() as tx:
            answer = self.just_in_time.register(tx, leaf.der, server_name, "192.0.2.1")
        told = [event for event in answer.events if isinstance(event, Published)]
        return [{"topic": event.topic, "account": event.account, **json.loads(event.payload)} for event in told]


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


# --- the registration code


def test_the_registration_code_is_64_digits_and_stays_until_it_is_deleted(bench: Bench) -> None:
    code, again, other = bench.code(), bench.code(), bench.code(OTHER_ACCOUNT)

    bench.registry.store.run(bench.operations.delete_registration_code)

    assert len(code) == 64
    assert code == again != other
    assert bench.code() != code


# --- registering


@pytest.mark.spec("JB-35")
def test_a_proved_ca_is_registered_inactive_and_trusted(bench: Bench) -> None:
    ca_id = bench.proved(ACME)

    described = bench.describe(ca_id)
    assert described["certificateArn"] == f"arn:aws:iot:eu-central-1:123456789012:cacert/{ACME.id}"
    assert (described["status"], described["autoRegistrationStatus"]) == ("INACTIVE", "DISABLE")
    assert (described["certificateMode"], described["customerVersion"]) == ("DEFAULT", 1)
    assert described["validity"] == {"notBefore": 1767225600.0, "notAfter": 2208988800.0}
    assert bench.listening.trusted == [ACME.pem]


def test_set_as_active_and_auto_registration_are_honoured(bench: Bench) -> None:
    ca_id = bench.proved(ACME, setAsActive=True, allowAutoRegistration=True)

    assert bench.describe(ca_id)["status"] == "ACTIVE"
    assert bench.describe(ca_id)["autoRegistrationStatus"] == "ENABLE"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, InvalidRequest),
        ({"certificateMode": "SNI_ONLY", "verificationCertificate": ACME.pem}, InvalidRequest),
        ({"verificationCertificate": signed("wrong", ACME).pem}, RegistrationCodeValidation),
        ({"verificationCertificate": "nothing"}, CaValidation),
    ],
)
def test_a_ca_without_proof_is_refused(bench: Bench, more: dict[str, Any], error: type[ServiceError]) -> None:
    bench.code()

    with pytest.raises(error):
        bench.register({"caCertificate": ACME.pem, **more})

    assert bench.listening.trusted == []


def test_a_verification_certificate_of_another_ca_is_refused(bench: Bench) -> None:
    proof = signed(bench.code(), signed("Acme CA", ca=True))

    with pytest.raises(CaValidation, match="not signed by"):
        bench.register({"caCertificate": ACME.pem, "verificationCertificate": proof.pem})


def test_the_code_of_another_account_proves_nothing(bench: Bench) -> None:
    bench.code()
    proof = signed(bench.code(OTHER_ACCOUNT), ACME)

    with pytest.raises(RegistrationCodeValidation):
        bench.register({"caCertificate": ACME.pem, "verificationCertificate": proof.pem})


def test_an_account_that_never_asked_for_a_code_has_none(bench: Bench) -> None:
    with pytest.raises(RegistrationCodeValidation):
        bench.register({"caCertificate": ACME.pem, "verificationCertificate": signed("x", ACME).pem})


def test_the_same_ca_is_not_registered_twice(bench: Bench) -> None:
    bench.proved(ACME)

    with pytest.raises(CaExists) as caught:
        bench.proved(ACME)

    assert caught.value.members["resourceId"] == ACME.id


def test_a_ca_is_proved_by_one_account_and_named_by_many(bench: Bench) -> None:
    bench.proved(ACME)

    with pytest.raises(CaElsewhere):
        bench.proved(ACME, OTHER_ACCOUNT)
    bench.register({"caCertificate": ACME.pem, "certificateMode": "SNI_ONLY"}, OTHER_ACCOUNT)

    assert bench.describe(ACME.id, OTHER_ACCOUNT)["certificateMode"] == "SNI_ONLY"


def test_ten_cas_of_one_subject_are_the_most(bench: Bench) -> None:
    for _ in range(10):
        bench.register({"caCertificate": signed("Acme CA", ca=True).pem, "certificateMode": "SNI_ONLY"})

    with pytest.raises(TooManyOfOneName):
        bench.register({"caCertificate": signed("ACME ca", ca=True).pem, "certificateMode": "SNI_ONLY"})


PAST = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
FUTURE = datetime.datetime(2039, 1, 1, tzinfo=datetime.UTC)
NO_SIGNING = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
BAD_CAS: dict[str, Callable[[], str]] = {
    "no certificate": lambda: "nothing",
    "two certificates": lambda: ACME.pem + ACME.pem,
    "100 kB": lambda: ACME.pem + "\n" * 100_000,
    "null bytes": lambda: ACME.pem.replace("M", "\0", 3),
    "a key beside it, no certificate": lambda: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "no CA": lambda: signed("Acme CA").pem,
    "expired": lambda: signed("Acme CA", ca=True, end=PAST).pem,
    "not yet valid": lambda: signed("Acme CA", ca=True, begin=FUTURE).pem,
    "may not sign": lambda: signed("Acme CA", ca=True, more=(NO_SIGNING,)).pem,
    "SHA-224": lambda: signed("Acme CA", ca=True, digest=hashes.SHA224()).pem,
    "a curve of its own": lambda: signed("Acme CA", ca=True, key=ec.generate_private_key(ec.SECP256K1())).pem,
}


@pytest.mark.parametrize("kind", BAD_CAS)
def test_what_is_no_good_ca_is_refused(bench: Bench, kind: str) -> None:
    with pytest.raises(CaValidation):
        bench.register({"caCertificate": BAD_CAS[kind](), "certificateMode": "SNI_ONLY"})

    assert bench.listening.trusted == []


@pytest.mark.slow  # makes keys
def test_weak_keys_are_refused(bench: Bench) -> None:
    weak = [
        rsa.generate_private_key(public_exponent=65537, key_size=1024),
        dsa.generate_private_key(key_size=2048),
    ]
    for key in weak:
        with pytest.raises(CaValidation):
            bench.register({"caCertificate": signed("Acme CA", ca=True, key=key).pem, "certificateMode": "SNI_ONLY"})


# --- changing, listing, deleting


def test_status_and_auto_registration_are_changed_one_by_one(bench: Bench) -> None:
    ca_id = bench.proved(ACME)

    bench.update(ca_id, newStatus="ACTIVE")
    bench.update(ca_id, newAutoRegistrationStatus="ENABLE")

    described = bench.describe(ca_id)
    assert (described["status"], described["autoRegistrationStatus"]) == ("ACTIVE", "ENABLE")
    assert described["customerVersion"] == 3
    bench.update(ca_id, removeAutoRegistration=True)
    assert bench.describe(ca_id)["autoRegistrationStatus"] == "DISABLE"


def test_contradictions_are_refused(bench: Bench) -> None:
    ca_id = bench.proved(ACME)

    with pytest.raises(InvalidRequest):
        bench.update(ca_id, removeAutoRegistration=True, newAutoRegistrationStatus="ENABLE")
    with pytest.raises(InvalidRequest):
        bench.update(ca_id, removeAutoRegistration=True, registrationConfig=BY_BODY)


def test_a_ca_is_deleted_only_when_it_is_inactive(bench: Bench) -> None:
    ca_id = bench.proved(ACME, setAsActive=True)

    with pytest.raises(CaActive, match=r"must be deactivated \(not ACTIVE\) before deletion"):
        bench.registry.store.run(bench.operations.delete_ca_certificate, {"certificateId": ca_id})
    bench.update(ca_id, newStatus="INACTIVE")
    bench.registry.store.run(bench.operations.delete_ca_certificate, {"certificateId": ca_id})

    with pytest.raises(CaNotFound):
        bench.describe(ca_id)


def test_one_account_does_not_see_the_cas_of_another(bench: Bench) -> None:
    ca_id = bench.proved(ACME)

    with pytest.raises(CaNotFound):
        bench.describe(ca_id, OTHER_ACCOUNT)
    listed = bench.registry.store.run(bench.operations.list_ca_certificates, {}, OTHER_ACCOUNT)
    assert listed.response == {"certificates": []}


def test_cas_are_listed_newest_first_page_by_page(bench: Bench) -> None:
    made = []
    for number in range(3):
        ca = signed(f"CA {number}", ca=True)
        made.append(bench.register({"caCertificate": ca.pem, "certificateMode": "SNI_ONLY"}))
        bench.registry.store.clock.advance(1)

    first = bench.registry.store.run(bench.operations.list_ca_certificates, {"pageSize": 2}).response
    request = {"pageSize": 2, "marker": first["nextMarker"]}
    second = bench.registry.store.run(bench.operations.list_ca_certificates, request).response

    shown = [ca["certificateId"] for page in (first, second) for ca in page["certificates"]]
    assert shown == made[::-1]
    assert "nextMarker" not in second


# --- certificates of a CA


def test_a_certificate_of_an_active_ca_is_registered_under_it(bench: Bench) -> None:
    ca_id = bench.proved(ACME, setAsActive=True)
    leaf = signed("lamp", ACME)

    made = bench.certificate(leaf, status="ACTIVE")

    assert made == {
        "certificateArn": f"arn:aws:iot:eu-central-1:123456789012:cert/{leaf.id}",
        "certificateId": leaf.id,
    }
    request = {"certificateId": leaf.id}
    described = bench.registry.store.run(bench.registry.certificates.describe_certificate, request).response
    assert described["certificateDescription"]["caCertificateId"] == ca_id
    listed = bench.registry.store.run(
        bench.registry.certificates.list_certificates_by_ca, {"caCertificateId": ca_id}
    ).response
    assert [each["certificateId"] for each in listed["certificates"]] == [leaf.id]


def test_a_certificate_of_a_ca_that_is_only_named_needs_the_accounts_name(bench: Bench) -> None:
    bench.register({"caCertificate": ACME.pem, "certificateMode": "SNI_ONLY", "setAsActive": True})
    leaf = signed("lamp", ACME)

    bench.certificate(leaf)

    request = {"certificateId": leaf.id}
    described = bench.registry.store.run(bench.registry.certificates.describe_certificate, request).response
    assert described["certificateDescription"]["certificateMode"] == "SNI_ONLY"


def test_a_certificate_without_its_ca_is_refused(bench: Bench) -> None:
    with pytest.raises(CertificateValidation, match="No CA certificate exists for the given certificate"):
        bench.certificate(signed("lamp", ACME))


def test_a_ca_of_another_account_registers_nothing_here(bench: Bench) -> None:
    bench.proved(ACME, OTHER_ACCOUNT, setAsActive=True)

    with pytest.raises(CertificateValidation, match="No CA certificate exists"):
        bench.certificate(signed("lamp", ACME))
    with pytest.raises(CertificateValidation, match="No CA certificate exists"):
        bench.certificate(signed("lamp", ACME), caCertificatePem=ACME.pem)


def test_a_certificate_that_only_says_who_signed_it_is_refused(bench: Bench) -> None:
    bench.proved(ACME, setAsActive=True)

    with pytest.raises(CertificateValidation, match="not signed by"):
        bench.certificate(signed("lamp", signed("Acme CA", ca=True)))


def test_an_inactive_ca_and_a_status_of_ours_are_refused(bench: Bench) -> None:
    bench.proved(ACME)

    with pytest.raises(CertificateState, match="The CA certificate is not active"):
        bench.certificate(signed("lamp", ACME))
    with pytest.raises(CertificateState, match="Not allowed to register certificate with PENDING_ACTIVATION status"):
        bench.certificate(signed("lamp", ACME), status="PENDING_ACTIVATION")


def test_of_several_cas_with_one_subject_one_must_be_named(bench: Bench) -> None:
    twin = signed("Acme CA", ca=True)
    for ca in (ACME, twin):
        bench.register({"caCertificate": ca.pem, "certificateMode": "SNI_ONLY", "setAsActive": True})
    leaf = signed("lamp", twin)

    with pytest.raises(CertificateConflict):
        bench.certificate(leaf)
    with pytest.raises(CertificateValidation):
        bench.certificate(leaf, caCertificatePem=ACME.pem)
    with pytest.raises(CertificateValidation):
        bench.certificate(leaf, caCertificatePem="nothing")
    bench.certificate(leaf, caCertificatePem=twin.pem, setAsActive=True)

    with pytest.raises(CertificateExists):
        bench.certificate(leaf, caCertificatePem=twin.pem)


@pytest.mark.slow  # runs openssl
def test_weak_signatures_are_refused(bench: Bench, tmp_path: Path) -> None:
    openssl = OpenSsl(tmp_path)
    weak = openssl.ca("/CN=Weak CA", "-sha1", "-addext", "basicConstraints=critical,CA:TRUE")
    good = openssl.ca("/CN=Good CA")
    bench.register({"caCertificate": good.pem, "certificateMode": "SNI_ONLY", "setAsActive": True})
    leaf = openssl.signed(good, "/CN=lamp", "-sha1")

    with pytest.raises(CaValidation, match="SHA-256"):
        bench.register({"caCertificate": weak.pem, "certificateMode": "SNI_ONLY"})
    with pytest.raises(CertificateValidation, match="SHA-256"):
        bench.registry.store.run(bench.registry.certificates.register_certificate, {"certificatePem": leaf.pem})


def test_the_certificates_of_an_unknown_ca_are_not_listed(bench: Bench) -> None:
    with pytest.raises(CertificateNotFound):
        bench.registry.store.run(bench.registry.certificates.list_certificates_by_ca, {"caCertificateId": ACME.id})


# --- just in time


@pytest.mark.spec("AL-38")
def test_an_unknown_certificate_is_registered_once_and_announced_each_time(bench: Bench) -> None:
    ca_id = bench.proved(ACME, setAsActive=True, allowAutoRegistration=True)
    leaf = signed("lamp", ACME)

    first, second = bench.connect(leaf), bench.connect(leaf)

    now = int(bench.registry.store.clock.now() * 1000)
    assert first == [
        {
            "topic": f"$aws/events/certificates/registered/{ca_id}",
            "account": CALLER.account,
            "certificateId": leaf.id,
            "caCertificateId": ca_id,
            "timestamp": now,
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": CALLER.account,
            "certificateRegistrationTimestamp": None,
            "sourceIp": "192.0.2.1",
        }
    ]
    assert second == [{**first[0], "certificateRegistrationTimestamp": str(now)}]


def test_what_somebody_decided_about_is_not_announced_again(bench: Bench) -> None:
    bench.proved(ACME, setAsActive=True, allowAutoRegistration=True)
    leaf = signed("lamp", ACME)
    bench.connect(leaf)

    request = {"certificateId": leaf.id, "newStatus": "REVOKED"}
    bench.registry.store.run(bench.registry.certificates.update_certificate, request)

    assert bench.connect(leaf) == []


@pytest.mark.spec("AL-36")
@pytest.mark.parametrize(
    "change",
    [{"newStatus": "INACTIVE"}, {"newAutoRegistrationStatus": "DISABLE"}, {"removeAutoRegistration": True}],
)
def test_a_ca_that_does_not_want_it_registers_nothing(bench: Bench, change: dict[str, Any]) -> None:
    ca_id = bench.proved(ACME, setAsActive=True, allowAutoRegistration=True)
    bench.update(ca_id, **change)

    assert bench.connect(signed("lamp", ACME)) == []


def test_strangers_and_pretenders_register_nothing(bench: Bench) -> None:
    bench.proved(ACME, setAsActive=True, allowAutoRegistration=True)

    for leaf in (signed("lamp"), signed("lamp", signed("Acme CA", ca=True))):
        assert bench.connect(leaf) == []


def test_a_ca_that_is_only_named_registers_for_those_who_name_the_account(bench: Bench) -> None:
    more = {"certificateMode": "SNI_ONLY", "setAsActive": True, "allowAutoRegistration": True}
    bench.register({"caCertificate": ACME.pem, **more}, OTHER_ACCOUNT)
    leaf = signed("lamp", ACME)

    assert bench.connect(leaf) == []
    assert bench.connect(leaf, f"{CALLER.account}.cloud.test") == []
    (told,) = bench.connect(leaf, f"{OTHER_ACCOUNT.account}.cloud.test")
    assert told["account"] == OTHER_ACCOUNT.account


def test_a_proved_ca_goes_before_one_that_is_only_named(bench: Bench) -> None:
    more: dict[str, Any] = {"setAsActive": True, "allowAutoRegistration": True}
    bench.register({"caCertificate": ACME.pem, "certificateMode": "SNI_ONLY", **more}, OTHER_ACCOUNT)
    bench.proved(ACME, **more)

    (told,) = bench.connect(signed("lamp", ACME))

    assert told["account"] == CALLER.account


# --- provisioning just in time


def config(bench: Bench, ca_id: str) -> Mapping[str, Any] | None:
    request = {"certificateId": ca_id}
    described = bench.registry.store.run(bench.operations.describe_ca_certificate, request).response
    found: Mapping[str, Any] | None = described.get("registrationConfig")
    return found


@pytest.mark.spec("AL-31", "AL-32")
def test_a_ca_is_registered_with_a_template_that_is_changed_and_taken_away(bench: Bench) -> None:
    bench.template("jitp")

    ca_id = bench.proved(ACME, registrationConfig=BY_BODY)

    assert config(bench, ca_id) == BY_BODY
    bench.update(ca_id, registrationConfig={"templateName": "jitp"})
    assert config(bench, ca_id) == {"templateName": "jitp"}
    bench.update(ca_id, newStatus="ACTIVE")
    assert config(bench, ca_id) == {"templateName": "jitp"}
    bench.update(ca_id, removeAutoRegistration=True)
    assert config(bench, ca_id) is None


BAD_CONFIGS: dict[str, tuple[dict[str, str], type[ServiceError], str]] = {
    "nothing": ({}, InvalidRequest, "templateName, or templateBody and roleArn"),
    "no role": ({"templateBody": BODY}, InvalidRequest, "templateBody and roleArn"),
    "both": ({"templateName": "jitp", "templateBody": BODY}, InvalidRequest, "leave templateBody"),
    "a role beside a name": ({"templateName": "jitp", "roleArn": ROLE}, InvalidRequest, "leave templateBody"),
    "no such template": ({"templateName": "none"}, ResourceNotFound, "named none"),
    "a fleet template": ({"templateName": "fleet"}, InvalidRequest, "of type JITP"),
    "another account's template": ({"templateName": "theirs"}, ResourceNotFound, "named theirs"),
    "another account's role": (
        {"templateBody": BODY, "roleArn": "arn:aws:iam::210987654321:role/fleet"},
        InvalidRequest,
        "does not exist in account",
    ),
    "no JSON": ({"templateBody": '{"Resources":\n {', "roleArn": ROLE}, InvalidRequest, "line 2 column"),
}


@pytest.mark.spec("AL-32", "AL-37")
@pytest.mark.parametrize("kind", BAD_CONFIGS)
def test_a_registration_config_that_could_provision_no_device_is_refused(bench: Bench, kind: str) -> None:
    bench.template("jitp")
    bench.template("fleet", "FLEET_PROVISIONING")
    bench.template("theirs", caller=OTHER_ACCOUNT)
    ca_id = bench.proved(signed("Other CA", ca=True))
    written, error, why = BAD_CONFIGS[kind]

    with pytest.raises(error, match=why):
        bench.proved(ACME, registrationConfig=written)
    with pytest.raises(error, match=why):
        bench.update(ca_id, registrationConfig=written)

    assert config(bench, ca_id) is None
    with pytest.raises(CaNotFound):
        bench.describe(ACME.id)


def test_cas_are_listed_by_the_template_that_provisions_their_devices(bench: Bench) -> None:
    bench.template("jitp")
    wanted = [bench.proved(signed("One", ca=True), registrationConfig={"templateName": "jitp"}) for _ in range(3)]
    bench.proved(ACME, registrationConfig=BY_BODY)

    first = bench.registry.store.run(
        bench.operations.list_ca_certificates, {"templateName": "jitp", "pageSize": 2, "ascendingOrder": True}
    ).response
    more = {"templateName": "jitp", "marker": first["nextMarker"], "ascendingOrder": True}
    second = bench.registry.store.run(bench.operations.list_ca_certificates, more).response
    foreign = bench.registry.store.run(
        bench.operations.list_ca_certificates, {"templateName": "jitp"}, OTHER_ACCOUNT
    ).response

    shown = [ca["certificateId"] for page in (first, second) for ca in page["certificates"]]
    assert sorted(shown) == sorted(wanted)
    assert foreign == {"certificates": []}


@pytest.mark.spec("AL-31")
def test_the_first_connection_provisions_once_and_announces_nothing(bench: Bench) -> None:
    bench.proved(ACME, setAsActive=True, allowAutoRegistration=True, registrationConfig=BY_BODY)
    leaf = signed("lamp", ACME)

    told = bench.connect(leaf)

    assert told == []
    assert bench.provisioner.done == [(leaf.id, Provisioning(template=None, body=BODY, role_arn=ROLE))]


def refused(bench: Bench, leaf: Signed) -> list[FirstConnection]:
    """A refused connection; answer what was told of it."""
    told: list[FirstConnection] = []
    flows = JustInTimeFlows(run=MemoryRun(bench.registry.store), registration=bench.just_in_time)
    flows.listeners = (told.append,)
    asyncio.run(flows.refused(leaf.der, "cloud.test", "192.0.2.1"))
    return told


def test_who_cannot_be_provisioned_is_registered_noted_and_tried_again(bench: Bench) -> None:
    ca_id = bench.proved(ACME, setAsActive=True, allowAutoRegistration=True, registrationConfig=BY_BODY)
    leaf = signed("lamp", ACME)
    bench.provisioner.why_not = NotProvisioned("AccessDenied", "no rights")

    (failed,) = refused(bench, leaf)

    assert (failed.certificate_id, failed.why_not) == (leaf.id, bench.provisioner.why_not)
    assert bench.provisioner.failures == ["AccessDenied: no rights (192.0.2.1)"]
    listed = bench.registry.store.run(
        bench.registry.certificates.list_certificates_by_ca, {"caCertificateId": ca_id}
    ).response["certificates"]
    assert [(each["certificateId"], each["status"]) for each in listed] == [(leaf.id, "PENDING_ACTIVATION")]
    bench.provisioner.why_not = None
    assert [told.why_not for told in refused(bench, leaf)] == [None]
    assert [done[0] for done in bench.provisioner.done] == [leaf.id]


@pytest.mark.parametrize("dates", [{"end": PAST}, {"begin": FUTURE}])
def test_a_certificate_that_is_not_valid_now_sets_nothing_off(bench: Bench, dates: dict[str, Any]) -> None:
    bench.proved(ACME, setAsActive=True, allowAutoRegistration=True, registrationConfig=BY_BODY)

    bench.connect(signed("lamp", ACME, **dates))

    assert bench.provisioner.done == []


def test_a_ca_is_registered_with_its_tags(bench: Bench) -> None:
    ca_id = bench.proved(ACME, tags=[{"Key": "team", "Value": "north"}])

    with bench.registry.store.tx() as tx:
        assert TagStore().get(tx, CALLER.account, f"cacert/{ca_id}") == {"team": "north"}
