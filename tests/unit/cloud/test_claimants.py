"""Claims that connect, or try other ways in."""

import json
from typing import Any

import pytest

from hedgerow.cloud.admission import GrantsCompiler
from hedgerow.cloud.claimants import REFUSED
from hedgerow.cloud.device_rights import DeviceRights
from hedgerow.cloud.device_standing import DeviceStanding
from hedgerow.core import pki
from hedgerow.core.caller import Caller, Kind
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted
from hedgerow.services.iot.claims.model import Claim
from hedgerow.services.iot.claims.model import Kind as ClaimKind
from hedgerow.services.iot.provisioning.store import Enrolment
from tests.support import authorities
from tests.support.cloud import Cloud, wait
from tests.support.registry import arn_of, certificate_pem
from tests.support.store import CALLER, OTHER_ACCOUNT

IOT = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:"
DER = pki.der_of(pki.read_certificate(certificate_pem(1)))
ANYTHING = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TEMPORARY = authorities.signed("AWS IoT Certificate")
CREATE = "topic/$aws/certificates/create/json"


@pytest.fixture
def cloud() -> Cloud:
    """A cloud with a claim whose policy would allow everything."""
    made = Cloud()
    certificate = made.registry.certificate()
    made.registry.policy("anything", ANYTHING)
    made.run(made.registry.attachments.attach_policy, {"policyName": "anything", "target": arn_of(certificate)})
    made.run(made.registry.claims.put_claim, {"certificateId": certificate.id, "networks": ["192.0.2.0/24"]})
    return made


def temporary(cloud: Cloud) -> None:
    end = cloud.store.clock.now() + 300
    claim = Claim(
        certificate_id=TEMPORARY.id,
        kind=ClaimKind.TEMPORARY,
        templates=("fleet",),
        not_after=end,
        created_at=0.0,
    )
    with cloud.store.tx() as tx:
        cloud.registry.claim_store.put(tx, CALLER.account, claim)


def ask(cloud: Cloud, client_id: str = "new", **more: Any) -> Admitted | NotAdmitted:
    question = {"peer": "192.0.2.1", "server_name": "cloud.example.org", "certificate": DER} | more
    return wait(cloud.admission.admit(Admit(client_id=client_id, **question)))


def may(cloud: Cloud, found: Admitted | NotAdmitted, action: str, resource: str) -> bool:
    assert isinstance(found, Admitted), found
    return GrantsCompiler(clock=cloud.store.clock)(found, "new").decide(action, IOT + resource).allowed


@pytest.mark.spec("AL-51", "BS-28")
@pytest.mark.parametrize("der", [DER, TEMPORARY.der])
def test_a_claim_can_be_provisioned_and_nothing_else(cloud: Cloud, der: bytes) -> None:
    temporary(cloud)

    found = ask(cloud, certificate=der)

    assert may(cloud, found, "iot:Connect", "client/new")
    assert may(cloud, found, "iot:Publish", CREATE)
    assert may(cloud, found, "iot:Subscribe", "topicfilter/$aws/certificates/create-from-csr/json/accepted")
    assert may(cloud, found, "iot:Publish", "topic/$aws/provisioning-templates/fleet/provision/cbor")
    for action, resource in (
        ("iot:Publish", "topic/a"),
        ("iot:Subscribe", "topicfilter/#"),
        ("iot:Publish", "topic/$aws/things/lamp/shadow/update"),
        ("iot:AssumeRoleWithCertificate", "rolealias/a"),
        ("iot:GetThingShadow", "thing/lamp"),
    ):
        assert not may(cloud, found, action, resource)


def test_a_trusted_users_claim_is_for_its_template_and_its_minutes(cloud: Cloud) -> None:
    temporary(cloud)

    found = ask(cloud, certificate=TEMPORARY.der)

    assert isinstance(found, Admitted)
    assert (found.account, found.ends_at) == (CALLER.account, cloud.store.clock.now() + 300)
    assert not may(cloud, found, "iot:Publish", "topic/$aws/provisioning-templates/other/provision/json")
    cloud.store.clock.advance(301)
    over = ask(cloud, certificate=TEMPORARY.der)
    assert isinstance(over, NotAdmitted)
    assert (over.reason, "ended" in over.detail) == (REFUSED, True)


def test_a_trusted_users_claim_is_of_no_use_under_another_accounts_name(cloud: Cloud) -> None:
    temporary(cloud)

    found = ask(cloud, certificate=TEMPORARY.der, server_name=f"{OTHER_ACCOUNT.account}.cloud.example.org")

    assert isinstance(found, NotAdmitted)
    assert found.reason == "SNI_MISUSED"
    assert isinstance(
        ask(cloud, certificate=TEMPORARY.der, server_name=f"{CALLER.account}.cloud.example.org"), Admitted
    )


@pytest.mark.spec("BS-25")
@pytest.mark.parametrize("der", [DER, TEMPORARY.der])
def test_a_claim_takes_nobodys_name(cloud: Cloud, der: bytes) -> None:
    temporary(cloud)
    cloud.registry.thing("pump-1")
    own = pki.certificate_id(der)
    cloud.holders = {
        (CALLER.account, "live"): "another",
        (CALLER.account, "kept"): "",
        (CALLER.account, "mine"): own,
        (OTHER_ACCOUNT.account, "theirs"): "another",
    }

    taken = [ask(cloud, name, certificate=der) for name in ("pump-1", "live", "kept")]
    free = [ask(cloud, name, certificate=der) for name in ("mine", "theirs", "new")]

    assert [answer.reason for answer in taken if isinstance(answer, NotAdmitted)] == [REFUSED] * 3
    assert all(isinstance(answer, Admitted) for answer in free)


def test_a_claim_from_elsewhere_is_not_let_in(cloud: Cloud) -> None:
    found = ask(cloud, peer="198.51.100.7")

    assert isinstance(found, NotAdmitted)
    assert "may not be used from 198.51.100.7" in found.detail


def test_a_claim_gets_nothing_over_https(cloud: Cloud) -> None:
    certificate_id = pki.certificate_id(DER)
    caller = Caller(
        account=CALLER.account,
        region=CALLER.region,
        principal=IOT + f"cert/{certificate_id}",
        kind=Kind.CERTIFICATE,
        request_id="",
        certificate_id=certificate_id,
    )
    rights = DeviceRights(
        certificates=cloud.registry.certificate_store,
        effective=cloud.registry.effective,
        standing=DeviceStanding(certificates=cloud.registry.certificate_store, things=cloud.registry.thing_store),
        claims=cloud.registry.claim_reader,
    )

    grants = wait(cloud.directory.grants(caller))
    with cloud.store.tx() as tx:
        role = rights.decide(
            tx, CALLER.account, certificate_id, None, "iot:AssumeRoleWithCertificate", IOT + "rolealias/a", {}
        )

    assert not grants.decide("iot:Publish", IOT + CREATE, {}).allowed
    assert role is None


def test_who_is_no_claim_any_more_has_the_rights_of_its_policies(cloud: Cloud) -> None:
    cloud.run(cloud.registry.claims.delete_claim, {"certificateId": pki.certificate_id(DER)})

    assert may(cloud, ask(cloud), "iot:Publish", "topic/a")


@pytest.mark.spec("AL-41", "BS-04")
def test_a_claim_that_is_turned_away_is_recorded(cloud: Cloud) -> None:
    ask(cloud, peer="198.51.100.7")
    request = {"certificateId": pki.certificate_id(DER), "newStatus": "REVOKED"}
    cloud.run(cloud.registry.certificates.update_certificate, request)
    ask(cloud)

    revoked, elsewhere = cloud.registry.record()
    assert elsewhere["reason"].startswith("CLAIM_REFUSED: the claim may not be used from 198.51.100.7")
    assert (elsewhere["address"], elsewhere["clientId"]) == ("198.51.100.7", "new")
    assert revoked["reason"].startswith("DEVICE_CERTIFICATE_REVOKED")


@pytest.mark.parametrize(("client_id", "waits"), [("lamp", False), ("the serial number", True)])
def test_the_first_connection_of_a_device_ends_its_token_but_one_that_is_refused_does_not(
    cloud: Cloud, client_id: str, *, waits: bool
) -> None:
    certificate = cloud.registry.certificate(2)
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": IOT + "client/lamp"}
    cloud.registry.policy("own", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    cloud.run(cloud.registry.attachments.attach_policy, {"policyName": "own", "target": arn_of(certificate)})
    with cloud.store.tx() as tx:
        cloud.registry.enrolment_store.add(tx, CALLER.account, certificate.id, Enrolment(thing="lamp", reply={}))

    ask(cloud, client_id, certificate=pki.der_of(pki.read_certificate(certificate_pem(2))))

    with cloud.store.tx() as tx:
        assert cloud.registry.enrolment_store.is_waiting(tx, CALLER.account, certificate.id) is waits
    assert cloud.registry.record() == []
