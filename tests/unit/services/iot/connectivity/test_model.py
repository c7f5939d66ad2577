"""Which news of a client is the newest: by number, by time, and after numbers began anew."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.services.iot.connectivity import Presence


def news(epoch: int, *, at: float, connected: bool) -> Presence:
    return Presence(thing="a", client_id="a", connected=connected, at=at, epoch=epoch)


def begin(epoch: int, at: float) -> Presence:
    return news(epoch, at=at, connected=True)


def end(epoch: int, at: float) -> Presence:
    return news(epoch, at=at, connected=False)


@pytest.mark.parametrize(
    ("new", "known", "newer"),
    [
        (begin(1, at=2.0), end(0, at=1.0), True),
        (end(1, at=2.0), begin(1, at=1.0), True),
        (end(1, at=2.0), begin(2, at=2.0), False),  # taken over
        (end(1, at=3.0), begin(2, at=2.0), False),
        (begin(1, at=1.0), end(1, at=2.0), False),  # told twice
        (begin(1, at=1.0), begin(2, at=2.0), False),
        (begin(0, at=4000.0), end(0, at=2.0), True),  # away for so long that numbers began anew
        (begin(0, at=4000.0), end(7, at=2.0), True),
        (begin(0, at=4000.0), begin(7, at=2.0), True),  # the gateway was killed
        (end(0, at=4000.0), end(7, at=2.0), True),
        (begin(8, at=1.0), end(7, at=2.0), True),  # the clock was set back
    ],
)
def test_what_is_newer(new: Presence, known: Presence, newer: bool) -> None:
    assert new.supersedes(known) is newer


@pytest.mark.parametrize(
    ("new", "known", "newer"),
    [
        (begin(0, at=2.0), end(7, at=1.0), True),
        (begin(0, at=2.0), begin(7, at=1.0), True),
        (end(0, at=2.0), end(7, at=1.0), True),
        (end(7, at=2.0), begin(0, at=1.0), False),
        (begin(7, at=1.0), end(0, at=2.0), False),
    ],
)
def test_of_two_clients_of_one_thing_the_end_of_one_is_no_end_of_the_other(
    new: Presence, known: Presence, newer: bool
) -> None:
    assert new.supersedes(replace(known, client_id="b")) is newer


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_what_stands_is_what_was_told_last_of_the_connection_that_began_last(
    visits: list[tuple[bool, bool, bool]],
) -> None:
    told: list[tuple[int, Presence]] = []
    epoch, at = 0, 0.0
    for number, (taken_over, anew, twice) in enumerate(visits):
        epoch, at = (0 if anew and not taken_over else epoch + 1), at + 10
        before = told.pop() if taken_over and told else None
        told += [(number, begin(epoch, at))] * (2 if twice else 1)
        if before is not None:  # it ends by this one's beginning, and that is told afterwards
            told.append((number - 1, end(before[1].epoch, at)))
        told.append((number, end(epoch, at + 5)))

    known: Presence | None = None
    for count, (_, new) in enumerate(told, 1):
        known = new if new.supersedes(known) else known
        so_far = told[:count]
        latest = max(number for number, _ in so_far)
        assert known == [one for number, one in so_far if number == latest][-1]
