"""How long to wait before the next try: growing, with jitter, and further for what only an operator can change."""

import random


class Backoff:
    """The waits of one thing that is tried again and again."""

    def __init__(
        self, *, first_s: float = 1.0, most_s: float = 60.0, slow_s: float = 4.0, slowest_s: float = 900.0
    ) -> None:
        self._first = first_s
        self._most = most_s
        self._slow = slow_s
        self._slowest = slowest_s
        self._chance = random.Random()  # noqa: S311  # spreads load, guards nothing
        self._tries = 0
        self._permanent = False

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self._tries = 0

    def next(self, *, permanent: bool = False) -> float:
        """Answer the seconds to wait now: between half and all of a span that doubles with every call."""
        if permanent is not self._permanent:
            self._permanent, self._tries = permanent, 0
        first, most = (self._slow, self._slowest) if permanent else (self._first, self._most)
        span = min(most, first * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return span * self._chance.uniform(0.5, 1.0)
