"""What a runner counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Written by the runner's threads; a figure may be a moment old. `waiting` is written by the loop alone."""

    commits: int = 0
    rolled_back: int = 0
    retries: int = 0
    refused: int = 0
    largest_group: int = 0
    longest_s: float = 0.0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A snapshot: `commits` made, operations `rolled_back`, run again (`retries`), `refused` at the bound, …"""

    commits: int
    rolled_back: int
    retries: int
    refused: int
    largest_group: int
    longest_s: float
    waiting: int
