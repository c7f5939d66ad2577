"""A core without processes and without a cloud: components that only pretend to run, with fault knobs."""

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from hedgerow.base.files import RealFiles
from hedgerow.core.recipe import ComponentType, requirement
from hedgerow.edge import tls
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.cloud import CloudRefused, Resolved
from hedgerow.edge.components.kind import Report
from hedgerow.edge.components.model import Component, ComponentState
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.deployments import store
from hedgerow.edge.deployments.artifacts import Artifacts
from hedgerow.edge.deployments.engine import Engine
from hedgerow.edge.deployments.failure import DeploymentFailed
from hedgerow.edge.deployments.preparation import Preparation
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console
from hedgerow.edge.state import State
from hedgerow.edge.trouble import Trouble
from tests.support.clock import FakeClock
from tests.unit.edge.plane import component_arn, document

LINUX = {"os": "linux", "architecture": "amd64"}


def recipe(name: str, version: str, *, needs: Mapping[str, str] | None = None, **configuration: Any) -> dict[str, Any]:
    dependencies = {
        key: {"VersionRequirement": value, "DependencyType": "HARD"} for key, value in (needs or {}).items()
    }
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentConfiguration": {"DefaultConfiguration": configuration},
        "ComponentDependencies": dependencies,
        "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"run": "true"}}],
    }


class FakeCloud:
    """Knows recipes and groups; can be away."""

    def __init__(self) -> None:
        self.recipes: dict[str, list[dict[str, Any]]] = {}
        self.groups: set[str] = set()
        self.away = False
        self.asked: list[tuple[str, dict[str, str]]] = []

    def add(self, *recipes: dict[str, Any]) -> None:
        for one in recipes:
            self.recipes.setdefault(one["ComponentName"], []).append(one)

    async def thing_groups(self) -> set[str]:
        if self.away:
            raise Trouble("the cloud is away")
        return self.groups

    async def resolve(
        self, name: str, requirements: Mapping[str, str], attributes: Mapping[str, str], *, known: str | None = None
    ) -> Resolved:
        self.asked.append((name, dict(requirements)))
        if self.away:
            raise Trouble("the cloud is away")
        for one in reversed(self.recipes.get(name, [])):
            version = one["ComponentVersion"]
            if all(requirement(text).allows(version) for text in requirements.values()):
                return Resolved(
                    name=name, version=version, arn=component_arn(name, version), recipe_text=json.dumps(one)
                )
        raise CloudRefused("no usable version", status=404, code="ResourceNotFoundException")

    async def artifact_url(self, component_arn: str, artifact: str) -> str:
        raise AssertionError("no component here has artifacts")


class FakeKind:
    """Components that run at once, or break, or hang, as told."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self.starts: list[str] = []
        self.broken: set[str] = set()  # "name version"
        self.hanging: set[str] = set()
        self.unsupported: set[str] = set()

    async def check(self, component: Component) -> None:
        if component.name in self.unsupported:
            raise DeploymentFailed(
                f"{component.name}: bootstrap is not supported on this edge", "COMPONENT_RECIPE_ERROR"
            )

    async def live(self, component: Component, report: Report, stopping: asyncio.Event) -> None:
        name = f"{component.name} {component.version}"
        self.starts.append(name)
        assert component.name not in self.running, "the old version still runs"
        self.running[component.name] = component.version
        report(ComponentState.STARTING, "", ())
        if name in self.broken:
            report(ComponentState.BROKEN, "it crashed three times", ("RUN_ERROR",))
        elif name not in self.hanging:
            report(ComponentState.RUNNING, "", ())
        try:
            await stopping.wait()
        finally:
            del self.running[component.name]

    async def removed(self, component: Component) -> None:
        return


class Core:
    """One life of a core's process."""

    def __init__(self, folder: Path, cloud: FakeCloud, state: State) -> None:
        self.cloud = cloud
        self.state = state
        self.kind = FakeKind()
        self.console = io.StringIO()
        clock = FakeClock()
        self.supervisor = Supervisor(kinds={ComponentType.GENERIC: self.kind}, clock=clock)
        layout = Layout(folder)
        artifacts = Artifacts(
            layout=layout, files=RealFiles(), context=lambda: tls.trusting(folder / "none"), limit_bytes=10**9
        )
        preparation = Preparation(cloud=cloud, artifacts=artifacts, supervisor=self.supervisor, attributes=LINUX)
        self.engine = Engine(
            state=state,
            supervisor=self.supervisor,
            preparation=preparation,
            clock=clock,
            console=Console(self.console),
            backoff=Backoff(first_s=0.01, most_s=0.02),
            watch_s=0.0,
            health_s=0.1,
        )
        self.results: dict[str, Any] = {}
        self.engine.on_ended(lambda deployment, result: self.results.__setitem__(deployment.key, result))

    async def deploy(
        self, number: int, components: dict[str, Any], *, target: str = "thing/site-1", **extra: Any
    ) -> str:
        """Offer a deployment; answer its key."""
        said = document(number, components, target=target, **extra)
        key = f"{target}:{number}"
        source = {"kind": "shadow", "configuration_arn": said["configurationArn"]}
        await self.engine.offer(key, source, said)
        return key

    async def ended(self, key: str, *, within_s: float = 3.0) -> Any:
        async with asyncio.timeout(within_s):
            while key not in self.results:
                await asyncio.sleep(0.001)
        return self.results[key]

    async def idle(self, *, within_s: float = 3.0) -> None:
        """Wait until nothing is left to be carried out."""
        async with asyncio.timeout(within_s):
            while await self.state.read(store.next_one) is not None or self.engine.running is not None:
                await asyncio.sleep(0.001)

    async def reports(self) -> list[tuple[str, str, str | None]]:
        rows = await self.state.read(lambda c: c.execute("SELECT key, body FROM outbox ORDER BY seq").fetchall())
        found = [(key, json.loads(body)["result"]) for key, body in rows]
        return [(key, result["status"], result["detail"]) for key, result in found]


@asynccontextmanager
async def core(folder: Path, cloud: FakeCloud, *, state: State | None = None) -> AsyncIterator[Core]:
    """A core that runs until the context ends, as a clean stop does."""
    folder.mkdir(exist_ok=True)
    own = state or State(folder / "state.db")
    one = Core(folder, cloud, own)
    try:
        async with asyncio.TaskGroup() as tasks, one.supervisor:
            task = tasks.create_task(one.engine.run())
            await one.engine.started.wait()
            try:
                yield one
            finally:
                task.cancel()
    finally:
        own.close()


class Died(BaseException):
    """The process ends here."""


class DyingState(State):
    """A state whose process dies at a given write: before it is on the medium, or right after."""

    def __init__(self, path: Path, *, at: int, after: bool) -> None:
        super().__init__(path)
        self.writes = 0
        self._at = at
        self._after = after
        self.died = threading.Event()

    async def write(self, step: Any) -> Any:
        self.writes += 1
        dies = self.writes == self._at
        if dies and not self._after:
            self.died.set()
            raise Died
        result = await super().write(step)
        if dies:
            self.died.set()
            raise Died
        return result


async def life_that_dies(folder: Path, cloud: FakeCloud, state: DyingState, act: Any) -> None:
    """Run a core until its state dies (or all is done)."""
    one = Core(folder, cloud, state)
    with suppress(BaseExceptionGroup, Died):
        async with asyncio.TaskGroup() as tasks, one.supervisor:
            task = tasks.create_task(one.engine.run())
            await act(one)
            async with asyncio.timeout(3):
                while not state.died.is_set():
                    if await state.read(store.next_one) is None and one.engine.running is None:
                        break
                    await asyncio.sleep(0.001)
            task.cancel()
    state.close()
