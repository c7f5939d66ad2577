from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iot.certificates import Certificate, Mode, Status
from hedgerow.services.iot.certificates.errors import (
    CertificateElsewhere,
    CertificateExists,
    CertificateNotFound,
    CertificateState,
    TransferAlreadyCompleted,
    TransferConflict,
)
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound
from tests.support.registry import Registry, arn_of, certificate_pem
from tests.support.store import CALLER, OTHER_ACCOUNT

THERE = OTHER_ACCOUNT


def inactive(registry: Registry, serial: int = 1) -> Certificate:
    return registry.certificate(serial, Status.INACTIVE)


def transfer(registry: Registry, certificate: Certificate, caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
    request = {"certificateId": certificate.id, "targetAwsAccount": THERE.account, **more}
    return registry.store.run(registry.transfers.transfer_certificate, request, caller).response


def call(registry: Registry, name: str, certificate: Certificate, caller: Caller = THERE, **more: Any) -> Any:
    method = getattr(registry.transfers, f"{name}_certificate_transfer")
    return registry.store.run(method, {"certificateId": certificate.id, **more}, caller)


def describe(registry: Registry, certificate: Certificate, caller: Caller = CALLER) -> Mapping[str, Any]:
    request = {"certificateId": certificate.id}
    answer = registry.store.run(registry.certificates.describe_certificate, request, caller).response
    described: Mapping[str, Any] = answer["certificateDescription"]
    return described


def outgoing(registry: Registry, caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
    return registry.store.run(registry.transfers.list_outgoing_certificates, more, caller).response


@pytest.mark.spec("JB-35")
def test_an_offered_certificate_waits_in_both_accounts(registry: Registry) -> None:
    certificate = inactive(registry)

    answer = transfer(registry, certificate, transferMessage="for you")

    now = registry.store.clock.now()
    assert answer == {"transferredCertificateArn": arn_of(certificate).replace(CALLER.account, THERE.account)}
    here, there = describe(registry, certificate), describe(registry, certificate, THERE)
    assert here["status"] == there["status"] == "PENDING_TRANSFER"
    assert here["transferData"] == there["transferData"] == {"transferMessage": "for you", "transferDate": now}
    assert (there["ownedBy"], there["previousOwnedBy"]) == (THERE.account, CALLER.account)
    listed = registry.store.run(registry.certificates.list_certificates, {}, THERE).response["certificates"]
    assert [each["certificateId"] for each in listed] == [certificate.id]
    assert outgoing(registry)["outgoingCertificates"] == [
        {
            "certificateArn": arn_of(certificate),
            "certificateId": certificate.id,
            "transferredTo": THERE.account,
            "transferDate": now,
            "transferMessage": "for you",
            "creationDate": certificate.created_at,
        }
    ]
    assert outgoing(registry, THERE) == {"outgoingCertificates": []}


@pytest.mark.parametrize(("more", "status"), [({}, "INACTIVE"), ({"setAsActive": True}, "ACTIVE")])
def test_who_accepts_has_it_alone(registry: Registry, more: dict[str, Any], status: str) -> None:
    certificate = inactive(registry)
    transfer(registry, certificate)

    events = call(registry, "accept", certificate, **more).events

    there = describe(registry, certificate, THERE)
    assert (there["status"], there["previousOwnedBy"]) == (status, CALLER.account)
    assert there["transferData"]["acceptDate"] == registry.store.clock.now()
    assert AuthorisationChanged(account=THERE.account, principals=frozenset({certificate.id})) in events
    assert outgoing(registry) == {"outgoingCertificates": []}
    with pytest.raises(CertificateNotFound):
        describe(registry, certificate)


def test_who_rejects_says_why_and_has_nothing(registry: Registry) -> None:
    certificate = inactive(registry)
    transfer(registry, certificate)

    call(registry, "reject", certificate, rejectReason="not ours")

    here = describe(registry, certificate)
    assert (here["status"], here["transferData"]["rejectReason"]) == ("INACTIVE", "not ours")
    assert here["transferData"]["rejectDate"] == registry.store.clock.now()
    with pytest.raises(CertificateNotFound):
        describe(registry, certificate, THERE)


def test_a_cancelled_offer_leaves_everything_as_it_was(registry: Registry) -> None:
    certificate = inactive(registry)
    transfer(registry, certificate)

    call(registry, "cancel", certificate, CALLER)

    assert describe(registry, certificate)["status"] == "INACTIVE"
    assert outgoing(registry) == {"outgoingCertificates": []}
    with pytest.raises(CertificateNotFound):
        describe(registry, certificate, THERE)
    transfer(registry, certificate)  # and it can be offered again


def test_it_can_go_on_to_a_third_account_and_back(registry: Registry) -> None:
    certificate = inactive(registry)
    transfer(registry, certificate)
    call(registry, "accept", certificate)

    request = {"certificateId": certificate.id, "targetAwsAccount": CALLER.account}
    registry.store.run(registry.transfers.transfer_certificate, request, THERE)
    call(registry, "accept", certificate, CALLER)

    assert describe(registry, certificate)["previousOwnedBy"] == THERE.account


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.REVOKED, Status.PENDING_ACTIVATION])
def test_only_an_inactive_certificate_is_offered(registry: Registry, status: Status) -> None:
    certificate = registry.certificate(status=status)

    with pytest.raises(CertificateState):
        transfer(registry, certificate)


def test_policies_and_things_are_detached_first(registry: Registry) -> None:
    with_policy, with_thing = inactive(registry, 1), inactive(registry, 2)
    registry.policy("p")
    registry.store.run(registry.attachments.attach_policy, {"policyName": "p", "target": arn_of(with_policy)})
    registry.thing("t")
    registry.attach("t", with_thing)

    with pytest.raises(TransferConflict, match="Policies"):
        transfer(registry, with_policy)
    with pytest.raises(TransferConflict, match="Things"):
        transfer(registry, with_thing)


@pytest.mark.parametrize("target", [CALLER.account, "999999999999"])
def test_there_is_nobody_to_transfer_it_to(registry: Registry, target: str) -> None:
    certificate = inactive(registry)

    with pytest.raises(InvalidRequest):
        transfer(registry, certificate, targetAwsAccount=target)


def test_an_account_that_has_it_already_is_offered_nothing(registry: Registry) -> None:
    certificate = inactive(registry)
    registry.certificate(caller=THERE, mode=Mode.SNI_ONLY)

    with pytest.raises(TransferConflict):
        transfer(registry, certificate)


def attempts(registry: Registry, certificate: Certificate) -> dict[str, Callable[[Caller], object]]:
    policy = {"policyName": "p", "target": ""}
    return {
        "activate": lambda caller: registry.store.run(
            registry.certificates.update_certificate, {"certificateId": certificate.id, "newStatus": "ACTIVE"}, caller
        ),
        "delete": lambda caller: registry.store.run(
            registry.certificates.delete_certificate, {"certificateId": certificate.id, "forceDelete": True}, caller
        ),
        "attach a policy": lambda caller: registry.store.run(
            registry.attachments.attach_policy, {**policy, "target": arn_of(certificate, caller)}, caller
        ),
        "attach a thing": lambda caller: registry.store.run(
            registry.principals.attach_thing_principal,
            {"thingName": "t", "principal": arn_of(certificate, caller)},
            caller,
        ),
        "offer it again": lambda caller: transfer(
            registry, certificate, caller, targetAwsAccount=(CALLER if caller is THERE else THERE).account
        ),
    }


@pytest.mark.parametrize("caller", [CALLER, THERE], ids=["source", "target"])
@pytest.mark.parametrize("what", ["activate", "delete", "attach a policy", "attach a thing", "offer it again"])
def test_what_is_on_its_way_is_nobodys(registry: Registry, what: str, caller: Caller) -> None:
    registry.policy("p", caller=caller)
    registry.thing("t", caller)
    certificate = inactive(registry)
    transfer(registry, certificate)

    with pytest.raises((CertificateState, TransferConflict, ResourceNotFound)):
        attempts(registry, certificate)[what](caller)

    assert describe(registry, certificate, caller)["status"] == "PENDING_TRANSFER"


@pytest.mark.parametrize(
    ("name", "caller", "error"),
    [
        ("accept", CALLER, InvalidRequest),  # its own offer
        ("reject", CALLER, InvalidRequest),
        ("cancel", THERE, InvalidRequest),  # somebody else's
    ],
)
def test_each_side_has_its_own_calls(registry: Registry, name: str, caller: Caller, error: type[ServiceError]) -> None:
    certificate = inactive(registry)
    transfer(registry, certificate)

    with pytest.raises(error):
        call(registry, name, certificate, caller)


def test_a_transfer_ends_once(registry: Registry) -> None:
    certificate, cancelled = inactive(registry, 1), inactive(registry, 2)
    transfer(registry, certificate)
    call(registry, "accept", certificate)
    transfer(registry, cancelled)
    call(registry, "cancel", cancelled, CALLER)

    with pytest.raises(TransferAlreadyCompleted):
        call(registry, "accept", certificate)
    with pytest.raises(TransferAlreadyCompleted):
        call(registry, "cancel", cancelled, CALLER)
    with pytest.raises(CertificateNotFound):
        call(registry, "cancel", certificate, CALLER)
    with pytest.raises(CertificateNotFound):
        call(registry, "accept", cancelled)


def test_what_was_given_away_is_not_registered_again(registry: Registry) -> None:
    certificate = inactive(registry)
    transfer(registry, certificate)
    with registry.store.tx() as tx, pytest.raises(CertificateExists):
        registry.certificates.enter(tx, CALLER, certificate_pem(1), status=Status.ACTIVE)
    call(registry, "accept", certificate)

    with registry.store.tx() as tx, pytest.raises(CertificateElsewhere):
        registry.certificates.enter(tx, CALLER, certificate_pem(1), status=Status.ACTIVE)


def test_open_offers_are_listed_page_by_page(registry: Registry) -> None:
    made = []
    for serial in range(1, 4):
        made.append(inactive(registry, serial))
        transfer(registry, made[-1])
        registry.store.clock.advance(1)

    first = outgoing(registry, pageSize=2)
    second = outgoing(registry, pageSize=2, marker=first["nextMarker"])
    oldest = outgoing(registry, pageSize=1, ascendingOrder=True)

    shown = [each["certificateId"] for page in (first, second) for each in page["outgoingCertificates"]]
    assert shown == [certificate.id for certificate in reversed(made)]
    assert oldest["outgoingCertificates"][0]["certificateId"] == made[0].id
