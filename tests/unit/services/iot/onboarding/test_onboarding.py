import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.services.iot.claims.model import Claim, Kind
from hedgerow.services.iot.onboarding import COUNTED, NOTED, OnboardingFollowUps, OnboardingStore
from hedgerow.services.iot.onboarding.errors import InvalidQuestion
from hedgerow.services.iot.onboarding.model import KEPT_S, LONGEST_REASON
from hedgerow.store import Answer, FollowUp
from hedgerow.store.tx import follow_ups
from tests.support.registry import Registry, contents
from tests.support.store import CALLER, OTHER_ACCOUNT

CLAIM = replace(CALLER, certificate_id="c" * 64, client_id="boot", source_ip="192.0.2.1")


def note(registry: Registry, caller: Caller = CLAIM, **more: Any) -> None:
    with registry.store.tx() as tx:
        registry.attempts.note(tx, caller, **{"way": "CLAIM", **more})


@pytest.mark.spec("AL-41")
def test_an_attempt_is_told_with_way_device_address_outcome_and_reason(registry: Registry) -> None:
    note(registry, device="lamp", why_not="AccessDenied: no", template="fleet")

    assert registry.record() == [
        {
            "at": registry.store.clock.now(),
            "way": "CLAIM",
            "outcome": "REFUSED",
            "reason": "AccessDenied: no",
            "device": "lamp",
            "templateName": "fleet",
            "principal": CALLER.principal,
            "clientId": "boot",
            "address": "192.0.2.1",
        }
    ]


def test_a_claim_of_a_trusted_user_is_a_way_of_its_own(registry: Registry) -> None:
    temporary = Claim(certificate_id="c" * 64, kind=Kind.TEMPORARY, created_at=0.0)
    with registry.store.tx() as tx:
        registry.claim_store.put(tx, CALLER.account, temporary)

    note(registry)
    note(registry, replace(CLAIM, certificate_id="d" * 64))

    assert [each["way"] for each in registry.record()] == ["CLAIM", "TRUSTED_USER"]


def test_the_record_is_asked_by_outcome_and_device_page_by_page(registry: Registry) -> None:
    for number in range(5):
        note(registry, device=f"lamp-{number % 2}", why_not="no" if number % 2 else None)

    def listed(**question: Any) -> list[str]:
        answer = registry.store.run(registry.onboarding.list_onboarding_attempts, question).response
        found = [each["device"] for each in answer["attempts"]]
        return found + (listed(**{**question, "nextToken": answer["nextToken"]}) if "nextToken" in answer else [])

    assert listed(maxResults=2) == ["lamp-0", "lamp-1", "lamp-0", "lamp-1", "lamp-0"]
    assert listed(outcome="REFUSED", maxResults=1) == ["lamp-1", "lamp-1"]
    assert listed(device="lamp-0") == ["lamp-0"] * 3
    with pytest.raises(InvalidQuestion):
        listed(nextToken="nonsense")


def test_two_accounts_have_two_records(registry: Registry) -> None:
    note(registry)

    assert registry.record(OTHER_ACCOUNT) == []


def test_the_record_of_an_account_does_not_grow_for_ever(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.services.iot.onboarding.store.MOST", 3)
    for number in range(7):
        note(registry, device=f"lamp-{number}")

    assert [each["device"] for each in registry.record()] == ["lamp-6", "lamp-5", "lamp-4"]
    assert sum(row.startswith("iot_onboarding:") for row in contents(registry, record=True)) == 3


def test_who_is_refused_again_and_again_drives_nobody_else_out_of_the_record(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.services.iot.onboarding.store.MOST", 2)
    for number in range(3):
        note(registry, device=f"lamp-{number}")
        for _ in range(3):
            note(registry, why_not="no", device=f"stranger-{number}")

    told = [each["device"] for each in registry.record()]

    assert told == ["stranger-2", "stranger-2", "lamp-2", "lamp-1"]
    assert sum(row.startswith("iot_onboarding:") for row in contents(registry, record=True)) == 4


def test_what_is_older_than_ninety_days_is_not_told(registry: Registry) -> None:
    note(registry, device="old")
    registry.store.clock.advance(KEPT_S + 1)
    note(registry, device="new")

    assert [each["device"] for each in registry.record()] == ["new"]


def test_values_of_attributes_are_not_in_the_record(registry: Registry) -> None:
    note(
        registry, why_not="Existing AttributePayload: {pin=0123} conflicts with AttributePayload: {pin=4567, a=} in it."
    )

    (told,) = registry.record()
    assert told["reason"] == "Existing AttributePayload: {…} conflicts with AttributePayload: {…} in it."


def test_long_and_unprintable_texts_are_cut_to_size(registry: Registry) -> None:
    note(registry, why_not="x\n\x1b" * LONGEST_REASON, device="d" * 500)

    (told,) = registry.record()
    assert len(told["reason"]) == LONGEST_REASON
    assert told["reason"].startswith("x??x??")
    assert len(told["device"]) == 128


def test_the_record_is_one_store_for_all(registry: Registry) -> None:
    note(registry, device="lamp")

    with registry.store.tx() as tx:
        ((number, attempt),) = OnboardingStore().list(tx, CALLER.account, limit=5)

    assert (number, attempt.device) == (1, "lamp")


class Counted:
    """Figures in a list."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, str, str, int]] = []

    async def count(self, account: str, way: str, outcome: str, number: int, at: float) -> None:
        self.counted.append((account, way, outcome, number))


def waiting(registry: Registry, kind: str) -> list[FollowUp]:
    with registry.store.tx() as tx:
        rows = tx.all(select(follow_ups).where(follow_ups.c.kind == kind).order_by(follow_ups.c.seq))
    return [
        FollowUp(seq=row.seq, account=row.account, kind=kind, key=row.key, due_at=row.due_at, body=json.loads(row.body))
        for row in rows
    ]


def test_what_waits_to_be_told_of_an_account_is_told_and_counted_together(registry: Registry) -> None:
    note(registry, device="lamp-1")
    note(registry, OTHER_ACCOUNT, device="elsewhere")
    note(registry, device="lamp-2", why_not="AccessDenied: no")
    note(registry, device="lamp-3")
    figures = Counted()
    later = OnboardingFollowUps(figures=figures)
    first = waiting(registry, NOTED)[0]

    with registry.store.tx() as tx:
        tx.cancel_follow_ups(NOTED, account=first.account, key=first.key)
        answer = later.on_noted(tx, first)
    for row in waiting(registry, COUNTED):
        asyncio.run(later.on_counted(row))

    told = [(each.account, each.topic, json.loads(each.payload)["device"]) for each in published(answer)]
    account = CALLER.account
    assert told == [
        (account, "hedgerow/onboarding/accepted/claim", "lamp-1"),
        (account, "hedgerow/onboarding/refused/claim", "lamp-2"),
        (account, "hedgerow/onboarding/accepted/claim", "lamp-3"),
    ]
    assert sorted(figures.counted) == [(account, "CLAIM", "ACCEPTED", 2), (account, "CLAIM", "REFUSED", 1)]
    assert [row.account for row in waiting(registry, NOTED)] == [OTHER_ACCOUNT.account]


def published(answer: Answer) -> list[Published]:
    return [event for event in answer.events if isinstance(event, Published)]
