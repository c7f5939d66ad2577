"""The garbage collector of a process that serves many: what has no cycles goes without it."""

import gc
from typing import Final

COLLECT_AFTER: Final = (5_000, 10, 50)
"""When it looks at new objects, at those that stayed, and at all (Python's own: 700, 10, 10).

While thousands of connections are open, the last stops everything for tenths of a second, and finds next to nothing.
"""


def collect_rarely() -> None:
    """What was built stays: the collector need not look at it again, and seldom at what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
