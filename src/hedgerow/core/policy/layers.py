"""Rights with limits: what a caller's own policies allow, as far as a boundary and session policies allow it, too."""

from collections.abc import Sequence
from typing import Protocol

from hedgerow.core.policy.grants import NOTHING, Context, Reason


class Verdict(Protocol):
    """The answer to one question."""

    @property
    def allowed(self) -> bool:
        """Whether the action may be done."""
        ...

    @property
    def reason(self) -> Reason:
        """Why it is so: an explicit deny, or nobody allowed it."""
        ...

    @property
    def cacheable(self) -> bool:
        """Whether the same question has the same answer the next time."""
        ...

    def explain(self) -> str:
        """Answer a sentence that says what decided."""
        ...


class Rights(Protocol):
    """What can be asked whether something is allowed: Grants, or several of them at once."""

    def decide(self, action: str, resource: str, context: Context = NOTHING) -> Verdict:
        """Decide on an action on a resource."""
        ...

    @property
    def context_keys(self) -> frozenset[str]:
        """The keys, as written, that are asked of the context."""
        ...


class _Limited:
    """The verdict of one layer, which says whose it is."""

    __slots__ = ("_layer", "_verdict", "cacheable")

    def __init__(self, layer: str, verdict: Verdict, *, cacheable: bool) -> None:
        self._layer = layer
        self._verdict = verdict
        self.cacheable = cacheable

    @property
    def allowed(self) -> bool:
        return self._verdict.allowed

    @property
    def reason(self) -> Reason:
        return self._verdict.reason

    def explain(self) -> str:
        explained = self._verdict.explain()
        return f"{self._layer}: {explained}" if self._layer else explained


class AllOf:
    """Rights of which every layer must allow. An explicit deny of any layer wins and is what is told."""

    def __init__(self, layers: Sequence[tuple[str, Rights]]) -> None:
        """`layers` are named for explanations; the first is the caller's own and needs no name."""
        self._layers = tuple(layers)

    @property
    def context_keys(self) -> frozenset[str]:
        """The keys that any layer asks of the context."""
        return frozenset().union(*(rights.context_keys for _, rights in self._layers))

    def decide(self, action: str, resource: str, context: Context = NOTHING) -> Verdict:
        """Decide on an action on a resource."""
        verdicts = [(name, rights.decide(action, resource, context)) for name, rights in self._layers]
        for reason in (Reason.EXPLICIT_DENY, Reason.IMPLICIT_DENY):
            for name, verdict in verdicts:
                if verdict.reason is reason:
                    return _Limited(name, verdict, cacheable=verdict.cacheable)
        return _Limited("", verdicts[0][1], cacheable=all(verdict.cacheable for _, verdict in verdicts))
