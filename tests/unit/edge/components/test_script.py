"""Generic components, with real shells."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hedgerow.core.recipe import ComponentType
from hedgerow.edge import configuration
from hedgerow.edge.components.environment import Environments
from hedgerow.edge.components.leftovers import Leftovers
from hedgerow.edge.components.model import Component, ComponentState, Generation
from hedgerow.edge.components.script import ScriptKind
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.deployments.failure import DeploymentFailed
from hedgerow.edge.identity import Identity
from hedgerow.edge.layout import Layout
from hedgerow.functions import ProcessDriver
from tests.support.clock import FakeClock, FakeIds

SETTINGS = """
system: {thingName: T, certificateFilePath: c, privateKeyPath: k, rootCaPath: ca.pem}
services: {aws.greengrass.Nucleus: {configuration: {awsRegion: r, iotDataEndpoint: h}}}
"""


def component(name: str, lifecycle: dict[str, Any], *, needs: tuple[str, ...] = (), **changes: Any) -> Component:
    document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": "1.0.0",
        "ComponentDependencies": {one: {"VersionRequirement": "*"} for one in needs},
        "Manifests": [{"Lifecycle": lifecycle}],
    }
    known: dict[str, Any] = {"name": name, "version": "1.0.0", "arn": "arn", "recipe_text": json.dumps(document)}
    return Component(**{**known, **changes})


class Bench:
    def __init__(self, root: Path) -> None:
        layout = Layout(root)
        layout.create()
        self.root = root
        self.lines: list[tuple[str, str]] = []
        identity = Identity(thing_name="T", certificate=root, private_key=root)
        settings = configuration.read(SETTINGS, root=root)
        driver = ProcessDriver(handles=root / "handles")
        self.kind = ScriptKind(
            layout=layout,
            attributes={"os": "linux"},
            shell="sh",
            thing_name="T",
            interpolate_configuration=False,
            default_user="",
            environments=Environments(identity=identity, settings=settings, layout=layout, ids=FakeIds()),
            driver=driver,
            privileged=driver,
            on_line=lambda name, line: self.lines.append((name, line)),
            component_of=lambda name: self.supervisor.component(name),
            pause_s=0.001,
        )
        self.supervisor = Supervisor(kinds={ComponentType.GENERIC: self.kind}, clock=FakeClock())
        self.states: list[tuple[str, str]] = []
        self.supervisor.on_change(lambda name: self.states.append((name, self.supervisor.condition(name).state.value)))

    async def run(self, *components: Component) -> None:
        await self.supervisor.apply(Generation(components={one.name: one for one in components}))

    async def until(self, name: str, state: ComponentState) -> None:
        async with asyncio.timeout(5):
            while self.supervisor.condition(name).state is not state:
                await asyncio.sleep(0.002)


@asynccontextmanager
async def bench(root: Path) -> AsyncIterator[Bench]:
    one = Bench(root)
    async with one.supervisor:
        yield one


def test_a_component_is_installed_and_runs_with_its_variables_and_environment(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            lifecycle = {
                "install": "echo installed in $PWD",
                "run": {
                    "Script": "echo {configuration:/who} {iot:thingName} {work:path} $A $B $SVCUID; exec sleep 60",
                    "Setenv": {"A": "{configuration:/who}!"},
                },
                "Setenv": {"B": "b"},
            }
            await one.run(component("hello", lifecycle, configuration={"who": "world"}))
            await one.until("hello", ComponentState.RUNNING)
            while len(one.lines) < 2:
                await asyncio.sleep(0.002)

            work = tmp_path / "work" / "hello"
            assert one.lines == [
                ("hello", f"installed in {work}"),
                ("hello", f"world T {work} world! b {one.kind._environments.token_of('hello')}"),
            ]
            assert [state for _, state in one.states] == ["NEW", "INSTALLED", "STARTING", "RUNNING"]
        assert one.states[-1] == ("hello", "STOPPING")

    asyncio.run(scenario())


def test_a_run_that_ends_well_is_finished_and_one_without_steps_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            await one.run(component("job", {"run": "true"}), component("data", {}))
            await one.until("job", ComponentState.FINISHED)
            await one.until("data", ComponentState.FINISHED)

    asyncio.run(scenario())


def test_three_errors_in_a_row_are_broken_and_recover_runs_after_each_but_the_last(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            await one.run(component("bad", {"run": "exit 3", "recover": "echo recovering"}))
            await one.until("bad", ComponentState.BROKEN)

            condition = one.supervisor.condition("bad")
            assert (condition.cause, condition.codes) == ("the run script ended with status 3", ("RUN_ERROR",))
            assert one.lines == [("bad", "recovering")] * 2

    asyncio.run(scenario())


def test_a_startup_that_takes_too_long_is_an_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            await one.run(component("slow", {"startup": {"Script": "exec sleep 60", "Timeout": 0.02}}))
            await one.until("slow", ComponentState.BROKEN)

            assert one.supervisor.condition("slow").codes == ("STARTUP_TIMEOUT",)

    asyncio.run(scenario())


def test_a_startup_that_says_running_is_started(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            await one.run(component("daemon", {"startup": "exec sleep 60"}))
            await one.until("daemon", ComponentState.STARTING)
            async with asyncio.timeout(5):
                while one.supervisor.condition("daemon").state is not ComponentState.RUNNING:
                    one.kind.update_state("daemon", "RUNNING")
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_shutdown_runs_at_the_end_and_nothing_of_the_component_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            await one.run(component("app", {"run": "sleep 60 & echo $!; wait", "shutdown": "echo bye"}))
            await one.until("app", ComponentState.RUNNING)
            while not one.lines:
                await asyncio.sleep(0.002)
            await one.run()

            assert one.lines[1] == ("app", "bye")
            child = int(one.lines[0][1])
            async with asyncio.timeout(2):
                while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text():
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_what_a_killed_edge_left_running_is_ended_at_the_next_start_and_nothing_else(tmp_path: Path) -> None:
    def sleeper(token: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["sleep", "60"], env={"SVCUID": token}, start_new_session=True)

    mine, foreign = sleeper("MINE"), sleeper("FOREIGN")
    leftovers = Leftovers(tmp_path / "scripts")
    leftovers.note(mine.pid, "MINE")
    leftovers.note(foreign.pid, "MINE")  # the number was used again

    ended = leftovers.end()

    assert (ended, mine.wait(5), foreign.poll()) == (1, -9, None)
    assert leftovers.end() == 0
    foreign.kill()
    foreign.wait(5)


def test_a_script_that_has_ended_leaves_no_note(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            await one.run(component("job", {"run": "true"}), component("long", {"run": "exec sleep 60"}))
            await one.until("job", ComponentState.FINISHED)
            await one.until("long", ComponentState.RUNNING)
            assert len(list((tmp_path / "work/.scripts").iterdir())) == 1
        assert list((tmp_path / "work/.scripts").iterdir()) == []

    asyncio.run(scenario())


def test_a_component_starts_after_what_it_depends_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            base = component("base", {"startup": "echo base; sleep 0.05"})
            await one.run(component("app", {"run": "echo app"}, needs=("base",)), base)
            await one.until("app", ComponentState.FINISHED)

            assert one.lines == [("base", "base"), ("app", "app")]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("condition", "runs"),
    [("onpath sh", False), ("!onpath sh", True), ("exists /nowhere", True), ("exists /", False)],
)
def test_a_step_is_skipped_when_its_condition_holds(tmp_path: Path, condition: str, runs: bool) -> None:
    async def scenario() -> None:
        async with bench(tmp_path) as one:
            lifecycle = {"install": {"Script": "echo installing", "Skipif": condition}, "run": "true"}
            await one.run(component("app", lifecycle))
            await one.until("app", ComponentState.FINISHED)

            assert bool(one.lines) is runs

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("lifecycle", "run_with", "named"),
    [
        ({"bootstrap": "true"}, {}, "bootstrap is not supported"),
        ({"run": "true"}, {"systemResourceLimits": {"memory": 1}}, "runWith.systemResourceLimits"),
        ({"run": "true"}, {"posixUser": "somebody"}, "runWith.posixUser"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(
    tmp_path: Path, lifecycle: dict[str, Any], run_with: dict[str, Any], named: str
) -> None:
    with pytest.raises(DeploymentFailed, match=named):
        asyncio.run(Bench(tmp_path).kind.check(component("app", lifecycle, run_with=run_with)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_without_root_a_step_that_needs_privilege_is_refused(tmp_path: Path) -> None:
    lifecycle = {"run": {"Script": "true", "RequiresPrivilege": True}}

    with pytest.raises(DeploymentFailed, match="RequiresPrivilege"):
        asyncio.run(Bench(tmp_path).kind.check(component("app", lifecycle)))
