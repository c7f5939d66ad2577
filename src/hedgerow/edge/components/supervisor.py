"""Which components run: one task each, started after what it depends on, and how each of them is.

`apply` moves from what runs to what a generation wants; what is the same in both is left alone. Leaves to others: how a
kind of component runs (`lambda_function.py`, `script.py`), which generation is right (`deployments/engine.py`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final, Self

from hedgerow.base.clock import Clock
from hedgerow.base.log import get_logger
from hedgerow.core.recipe import ComponentType
from hedgerow.edge.components.kind import Condition, Kind
from hedgerow.edge.components.model import BAD, GOOD, Component, ComponentState, Generation
from hedgerow.edge.deployments.failure import DeploymentFailed

STOP_S: Final = 60.0  # a component that has not ended by then is cut off
_log = get_logger("edge.components")

OnChange = Callable[[str], None]


class Pulse:
    """Wakes everyone who waits at this moment, whenever something has changed."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def beat(self) -> None:
        if self._next is not None:
            self._next.set_result(None)
            self._next = None

    async def wait(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next)


class _Life:
    """One running component."""

    def __init__(self, component: Component, earlier: set[str]) -> None:
        self.component = component
        self.earlier = earlier  # who comes before it, of whom two that need each other are not both
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Supervisor:
    """Use as `async with`; leaving it ends every component."""

    def __init__(self, *, kinds: Mapping[ComponentType, Kind], clock: Clock) -> None:
        self._kinds = kinds
        self._clock = clock
        self._tasks = asyncio.TaskGroup()
        self._lives: dict[str, _Life] = {}
        self._conditions: dict[str, Condition] = {}
        self._listeners: list[OnChange] = []
        self._changed = Pulse()
        self._generation = Generation()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.apply(Generation())
        await self._tasks.__aexit__(None, None, None)

    @property
    def generation(self) -> Generation:
        """What is running, or being started."""
        return self._generation

    def component(self, name: str) -> Component | None:
        """Answer the component as it runs now."""
        return self._generation.components.get(name)

    def condition(self, name: str) -> Condition:
        """Tell how a component is."""
        return self._conditions.get(name, Condition(state=ComponentState.NEW))

    def on_change(self, listener: OnChange) -> None:
        """Call this on the loop with a component's name whenever its state changes. It must not block."""
        self._listeners.append(listener)

    async def check(self, generation: Generation) -> None:
        """Raise DeploymentFailed, naming it, for what cannot be run here. Starts nothing."""
        for component in generation.components.values():
            await self._kind(component).check(component)

    async def apply(self, target: Generation) -> set[str]:
        """Stop what has to go, start what is new or changed; answer the names of these. Returns before they run."""
        before = self._generation
        stays = {
            name
            for name, component in target.components.items()
            if name in self._lives and component.runs_as(self._lives[name].component)
        }
        for component in reversed(before.in_order()):
            if component.name not in stays:
                await self._stop(component.name)
        self._generation = target
        for name, component in before.components.items():
            if name not in target.components:
                self._conditions.pop(name, None)
                await self._kind(component).removed(component)
        started = set(target.components) - stays
        earlier: set[str] = set()
        for component in target.in_order():
            if component.name in started:
                self._start(component, set(earlier))
            earlier.add(component.name)
        return started

    async def settled(self, names: set[str], *, within_s: float, watch_s: float) -> str | None:
        """Wait until these all run (or have finished) and stay so for a while; answer None, else what is wrong."""
        deadline = asyncio.get_running_loop().time() + within_s
        while names:
            broken = next((name for name in sorted(names) if self._broken(name)), None)
            if broken is not None:
                return f"{broken} is broken: {self.condition(broken).cause or 'no cause is known'}"
            if all(self.condition(name).state in GOOD for name in names):
                if not await self._changes(names, watch_s):
                    return None
                continue
            if not await self._changed_by(deadline):
                slow = sorted(name for name in names if self.condition(name).state not in GOOD)
                states = ", ".join(f"{name} is {self.condition(name).state.value}" for name in slow)
                causes = "; ".join(filter(None, (self.condition(name).cause for name in slow)))
                return f"not running after {within_s:g} s: {states}" + (f" ({causes})" if causes else "")
        return None

    def _broken(self, name: str) -> bool:
        return self.condition(name).state is ComponentState.BROKEN

    async def _changes(self, names: set[str], watch_s: float) -> bool:
        """Watch for a while; tell whether one of them stopped being well."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(watch_s):
                while all(self.condition(name).state in GOOD for name in names):
                    await self._changed.wait()
                return True
        return False

    async def _changed_by(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _start(self, component: Component, earlier: set[str]) -> None:
        life = _Life(component, earlier)
        self._lives[component.name] = life
        self._set(component.name, ComponentState.NEW, "", ())
        life.task = self._tasks.create_task(self._live(life))

    async def _stop(self, name: str) -> None:
        life = self._lives.pop(name, None)
        if life is None or life.task is None:
            return
        life.stopping.set()
        done, _ = await asyncio.wait({life.task}, timeout=STOP_S)
        if not done:
            _log.warning("a component did not end and was cut off", extra={"fields": {"component": name}})
            life.task.cancel()
            await asyncio.wait({life.task}, timeout=STOP_S)

    async def _live(self, life: _Life) -> None:
        name = life.component.name

        def report(state: ComponentState, cause: str, codes: tuple[str, ...]) -> None:
            if self._lives.get(name) is life or life.stopping.is_set():
                self._set(name, state, cause, codes)

        try:
            if await self._dependencies_run(life):
                await self._kind(life.component).live(life.component, report, life.stopping)
        except Exception as error:  # noqa: BLE001  # the task's border: one component's trouble is not the others'
            _log.exception("a component failed by our own fault", extra={"fields": {"component": name}})
            report(ComponentState.BROKEN, f"internal error: {error}", ())

    async def _dependencies_run(self, life: _Life) -> bool:
        """Wait for what must run before; False when the component is stopped meanwhile."""
        wanted = life.earlier & {name for name, one in life.component.recipe.dependencies.items() if one.hard}
        async with asyncio.TaskGroup() as waiting:
            stopped = waiting.create_task(life.stopping.wait())
            ready = waiting.create_task(self._all_run(wanted))
            await asyncio.wait((stopped, ready), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            ready.cancel()
        return not life.stopping.is_set()

    async def _all_run(self, names: set[str]) -> None:
        while not all(self.condition(name).state in GOOD for name in names):
            await self._changed.wait()

    def _set(self, name: str, state: ComponentState, cause: str, codes: tuple[str, ...]) -> None:
        known = self._conditions.get(name)
        if known is not None and (known.state, known.cause, known.codes) == (state, cause, codes):
            return
        self._conditions[name] = Condition(state=state, cause=cause, codes=codes, since=self._clock.now())
        fields = {"component": name, "state": state.value, "cause": cause}
        level = _log.warning if state in BAD else _log.info
        level("component state", extra={"fields": fields})
        self._changed.beat()
        for listener in self._listeners:
            listener(name)

    def _kind(self, component: Component) -> Kind:
        kind = self._kinds.get(component.recipe.type)
        if kind is None:
            raise DeploymentFailed(
                f"{component.name}: this edge does not run components of the type {component.recipe.type.value}",
                "COMPONENT_RECIPE_ERROR",
            )
        return kind
