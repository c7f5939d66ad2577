"""Which faults are open, from events and shadows in any order."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.console.faults import MAX_FAULTS, FaultBook, FaultEvent, parse_event, reported_open


def event(state: str, identifier: str = "1", at: float = 100.0, thing: str = "t", fault: str = "hot") -> FaultEvent:
    return FaultEvent(thing=thing, fault=fault, id=identifier, cleared=state == "cleared", at=at)


def test_a_fault_is_open_from_raised_to_cleared() -> None:
    book = FaultBook()

    assert book.note(event("raised", at=100), now=1)
    assert [fault.raised_at for fault in book.open()] == [100]
    assert book.note(event("cleared", at=160), now=2)

    assert book.open() == []
    assert [(fault.raised_at, fault.cleared_at) for fault in book.closed("t")] == [(100, 160)]


@given(st.permutations([event("raised"), event("cleared", at=160), event("raised"), event("cleared", at=160)]))
def test_events_may_come_twice_and_in_any_order(events: list[FaultEvent]) -> None:
    book = FaultBook()

    for each in events:
        book.note(each, now=1)

    assert book.open() == []
    assert [(fault.raised_at, fault.cleared_at) for fault in book.closed()] == [(100, 160)]


def test_a_repeated_event_is_no_news() -> None:
    book = FaultBook()
    book.note(event("raised"), now=1)

    assert not book.note(event("raised"), now=2)


def test_without_ids_a_later_raise_opens_the_fault_anew() -> None:
    book = FaultBook()

    for each in (event("raised", "", 1), event("cleared", "", 2), event("raised", "", 3)):
        book.note(each, now=1)

    assert [fault.raised_at for fault in book.open()] == [3]


def test_the_shadow_opens_what_no_event_told_of() -> None:
    book = FaultBook()

    book.adopt("t", {"hot": "7"}, now=100)

    assert [(fault.fault, fault.id, fault.raised_at) for fault in book.open()] == [("hot", "7", None)]
    assert book.open_counts() == {"t": 1}


def test_the_shadow_closes_what_it_no_longer_reports() -> None:
    book = FaultBook()
    book.note(event("raised"), now=0)

    book.adopt("t", {}, now=100)

    assert book.open() == []
    assert [fault.cleared_at for fault in book.closed()] == [None]


def test_a_shadow_that_was_read_just_before_the_event_closes_nothing() -> None:
    book = FaultBook()
    book.note(event("raised"), now=100)

    assert not book.adopt("t", {}, now=101)
    assert len(book.open()) == 1


def test_a_shadow_says_nothing_of_other_devices() -> None:
    book = FaultBook()
    book.note(event("raised", thing="other"), now=0)

    book.adopt("t", {}, now=100)

    assert len(book.open("other")) == 1


def test_the_book_is_bounded_and_forgets_closed_faults_first() -> None:
    book = FaultBook()
    book.note(event("raised", "open"), now=0)

    for number in range(MAX_FAULTS + 5):
        book.note(event("cleared", str(number), at=1000 + number), now=0)

    assert len(book.open()) == 1
    assert len(book.closed()) == MAX_FAULTS - 1
    assert book.closed()[-1].cleared_at == 1006


@pytest.mark.parametrize(
    "content",
    [
        {"thing": "t", "fault": "hot", "state": "warm", "id": "1", "at": 5},
        {"thing": "t", "fault": "hot", "state": "raised", "id": "1", "at": "5"},
        {"thing": 3, "fault": "hot", "state": "raised", "id": "1", "at": 5},
        {"thing": "t" * 300, "fault": "hot", "state": "raised", "id": "1", "at": 5},
        [],
        3,
    ],
)
def test_what_is_no_fault_is_none(content: object) -> None:
    assert parse_event(json.dumps(content)) is None


def test_times_may_be_milliseconds() -> None:
    content = {"thing": "t", "fault": "hot", "state": "raised", "id": "1", "at": 1_800_000_000_500}

    assert parse_event(json.dumps(content)) == event("raised", at=1_800_000_000.5)


@given(st.binary(max_size=60))
def test_no_payload_breaks_the_reading(payload: bytes) -> None:
    parse_event(payload)


@pytest.mark.parametrize(
    ("shadow", "expected"),
    [
        ({"state": {"reported": {"open": {"hot": "1", "cold": None}}}}, {"hot": "1"}),
        ({"state": {"reported": {"open": {}}}}, {}),
        ({"state": {"reported": {}}}, None),
        ({"state": {"desired": {}}}, None),
        ({}, None),
    ],
)
def test_a_shadow_tells_of_open_faults_or_does_not(shadow: dict[str, object], expected: dict[str, str] | None) -> None:
    assert reported_open(shadow) == expected
