import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hedgerow.base.errors import AccessDenied, HedgerowError
from hedgerow.core.caller import Caller
from hedgerow.services.iot.ca_certificates.model import CaMode, parsed_ca
from hedgerow.services.iot.certificate_providers import CertificateProviderOperations
from hedgerow.services.iot.certificate_providers.errors import (
    ProviderExists,
    ProviderNotFound,
    TooManyProviders,
    UnusableFunction,
)
from hedgerow.services.iot.errors import InvalidRequest
from tests.support.authorities import Signed, signed
from tests.support.registry import Registry
from tests.support.store import CALLER, OTHER_ACCOUNT
from tests.unit.services.iot.provisioning.bench import CLAIM, Bench

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:sign"
TOPIC = "$aws/certificates/create-from-csr/json"
ASKED = {"lambdaFunctionArn": FUNCTION, "accountDefaultForOperations": ["CreateCertificateFromCsr"]}
KEY = ec.generate_private_key(ec.SECP256R1())
CORPORATE = signed("Corporate CA", ca=True)


def signing_request() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lamp")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(KEY, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode("ascii")


class Fleet(Bench):
    """Provisioning in an account that may have a provider."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.operations = CertificateProviderOperations(
            providers=self.providers, functions=self.functions, pages=registry.pages
        )

    def create(self, name: str = "corporate", caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        request = {"certificateProviderName": name, **ASKED, **more}
        return self.registry.store.run(self.operations.create_certificate_provider, request, caller).response

    def call(self, method: str, caller: Caller = CALLER, **request: Any) -> Mapping[str, Any]:
        return self.registry.store.run(
            getattr(self.operations, f"{method}_certificate_provider"), request, caller
        ).response

    def csr(self, answer: object, text: str | None = None) -> tuple[str, Any]:
        """Ask for a certificate while the function answers this."""
        self.functions.result = answer if isinstance(answer, HedgerowError | bytes) else json.dumps(answer).encode()
        body = {"certificateSigningRequest": text or signing_request()}
        return self.ask(self.flows.create_from_csr, TOPIC, body)


@pytest.fixture
def fleet(registry: Registry) -> Fleet:
    return Fleet(registry)


def made(by: Signed = CORPORATE) -> Signed:
    return signed("lamp", by, key=KEY)


def test_a_provider_is_described_listed_changed_and_deleted(fleet: Fleet) -> None:
    created = fleet.create()
    fleet.call("update", certificateProviderName="corporate", lambdaFunctionArn=FUNCTION + "2")

    described = fleet.call("describe", certificateProviderName="corporate")
    listed = fleet.registry.store.run(fleet.operations.list_certificate_providers).response
    fleet.call("delete", certificateProviderName="corporate")

    assert created["certificateProviderArn"] == "arn:aws:iot:eu-central-1:123456789012:certificateprovider:corporate"
    assert listed == {"certificateProviders": [created]}
    assert described["lambdaFunctionArn"] == FUNCTION + "2"
    assert described["accountDefaultForOperations"] == ["CreateCertificateFromCsr"]
    with pytest.raises(ProviderNotFound):
        fleet.call("describe", certificateProviderName="corporate")


def test_an_account_has_one_provider(fleet: Fleet) -> None:
    fleet.create(clientToken="t" * 36)

    with pytest.raises(TooManyProviders):
        fleet.create("another")
    with pytest.raises(ProviderExists):
        fleet.create()
    assert fleet.create(clientToken="t" * 36)["certificateProviderName"] == "corporate"
    fleet.create(caller=OTHER_ACCOUNT)


def test_accounts_do_not_see_each_others_providers(fleet: Fleet) -> None:
    fleet.create()

    with pytest.raises(ProviderNotFound):
        fleet.call("describe", OTHER_ACCOUNT, certificateProviderName="corporate")
    with pytest.raises(ProviderNotFound):
        fleet.call("delete", OTHER_ACCOUNT, certificateProviderName="corporate")


def test_a_function_that_may_not_be_invoked_is_refused_at_once(fleet: Fleet) -> None:
    fleet.functions.why_not = "add a permission"

    with pytest.raises(UnusableFunction, match="add a permission"):
        fleet.create()
    fleet.functions.why_not = None
    with pytest.raises(InvalidRequest):
        fleet.create(accountDefaultForOperations=["CreateKeysAndCertificate"])


def test_without_a_provider_the_cloud_signs(fleet: Fleet) -> None:
    fleet.create(caller=OTHER_ACCOUNT)

    ending, _ = fleet.csr({})

    assert (ending, fleet.functions.asked) == ("accepted", [])


def test_with_a_provider_its_function_signs(fleet: Fleet) -> None:
    fleet.create()
    leaf = made()

    ending, reply = fleet.csr({"certificatePem": leaf.pem})

    (event,) = fleet.functions.asked
    assert set(event) == {"certificateSigningRequest", "principalId", "clientId"}
    assert (event["principalId"], event["clientId"]) == (CLAIM.certificate_id, CLAIM.client_id)
    assert (ending, reply["certificateId"], reply["certificatePem"]) == ("accepted", leaf.id, leaf.pem)
    assert fleet.anchors.trusted == [leaf.pem]
    with fleet.registry.store.tx() as tx:
        entered = fleet.registry.certificates.find(tx, CALLER.account, leaf.id)
    assert entered is not None
    assert (entered.status.value, entered.ca_id) == ("PENDING_ACTIVATION", None)


def test_a_certificate_of_a_registered_ca_is_entered_under_it(fleet: Fleet) -> None:
    fleet.create()
    read = parsed_ca(CORPORATE.pem, now=fleet.registry.store.clock.now())
    with fleet.registry.store.tx() as tx:
        fleet.registry.cas.enter(tx, CALLER, read, mode=CaMode.DEFAULT, active=True, auto_registration=False)

    _, reply = fleet.csr({"certificatePem": made().pem})

    with fleet.registry.store.tx() as tx:
        entered = fleet.registry.certificates.find(tx, CALLER.account, reply["certificateId"])
    assert entered is not None
    assert entered.ca_id == CORPORATE.id
    assert fleet.anchors.trusted == []


BAD_ANSWERS: dict[str, object] = {
    "no JSON": b"nothing",
    "no map": [],
    "no certificate": {},
    "no text": {"certificatePem": 1},
    "no PEM": {"certificatePem": "nothing"},
    "another key": {"certificatePem": signed("lamp", CORPORATE).pem},
    "refused": AccessDenied("no"),
    "broken": HedgerowError("the function ended with an error"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_what_a_provider_does_not_do_is_rejected_and_nothing_remains(fleet: Fleet, answer: str) -> None:
    fleet.create()

    ending, reply = fleet.csr(BAD_ANSWERS[answer])

    assert (ending, reply["errorCode"]) == ("rejected", "InvocationError")
    assert fleet.anchors.trusted == []
    listed = fleet.registry.store.run(fleet.registry.certificates.list_certificates).response
    assert listed["certificates"] == []


def test_what_is_no_signing_request_is_not_handed_on(fleet: Fleet) -> None:
    fleet.create()

    ending, reply = fleet.csr({}, text="nothing")

    assert (ending, reply["errorCode"]) == ("rejected", "InvalidCertificateSigningRequest")
    assert fleet.functions.asked == []
