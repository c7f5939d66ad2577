"""Edges against a real cloud when something is wrong: they say what, keep trying, need no restart."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hedgerow.cli.demo import fleet as parts
from hedgerow.testing import TestCloud
from tests.support.sites import Edge, Fleet, fleet_of, is_connected
from tests.support.waiting import until

SOON_S = 30.0


@pytest.fixture
def fleet(hedgerow_cloud: TestCloud, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_of(hedgerow_cloud, tmp_path) as made:
        yield made


def said_and_logged(edge: Edge, words: str) -> dict[str, Any]:
    """Wait until the console and the log give this cause; answer the log's record."""
    found = until(
        f"{words!r} in the log", lambda: next((r for r in edge.logged("not enrolled") if words in r["cause"]), None)
    )
    edge.says(f"not enrolled: {found['cause']}\n")
    return found


def tried_again(edge: Edge) -> None:
    """Wait for another try, after a longer wait than before."""
    until("two more tries", lambda: len(edge.logged("not enrolled")) >= 2, within_s=SOON_S)


@pytest.mark.slow
@pytest.mark.spec("BS-21")
def test_a_disabled_template_is_named_and_enrolment_goes_on_once_it_is_enabled(fleet: Fleet) -> None:
    iot = fleet.cloud.client("iot")
    iot.update_provisioning_template(templateName=parts.TEMPLATE, enabled=False)
    edge = fleet.edge("site-01")

    record = said_and_logged(edge, f"the provisioning template {parts.TEMPLATE} is disabled")
    iot.update_provisioning_template(templateName=parts.TEMPLATE, enabled=True)

    assert record["wait_s"] > 0
    edge.says("enrolled as site-01", within_s=SOON_S)
    assert "site-01" in iot.list_things_in_thing_group(thingGroupName=parts.GROUP)["things"]


@pytest.mark.slow
def test_an_unknown_template_is_named_and_enrolment_goes_on_once_it_is_there(fleet: Fleet) -> None:
    iot = fleet.cloud.client("iot")
    made = iot.describe_provisioning_template(templateName=parts.TEMPLATE)
    iot.delete_provisioning_template(templateName=parts.TEMPLATE)
    edge = fleet.edge("site-01")

    said_and_logged(edge, f"the provisioning template {parts.TEMPLATE} does not exist")
    iot.create_provisioning_template(
        templateName=parts.TEMPLATE,
        templateBody=made["templateBody"],
        provisioningRoleArn=made["provisioningRoleArn"],
        enabled=True,
    )

    edge.says("enrolled as site-01", within_s=SOON_S)


@pytest.mark.slow
@pytest.mark.spec("BS-04", "BS-24")
def test_a_taken_name_is_named_and_its_owner_keeps_it(fleet: Fleet) -> None:
    iot = fleet.cloud.client("iot")
    owner = fleet.cloud.device("site-01")
    edge = fleet.edge("site-01")

    said_and_logged(edge, "the thing name site-01 is taken")
    assert iot.list_thing_principals(thingName="site-01")["principals"] == [owner.certificate_arn]
    iot.detach_thing_principal(thingName="site-01", principal=owner.certificate_arn)
    iot.delete_thing(thingName="site-01")

    edge.says("enrolled as site-01", within_s=SOON_S)


@pytest.mark.slow
@pytest.mark.spec("BS-04", "JB-39", "JB-46")
def test_a_claim_that_is_not_active_is_said_to_be_refused_until_it_is_active_again(fleet: Fleet) -> None:
    iot = fleet.cloud.client("iot")
    iot.update_certificate(certificateId=fleet.claim["certificateId"], newStatus="INACTIVE")
    edge = fleet.edge("site-01")

    said_and_logged(edge, "the claim was refused")
    iot.update_certificate(certificateId=fleet.claim["certificateId"], newStatus="ACTIVE")

    edge.says("enrolled as site-01", within_s=SOON_S)


@pytest.mark.slow
def test_an_expired_claim_is_said_to_have_expired(fleet: Fleet) -> None:
    claim = expired()
    made = fleet.cloud.client("iot").register_certificate_without_ca(
        certificatePem=claim["certificatePem"], status="ACTIVE"
    )
    fleet.cloud.client("iot").attach_policy(policyName=parts.CLAIM_POLICY, target=made["certificateArn"])
    edge = fleet.edge("site-01", claim=claim)

    record = said_and_logged(edge, "the claim was refused")

    assert "claim.pem expired on 2020-01-02" in record["cause"]
    assert record["permanent"]
    tried_again(edge)


def expired() -> dict[str, Any]:
    """A claim certificate whose time is over."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old claim")])
    begun = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begun)
        .not_valid_after(begun + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "certificatePem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "keyPair": {"PrivateKey": pem.decode()},
    }


@pytest.mark.slow
@pytest.mark.spec("JB-17")
def test_a_wrong_ca_is_named_and_the_right_one_is_taken_up(fleet: Fleet) -> None:
    edge = fleet.edge("site-01", ca=expired()["certificatePem"])

    said_and_logged(edge, "is not signed by the CA in")
    assert not is_connected(fleet.cloud, "site-01")
    (edge.root / "claim" / "ca.pem").write_bytes(Path(fleet.cloud.process.ready["ca_file"]).read_bytes())

    edge.says("enrolled as site-01", within_s=SOON_S)
