"""What the supervisor needs of each kind of component."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hedgerow.edge.components.model import Component, ComponentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a component is, with the cause in words and the nucleus' status codes."""

    state: ComponentState
    cause: str = ""
    codes: tuple[str, ...] = ()
    since: float = 0.0


Report = Callable[[ComponentState, str, tuple[str, ...]], None]


class Kind(Protocol):
    """Runs components of one kind."""

    async def check(self, component: Component) -> None:
        """Raise DeploymentFailed, naming it, for what this edge cannot honour. Starts nothing."""
        ...

    async def live(self, component: Component, report: Report, stopping: asyncio.Event) -> None:
        """Run the component until `stopping` is set, then end it and return. Reports every change of its state."""
        ...

    async def removed(self, component: Component) -> None:
        """The component version has left this core; it does not run any more."""
        ...
