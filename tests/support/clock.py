"""A clock that tests set, and ids that tests know."""


class FakeClock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.value = now
        self.ahead = 0.0

    def now(self) -> float:
        return self.value + self.ahead

    def monotonic(self) -> float:
        return self.value

    def advance(self, seconds: float) -> None:
        self.value += seconds

    def set_forward(self, seconds: float) -> None:
        """Set the wall clock; no time passes."""
        self.ahead += seconds


class FakeIds:
    """Counts: the same test gives the same ids."""

    def __init__(self) -> None:
        self._next = 0

    def _count(self) -> int:
        self._next += 1
        return self._next

    def uuid(self) -> str:
        return f"00000000-0000-4000-8000-{self._count():012d}"

    def hex(self, digits: int) -> str:
        return f"{self._count():0{digits}x}"

    def upper(self, length: int) -> str:
        return f"{self._count():0{length}d}".translate(str.maketrans("0123456789", "ABCDEFGHIJ"))

    def secret(self, length: int) -> str:
        return f"{self._count():0{length}d}"
