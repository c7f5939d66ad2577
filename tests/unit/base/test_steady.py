import json

import pytest

from hedgerow.base.ids import RandomIds
from hedgerow.base.steady import Steady
from tests.support.clock import FakeClock


@pytest.mark.parametrize(("set_by", "ahead"), [(3600.0, 3600.0), (1.0, 0.0), (-3600.0, 0.0)])
def test_only_a_clock_that_was_set_forward_is_ahead(set_by: float, ahead: float) -> None:
    clock = FakeClock()
    steady = Steady(clock=clock, ids=RandomIds())
    mark = json.loads(json.dumps(steady.mark(clock.now())))

    clock.advance(1000.0)
    clock.set_forward(set_by)

    assert steady.ahead(mark, clock.now()) == ahead


def test_what_another_process_marked_says_nothing() -> None:
    clock = FakeClock()
    earlier, now = (Steady(clock=clock, ids=RandomIds()) for _ in range(2))
    mark = earlier.mark(clock.now())

    clock.set_forward(3600.0)

    assert now.ahead(mark, clock.now()) == 0.0
    assert now.ahead(None, clock.now()) == 0.0
