"""What goes into the record of attempts when a client that is in may not do what it wants."""

import asyncio
import dataclasses
import json

import cbor2
import pytest

from hedgerow.gateway.ports import Message, Refused
from hedgerow.services.iot.claims import Claim
from hedgerow.services.iot.claims.model import Kind
from hedgerow.services.iot.onboarding import Attempt, OnboardingStore, Outcome, Way
from tests.support.cloud import Cloud
from tests.support.store import CALLER

CERTIFICATE = "c" * 64
CLAIMANT = dataclasses.replace(CALLER, certificate_id=CERTIFICATE, client_id="new", source_ip="192.0.2.1")
OTHER = "$aws/provisioning-templates/other/provision/json"
WANTED = {"parameters": {"ThingName": "lamp", "Secret": "hunter2"}, "certificateOwnershipToken": "t0ken"}


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def noted(cloud: Cloud, topic: str, payload: bytes = b"", kind: Kind = Kind.REGISTERED) -> Attempt:
    claim = Claim(certificate_id=CERTIFICATE, kind=kind, templates=("fleet",), created_at=0.0)
    with cloud.store.tx() as tx:
        cloud.registry.claim_store.put(tx, CALLER.account, claim)
    message = Message(account=CALLER.account, topic=topic, payload=payload)
    asyncio.run(cloud.newcomers.refused(Refused(message=message, why="may not"), CLAIMANT))
    with cloud.store.tx() as tx:
        ((_, attempt),) = OnboardingStore().list(tx, CALLER.account, limit=10)
    return attempt


@pytest.mark.spec("AL-41")
@pytest.mark.parametrize("form", ["json", "cbor"])
def test_a_claim_that_asks_for_another_template_is_recorded_with_its_device_and_nothing_secret(
    cloud: Cloud, form: str
) -> None:
    payload = json.dumps(WANTED).encode() if form == "json" else cbor2.dumps(WANTED)

    attempt = noted(cloud, OTHER.replace("json", form), payload)

    assert (attempt.way, attempt.outcome, attempt.device, attempt.template) == (
        Way.CLAIM,
        Outcome.REFUSED,
        "lamp",
        "other",
    )
    assert (attempt.client_id, attempt.address) == ("new", "192.0.2.1")
    assert attempt.reason == "may not: the claim is not for the template other"
    assert not {"hunter2", "t0ken"} & set(str(attempt.told()).split("'"))


def test_a_trusted_users_claim_has_its_own_way(cloud: Cloud) -> None:
    assert noted(cloud, OTHER, kind=Kind.TEMPORARY).way is Way.TRUSTED_USER


@pytest.mark.parametrize(
    ("topic", "template"),
    [
        ("$aws/provisioning-templates/+/provision/#", None),
        ("$aws/provisioning-templates/fleet/provision/xml", "fleet"),
        ("$aws/certificates/create/json", None),
        ("sites/a", None),
        ("", None),
    ],
)
def test_what_is_not_about_another_template_has_the_gateways_reason(
    cloud: Cloud, topic: str, template: str | None
) -> None:
    attempt = noted(cloud, topic)

    assert (attempt.template, attempt.reason, attempt.device) == (template, "may not", None)


@pytest.mark.parametrize("payload", [b"{", b"[" * 100_000, b"\xff\xfe", b"[]", b'{"parameters": 3}', b"\xbf"])
@pytest.mark.parametrize("form", ["json", "cbor", "xml"])
def test_a_payload_that_nobody_can_read_names_no_device(cloud: Cloud, payload: bytes, form: str) -> None:
    assert noted(cloud, OTHER.replace("json", form), payload).device is None
