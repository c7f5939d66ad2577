"""What core devices need of other subjects, filled in by `cloud`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hedgerow.core.caller import Caller
from hedgerow.store import Tx


class Group(Protocol):
    """A thing group."""

    @property
    def line(self) -> tuple[str, ...]:
        """The groups above it, from the root down."""
        ...


class Groups(Protocol):
    """What core devices ask about thing groups."""

    def get(self, tx: Tx, account: str, name: str) -> Group | None:
        """Answer the group, or None."""
        ...

    def groups_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is directly in."""
        ...

    def lines_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is in and all groups above them."""
        ...


class EffectiveDeployments(Protocol):
    """The deployments that reach a core device."""

    def of(self, tx: Tx, caller: Caller, thing: str, groups: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Answer the members of ListEffectiveDeployments, one for each target that reaches the thing."""
        ...
