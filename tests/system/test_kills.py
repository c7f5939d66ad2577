"""`kill -9` of the cloud at random moments: what was acknowledged arrives. `make soak` does it ten times as often."""

from pathlib import Path

import pytest

from tests.support.kills import ASLEEP, AWAKE, HOOK, UNCLOSED, kill_again_and_again

KILLS = 5


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.filterwarnings(UNCLOSED)
@pytest.mark.spec("X-06", "JB-41")
def test_what_was_acknowledged_arrives_in_order_after_five_kills(tmp_path: Path) -> None:
    acknowledged = kill_again_and_again(tmp_path, KILLS, seed=KILLS)

    assert all(acknowledged[topic] > 10 for topic in (AWAKE, ASLEEP, HOOK))
