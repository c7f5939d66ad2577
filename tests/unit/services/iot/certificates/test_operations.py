import pytest

from hedgerow.core.events import AuthorisationChanged, PrincipalCut
from hedgerow.services.iot.certificates import Certificate, Mode, Status
from hedgerow.services.iot.certificates.errors import (
    CertificateActive,
    CertificateExists,
    CertificateInUse,
    CertificateNotFound,
    CertificateState,
    CertificateValidation,
)
from hedgerow.services.iot.certificates.model import SETTABLE
from hedgerow.services.iot.errors import InvalidRequest
from tests.support.registry import Registry, arn_of
from tests.support.store import CALLER, OTHER_ACCOUNT


def update(registry: Registry, certificate: Certificate, status: str) -> tuple[object, ...]:
    request = {"certificateId": certificate.id, "newStatus": status}
    return registry.store.run(registry.certificates.update_certificate, request).events


def describe(registry: Registry, certificate: Certificate) -> dict[str, object]:
    request = {"certificateId": certificate.id}
    answer = registry.store.run(registry.certificates.describe_certificate, request)
    return dict(answer.response["certificateDescription"])


@pytest.mark.spec("JB-35")
def test_a_certificate_is_described_with_its_status_and_validity(registry: Registry) -> None:
    certificate = registry.certificate()

    described = describe(registry, certificate)

    assert described["certificateArn"] == arn_of(certificate)
    assert described["status"] == "ACTIVE"
    assert described["ownedBy"] == CALLER.account
    assert described["customerVersion"] == 1
    assert described["validity"] == {"notBefore": 1767225600.0, "notAfter": 2524607999.0}


def test_the_same_certificate_is_not_entered_twice_in_one_account(registry: Registry) -> None:
    certificate = registry.certificate()

    with pytest.raises(CertificateExists) as caught:
        registry.certificate()

    assert caught.value.members == {"resourceId": certificate.id, "resourceArn": arn_of(certificate)}


def test_two_accounts_may_have_the_same_certificate(registry: Registry) -> None:
    mine = registry.certificate()
    registry.certificate(caller=OTHER_ACCOUNT, mode=Mode.SNI_ONLY)

    update(registry, mine, "REVOKED")

    with registry.store.tx() as tx:
        owners = registry.certificate_store.owners(tx, mine.id)
    assert [(account, owned.status) for account, owned in owners] == [
        (CALLER.account, Status.REVOKED),
        (OTHER_ACCOUNT.account, Status.ACTIVE),
    ]


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_refused(registry: Registry, text: str) -> None:
    with registry.store.tx() as tx, pytest.raises(CertificateValidation):
        registry.certificates.enter(tx, CALLER, text, status=Status.ACTIVE)


@pytest.mark.spec("JB-46")
def test_leaving_active_cuts_the_connections_and_changes_the_rights(registry: Registry) -> None:
    certificate = registry.certificate()

    events = update(registry, certificate, "INACTIVE")

    changed = AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id}))
    cut = PrincipalCut(account=CALLER.account, principal=certificate.id, reason="the certificate became INACTIVE")
    assert events == (cut, changed)
    assert describe(registry, certificate)["status"] == "INACTIVE"
    assert describe(registry, certificate)["customerVersion"] == 2


def test_becoming_active_cuts_nobody(registry: Registry) -> None:
    certificate = registry.certificate(status=Status.INACTIVE)

    events = update(registry, certificate, "ACTIVE")

    assert events == (AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id})),)


@pytest.mark.parametrize("status", ["PENDING_TRANSFER", "PENDING_ACTIVATION", "REGISTER_INACTIVE"])
def test_a_status_that_only_the_cloud_sets_is_refused(registry: Registry, status: str) -> None:
    certificate = registry.certificate()

    with pytest.raises(InvalidRequest, match=status):
        update(registry, certificate, status)


def test_a_revoked_certificate_stays_revoked(registry: Registry) -> None:
    certificate = registry.certificate()
    update(registry, certificate, "REVOKED")

    with pytest.raises(CertificateState):
        update(registry, certificate, "ACTIVE")

    assert describe(registry, certificate)["status"] == "REVOKED"


def test_the_table_of_statuses_names_every_status() -> None:
    assert set(SETTABLE) == set(Status)


@pytest.mark.spec("JB-35")
def test_an_active_certificate_cannot_be_deleted(registry: Registry) -> None:
    certificate = registry.certificate()

    with pytest.raises(CertificateActive, match=r"must be deactivated \(not ACTIVE\) before deletion"):
        registry.store.run(registry.certificates.delete_certificate, {"certificateId": certificate.id})


@pytest.mark.parametrize("force", [False, True])
def test_a_certificate_with_a_thing_cannot_be_deleted_even_by_force(registry: Registry, *, force: bool) -> None:
    certificate = registry.certificate(status=Status.INACTIVE)
    registry.thing("a")
    registry.attach("a", certificate)

    with pytest.raises(CertificateInUse, match="Things"):
        registry.store.run(
            registry.certificates.delete_certificate, {"certificateId": certificate.id, "forceDelete": force}
        )


def test_a_certificate_with_a_policy_is_deleted_by_force_only(registry: Registry) -> None:
    certificate = registry.certificate(status=Status.INACTIVE)
    registry.policy("p")
    registry.store.run(registry.attachments.attach_policy, {"policyName": "p", "target": arn_of(certificate)})

    with pytest.raises(CertificateInUse, match="policies"):
        registry.store.run(registry.certificates.delete_certificate, {"certificateId": certificate.id})
    registry.store.run(registry.certificates.delete_certificate, {"certificateId": certificate.id, "forceDelete": True})

    with pytest.raises(CertificateNotFound):
        describe(registry, certificate)
    targets = registry.store.run(registry.attachments.list_targets_for_policy, {"policyName": "p"})
    assert targets.response == {"targets": []}


def test_certificates_are_listed_newest_first_page_by_page(registry: Registry) -> None:
    made = []
    for serial in range(1, 6):
        made.append(registry.certificate(serial).id)
        registry.store.clock.advance(1)

    def ids(**request: object) -> list[str]:
        seen: list[str] = []
        marker: dict[str, object] = {}
        while True:
            answer = registry.store.run(
                registry.certificates.list_certificates, {"pageSize": 2, **request, **marker}
            ).response
            seen += [shown["certificateId"] for shown in answer["certificates"]]
            if "nextMarker" not in answer:
                return seen
            marker = {"marker": answer["nextMarker"]}

    assert ids() == made[::-1]
    assert ids(ascendingOrder=True) == made
