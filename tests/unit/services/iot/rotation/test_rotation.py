"""Devices trade their certificates: what both have meanwhile, and which one is left over."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.request import Request
from hedgerow.services.iot.certificates import Certificate, Status
from hedgerow.services.iot.rotation import (
    RotationFlows,
    RotationFollowUps,
    RotationOperations,
    RotationStore,
    Steps,
)
from hedgerow.services.iot.rotation.errors import NotConfirmed, Withdrawn
from hedgerow.services.iot.rotation.model import OVER, OVERLAP_S
from hedgerow.store import FollowUp
from hedgerow.store.tx import follow_ups
from tests.support.registry import Registry, certificate_pem
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun


class Signs:
    """A device CA whose certificates are numbered."""

    def __init__(self) -> None:
        self.signed = 100

    async def sign(self, signing_request_pem: str) -> str:
        self.signed += 1
        return certificate_pem(self.signed)


class Desk:
    """Rotations over the registry."""

    def __init__(self) -> None:
        self.registry = registry = Registry()
        self.signs = Signs()
        self.operations = RotationOperations(
            rotations=RotationStore(),
            steps=Steps(
                attach_thing_principal=registry.principals.attach_thing_principal,
                detach_thing_principal=registry.principals.detach_thing_principal,
                attach_policy=registry.attachments.attach_policy,
                detach_policy=registry.attachments.detach_policy,
                update_certificate=registry.certificates.update_certificate,
            ),
            certificates=registry.certificate_store,
            entries=registry.certificates,
            things=registry.thing_store,
            policies=registry.policy_store,
        )
        self.flows = RotationFlows(run=MemoryRun(registry.store), rotations=self.operations, authority=self.signs)
        self.old = registry.certificate(1)
        registry.thing("pump")
        registry.attach("pump", self.old, thingPrincipalType="EXCLUSIVE_THING")
        registry.policy("p")
        registry.store.run(registry.attachments.attach_policy, {"policyName": "p", "target": arn(self.old.id)})

    def rotate(self, caller: Caller, request: str = "request") -> Mapping[str, Any]:
        asked = Request({"certificateSigningRequest": request})
        return asyncio.run(self.flows.rotate_certificate(asked, caller))

    def confirm(self, caller: Caller) -> Any:
        return self.registry.store.run(self.operations.confirm_certificate_rotation, {}, caller)

    def end(self) -> None:
        """Let the time of the rotation be over."""
        (timer,) = self.timers()
        with self.registry.store.tx() as tx:
            RotationFollowUps(rotations=self.operations).on_over(tx, timer)

    def timers(self) -> list[FollowUp]:
        """What is to happen to rotations later."""
        with self.registry.store.tx() as tx:
            rows = tx.all(select(follow_ups).where(follow_ups.c.kind == OVER))
        return [
            FollowUp(
                seq=row.seq,
                account=row.account,
                kind=row.kind,
                key=row.key,
                due_at=row.due_at,
                body=json.loads(row.body),
            )
            for row in rows
        ]

    def state(self, certificate_id: str) -> tuple[Status, list[str], list[str]]:
        """Status, things and policies of a certificate."""
        with self.registry.store.tx() as tx:
            found = self.registry.certificate_store.get(tx, CALLER.account, certificate_id)
            assert found is not None
            things = self.registry.thing_store.things_of(tx, CALLER.account, certificate_id)
            policies = self.registry.policy_store.attached_to(tx, CALLER.account, certificate_id)
            return found.status, [link.thing for link in things], list(policies)


def arn(certificate_id: str) -> str:
    return f"arn:aws:iot:{CALLER.region}:{CALLER.account}:cert/{certificate_id}"


def device(certificate: Certificate | str, of: Caller = CALLER) -> Caller:
    known = certificate if isinstance(certificate, str) else certificate.id
    return dataclasses.replace(of, kind=Kind.CERTIFICATE, principal=arn(known), certificate_id=known)


USED = (Status.ACTIVE, ["pump"], ["p"])
ENDED: tuple[Status, list[str], list[str]] = (Status.INACTIVE, [], [])


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_both_are_good_until_the_device_comes_with_the_new_one(desk: Desk) -> None:
    new = desk.rotate(device(desk.old))

    assert (desk.state(desk.old.id), desk.state(new["certificateId"])) == (USED, USED)
    assert new["confirmBefore"] == desk.registry.store.clock.now() + OVERLAP_S
    changed = desk.confirm(device(new["certificateId"])).events
    assert (desk.state(desk.old.id), desk.state(new["certificateId"])) == (ENDED, USED)
    assert any(isinstance(one, AuthorisationChanged) and desk.old.id in one.principals for one in changed)


def take_back(desk: Desk, certificate_id: str, status: str = "REVOKED") -> None:
    request = {"certificateId": certificate_id, "newStatus": status}
    desk.registry.store.run(desk.registry.certificates.update_certificate, request)


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_what_a_stolen_certificate_was_traded_for_ends_with_it(desk: Desk, status: str) -> None:
    new = desk.rotate(device(desk.old))["certificateId"]
    take_back(desk, desk.old.id, status)

    with pytest.raises(Withdrawn):
        desk.confirm(device(new))
    with pytest.raises(NotConfirmed):
        desk.rotate(device(new), "again")

    desk.end()
    assert desk.state(new) == ENDED
    assert desk.state(desk.old.id)[0].value == status


def test_a_new_certificate_that_was_revoked_stays_so_when_its_time_is_over(desk: Desk) -> None:
    new = desk.rotate(device(desk.old))["certificateId"]
    take_back(desk, new)

    desk.end()

    assert (desk.state(desk.old.id), desk.state(new)) == (USED, (Status.REVOKED, [], []))


def test_a_confirmed_certificate_can_be_rotated_again(desk: Desk) -> None:
    new = desk.rotate(device(desk.old))["certificateId"]
    desk.confirm(device(new))

    newer = desk.rotate(device(new), "again")["certificateId"]
    desk.confirm(device(newer))

    assert (desk.state(new), desk.state(newer)) == (ENDED, USED)


def test_the_attachment_keeps_its_kind(desk: Desk) -> None:
    new = desk.rotate(device(desk.old))

    with desk.registry.store.tx() as tx:
        (link,) = desk.registry.thing_store.things_of(tx, CALLER.account, new["certificateId"])
    assert link.attachment.value == "EXCLUSIVE_THING"


def test_a_device_that_lost_the_answer_asks_again_and_gets_the_same(desk: Desk) -> None:
    assert desk.rotate(device(desk.old)) == desk.rotate(device(desk.old))
    assert desk.signs.signed == 101


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_device_whose_new_certificate_was_taken_back_is_given_another(desk: Desk, status: str) -> None:
    taken = desk.rotate(device(desk.old))["certificateId"]
    take_back(desk, taken, status)

    another = desk.rotate(device(desk.old))["certificateId"]

    assert desk.state(taken) == (Status(status), [], [])
    assert (desk.state(desk.old.id), desk.state(another)) == (USED, USED)
    assert len(desk.timers()) == 1


def test_another_request_takes_the_place_of_the_first(desk: Desk) -> None:
    first, second = desk.rotate(device(desk.old), "one"), desk.rotate(device(desk.old), "two")

    assert desk.state(first["certificateId"]) == ENDED
    assert (desk.state(desk.old.id), desk.state(second["certificateId"])) == (USED, USED)


def test_a_confirmation_may_be_repeated_and_one_without_a_rotation_changes_nothing(desk: Desk) -> None:
    new = desk.rotate(device(desk.old))["certificateId"]

    assert desk.confirm(device(desk.old)).events == ()
    desk.confirm(device(new))
    assert desk.confirm(device(new)).events == ()
    assert (desk.state(desk.old.id), desk.state(new)) == (ENDED, USED)


def test_a_device_that_never_comes_back_keeps_the_old_one(desk: Desk) -> None:
    new = desk.rotate(device(desk.old))["certificateId"]
    (row,) = desk.timers()
    assert (row.key, row.due_at) == (new, desk.registry.store.clock.now() + OVERLAP_S)
    ups = RotationFollowUps(rotations=desk.operations)

    with desk.registry.store.tx() as tx:
        ups.on_over(tx, row)

    assert (desk.state(desk.old.id), desk.state(new)) == (USED, ENDED)
    with desk.registry.store.tx() as tx:
        assert ups.on_over(tx, row).events == ()


def test_the_timer_goes_with_the_confirmation(desk: Desk) -> None:
    desk.confirm(device(desk.rotate(device(desk.old))["certificateId"]))

    assert desk.timers() == []


def test_a_rotation_of_a_deleted_certificate_ends_without_it(desk: Desk) -> None:
    new = desk.rotate(device(desk.old))["certificateId"]
    registry = desk.registry
    for operation, members in (
        (registry.principals.detach_thing_principal, {"thingName": "pump", "principal": arn(desk.old.id)}),
        (registry.attachments.detach_policy, {"policyName": "p", "target": arn(desk.old.id)}),
        (registry.certificates.update_certificate, {"certificateId": desk.old.id, "newStatus": "INACTIVE"}),
        (registry.certificates.delete_certificate, {"certificateId": desk.old.id}),
    ):
        registry.store.run(operation, members)

    desk.confirm(device(new))

    assert desk.state(new) == USED


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_is_not_active_is_not_traded(desk: Desk, status: str) -> None:
    members = {"certificateId": desk.old.id, "newStatus": status}
    desk.registry.store.run(desk.registry.certificates.update_certificate, members)

    with pytest.raises(ServiceError, match="is not ACTIVE"):
        desk.rotate(device(desk.old))
    assert desk.signs.signed == 100


def test_who_has_no_certificate_or_none_of_a_thing_or_one_of_another_account_is_refused(desk: Desk) -> None:
    lonely = desk.registry.certificate(2)

    for caller, words in (
        (CALLER, "Call this with the client certificate"),
        (device(lonely), "is attached to no thing"),
        (device(desk.old, OTHER_ACCOUNT), "is not ACTIVE"),
    ):
        with pytest.raises(ServiceError, match=words):
            desk.rotate(caller)


def test_a_follow_up_of_an_unknown_rotation_does_nothing(desk: Desk) -> None:
    row = FollowUp(seq=1, account=CALLER.account, kind=OVER, key="f" * 64, due_at=0.0, body={"region": CALLER.region})

    with desk.registry.store.tx() as tx:
        assert RotationFollowUps(rotations=desk.operations).on_over(tx, row).events == ()
