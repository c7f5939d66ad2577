"""Telling of attempts after they were written down: an event for each, and figures by way and outcome.

What was written in the meantime is told together, so that ten thousand devices cost a few transactions more.
"""

import json
from collections import Counter
from typing import Final, Protocol

from hedgerow.core.events import Event, Published
from hedgerow.store import Answer, FollowUp, Tx

NOTED: Final = "onboarding-noted"
COUNTED: Final = "onboarding-counted"
TOPIC: Final = "hedgerow/onboarding/"
"""Before outcome and way, as in hedgerow/onboarding/refused/claim: where the account is told of every attempt."""
OTHERS: Final = 499
PAUSE_S: Final = 0.25


class Figures(Protocol):
    """Where attempts are counted."""

    async def count(self, account: str, way: str, outcome: str, number: int, at: float) -> None:
        """Count so many more at a time; durable when this returns. May be told the same twice, after a failure."""
        ...


class OnboardingFollowUps:
    """The handlers of the two kinds. It holds no state of its own."""

    def __init__(self, *, figures: Figures) -> None:
        self._figures = figures

    def on_noted(self, tx: Tx, row: FollowUp) -> Answer:
        """Tell of what was written down, and have it counted."""
        waiting = [row.body]
        if row.attempts == 0:
            waiting += tx.take_follow_ups(NOTED, account=row.account, limit=OTHERS)
        events: list[Event] = []
        counted: Counter[tuple[str, str]] = Counter()
        for attempt in waiting:
            way, outcome = attempt["way"], attempt["outcome"]
            counted[way, outcome] += 1
            topic = f"{TOPIC}{outcome}/{way}".lower()
            events.append(Published(account=row.account, topic=topic, payload=json.dumps(attempt).encode()))
        for (way, outcome), number in counted.items():
            body = {"way": way, "outcome": outcome, "number": number, "at": tx.now}
            tx.follow_up(COUNTED, account=row.account, key=f"{way} {outcome}", body=body)
        return Answer(events=tuple(events))

    async def on_counted(self, row: FollowUp) -> None:
        """Count."""
        body = row.body
        await self._figures.count(row.account, body["way"], body["outcome"], body["number"], body["at"])
