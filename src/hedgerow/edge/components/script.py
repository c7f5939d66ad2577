"""Generic components: the scripts of a lifecycle, run by a shell in the component's work folder.

install, then startup (must end with 0, or say RUNNING over the IPC) or run (runs for as long as it likes), recover
after an error, shutdown at the end. Three errors in a row are BROKEN. What cannot be honoured is refused when the
deployment is checked. Spec: Greengrass V2 component recipe reference, "Lifecycle".
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from hedgerow.core.recipe import Lifecycle, Paths, Step, StepName, Variables, interpolate, interpolate_all
from hedgerow.edge.components.environment import Environments
from hedgerow.edge.components.kind import Report
from hedgerow.edge.components.leftovers import Leftovers
from hedgerow.edge.components.model import Component, ComponentState
from hedgerow.edge.deployments.failure import DeploymentFailed
from hedgerow.edge.layout import Layout
from hedgerow.edge.trouble import ungrouped
from hedgerow.functions import Driver, Process
from hedgerow.functions.output import OutputPipe
from hedgerow.functions.process import Command

BROKEN_AFTER: Final = 3
GRACE_S: Final = 5.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

OnLine = Callable[[str, str], None]
ComponentOf = Callable[[str], Component | None]


class ScriptKind:
    """Generic components. `driver` runs scripts as the default user, `privileged` those that need root."""

    def __init__(
        self,
        *,
        layout: Layout,
        attributes: Mapping[str, str],
        shell: str,
        thing_name: str,
        interpolate_configuration: bool,
        default_user: str,
        environments: Environments,
        driver: Driver,
        privileged: Driver,
        on_line: OnLine,
        component_of: ComponentOf,
        pause_s: float = 1.0,
    ) -> None:
        self._layout = layout
        self._attributes = attributes
        self._shell = shell
        self._thing_name = thing_name
        self._interpolate_configuration = interpolate_configuration
        self._default_user = default_user
        self._environments = environments
        self._driver = driver
        self._privileged = privileged
        self._on_line = on_line
        self._component_of = component_of
        self._pause_s = pause_s
        self.leftovers = Leftovers(layout.work / ".scripts")
        self._said: dict[str, Callable[[str], None]] = {}

    async def check(self, component: Component) -> None:
        lifecycle = self._lifecycle(component)
        name = component.name
        if StepName.BOOTSTRAP in lifecycle.steps:
            raise _refusal(name, "bootstrap", "this edge does not restart itself or the machine for a component")
        if os.geteuid() != 0 and any(step.requires_privilege for step in lifecycle.steps.values()):
            raise _refusal(name, "RequiresPrivilege", "this edge does not run as root")
        if component.run_with.get("systemResourceLimits"):
            raise _refusal(name, "runWith.systemResourceLimits", "there are no limits for generic components yet")
        user = component.run_with.get("posixUser")
        if user and user != self._default_user:
            raise _refusal(name, "runWith.posixUser", "components run as the user of runWithDefault")
        if shutil.which(self._shell) is None:
            raise _refusal(name, f"posixShell {self._shell}", "this machine has no such shell")

    async def live(self, component: Component, report: Report, stopping: asyncio.Event) -> None:
        run = _Run(self, component, self._lifecycle(component), report, stopping)
        self._said[component.name] = run.said
        try:
            with ungrouped():
                await run.life()
        finally:
            self._said.pop(component.name, None)

    async def removed(self, component: Component) -> None:
        """Run the uninstall step, when there is one; how it ends does not matter any more."""
        lifecycle = self._lifecycle(component)
        if StepName.UNINSTALL in lifecycle.steps:
            run = _Run(self, component, lifecycle, lambda *_: None, asyncio.Event())
            await run.step(StepName.UNINSTALL)

    def update_state(self, component: str, state: str) -> bool:
        """Hear from a component itself how it is; False when it is none of ours."""
        said = self._said.get(component)
        if said is not None:
            said(state)
        return said is not None

    def _lifecycle(self, component: Component) -> Lifecycle:
        selected = component.recipe.maybe_selected(self._attributes)
        if selected is None:
            raise DeploymentFailed(f"{component.name} has no manifest for this platform", "RECIPE_MISSING_MANIFEST")
        return selected.lifecycle

    def folder(self, component: Component) -> Path:
        return self._layout.work / component.name

    def script(self, component: Component, step: Step) -> str:
        return interpolate(step.script, self._variables(component))

    def environment(self, component: Component, lifecycle: Lifecycle, step: Step) -> dict[str, str]:
        variables = self._variables(component)
        said = {**lifecycle.environment, **step.environment}
        return {
            "PATH": os.environ.get("PATH", _PATH),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": str(self.folder(component)),
            **self._environments.of(component.name, folder=self.folder(component)),
            **{name: interpolate(value, variables) for name, value in said.items()},
        }

    async def start(
        self, component: Component, step: Step, script: str, environment: Mapping[str, str]
    ) -> tuple[Process, OutputPipe]:
        """Start a script in the component's folder; its output goes to the component's log."""
        folder = self.folder(component)
        driver = self._privileged if step.requires_privilege else self._driver
        if not folder.is_dir():
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            self._driver.give_folder(folder)
        output = OutputPipe(lambda line: self._on_line(component.name, line))
        try:
            process = await driver.start(
                Command(argv=(shutil.which(self._shell) or self._shell, "-c", script), bound_memory=False),
                environment=environment,
                folder=folder,
                memory_mb=0,
                output=output.descriptor,
            )
        except BaseException:
            output.close()
            raise
        output.handed_over()
        self.leftovers.note(process.pid, environment["SVCUID"])
        return process, output

    def _variables(self, component: Component) -> Variables:
        others = (self._component_of(name) for name in component.recipe.dependencies)
        variables = Variables(
            own=self._paths(component),
            dependencies={one.name: self._paths(one) for one in others if one is not None},
            root_path=str(self._layout.root),
            thing_name=self._thing_name,
        )
        if not self._interpolate_configuration:
            return variables
        own = variables.own
        configuration = interpolate_all(own.configuration, variables)
        return Variables(
            own=Paths(
                artifacts=own.artifacts, decompressed=own.decompressed, work=own.work, configuration=configuration
            ),
            dependencies=variables.dependencies,
            root_path=variables.root_path,
            thing_name=variables.thing_name,
        )

    def _paths(self, component: Component) -> Paths:
        return Paths(
            artifacts=str(self._layout.artifacts / component.name / component.version),
            decompressed=str(self._layout.unarchived / component.name / component.version),
            work=str(self.folder(component)),
            configuration=component.configuration,
        )


class _Run:
    """One component's life from install to shutdown."""

    def __init__(
        self, kind: ScriptKind, component: Component, lifecycle: Lifecycle, report: Report, stopping: asyncio.Event
    ) -> None:
        self._kind = kind
        self._component = component
        self._lifecycle = lifecycle
        self._report = report
        self._stopping = stopping
        self._state_said: asyncio.Future[str] | None = None

    def said(self, state: str) -> None:
        """The component said over the IPC how it is."""
        if self._state_said is not None and not self._state_said.done():
            self._state_said.set_result(state)

    async def life(self) -> None:
        errors = 0
        while not self._stopping.is_set():
            wrong = await self._once()
            if wrong is None or self._stopping.is_set():
                break
            errors += 1
            cause, code = wrong
            self._report(ComponentState.BROKEN if errors >= BROKEN_AFTER else ComponentState.ERRORED, cause, (code,))
            if errors >= BROKEN_AFTER:
                break
            await self.step(StepName.RECOVER)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._kind._pause_s * 2**errors):  # noqa: SLF001  # one class in two parts
                    await self._stopping.wait()
        await self._stopping.wait()
        self._report(ComponentState.STOPPING, "", ())
        await self.step(StepName.SHUTDOWN)

    async def _once(self) -> tuple[str, str] | None:
        """Install and run; answer None when there is nothing more to do, else what is wrong and its code."""
        wrong = await self.step(StepName.INSTALL)
        if wrong is not None:
            return wrong, "INSTALL_TIMEOUT" if "within" in wrong else "INSTALL_ERROR"
        self._report(ComponentState.INSTALLED, "", ())
        if StepName.STARTUP in self._lifecycle.steps:
            self._report(ComponentState.STARTING, "", ())
            wrong = await self.step(StepName.STARTUP)
            if wrong is not None:
                return wrong, "STARTUP_TIMEOUT" if "within" in wrong else "STARTUP_ERROR"
            self._report(ComponentState.RUNNING, "", ())
            return None
        if StepName.RUN not in self._lifecycle.steps:
            self._report(ComponentState.FINISHED, "", ())
            return None
        self._report(ComponentState.STARTING, "", ())
        wrong = await self.step(StepName.RUN, started=lambda: self._report(ComponentState.RUNNING, "", ()))
        if wrong is not None:
            return wrong, "RUN_ERROR"
        if not self._stopping.is_set():
            self._report(ComponentState.FINISHED, "", ())
        return None

    async def step(self, name: StepName, *, started: Callable[[], None] | None = None) -> str | None:
        """Run a step to its end; answer None when it went well (or is not there), else what is wrong."""
        step = self._lifecycle.steps.get(name)
        if step is None:
            return None
        environment = self._kind.environment(self._component, self._lifecycle, step)
        if step.skip_if is not None and _skips(step.skip_if, environment):
            return None
        self._state_said = asyncio.get_running_loop().create_future()
        script = self._kind.script(self._component, step)
        process, output = await self._kind.start(self._component, step, script, environment)
        try:
            if started is not None:
                started()
            return await self._ended(name, step, process)
        finally:
            await _end(process)
            self._kind.leftovers.forget(process.pid)
            output.close()
            self._state_said = None

    async def _ended(self, name: StepName, step: Step, process: Process) -> str | None:
        """Wait for the end of a step, or for what ends it: its timeout, a stop, the component's own word."""
        async with asyncio.TaskGroup() as waiting:
            ending = name not in (StepName.SHUTDOWN, StepName.UNINSTALL)
            stop = waiting.create_task(self._stopping.wait()) if ending else None
            said = self._state_said
            waits: set[asyncio.Future[object]] = {process.exited}  # type: ignore[arg-type]  # only waited for
            waits |= {one for one in (stop, said) if one is not None}  # type: ignore[misc]  # as above
            await asyncio.wait(waits, timeout=step.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            stopped = stop is not None and stop.done()
            if stop is not None:
                stop.cancel()
        if process.exited.done():
            status = process.exited.result()
            return None if status == 0 or stopped else f"the {name.value} script ended with status {status}"
        if stopped:
            return None
        if said is not None and said.done():
            return await self._by_its_word(name, said.result(), process)
        return f"the {name.value} script did not end within {step.timeout_s:g} s"

    async def _by_its_word(self, name: StepName, state: str, process: Process) -> str | None:
        """A component that says RUNNING while its startup script runs is started; the script may go on."""
        if state == "ERRORED":
            return "the component said that it has failed"
        if name is StepName.STARTUP:
            self._report(ComponentState.RUNNING, "", ())
        async with asyncio.TaskGroup() as waiting:
            stop = waiting.create_task(self._stopping.wait())
            waits: set[asyncio.Future[object]] = {process.exited, stop}  # type: ignore[arg-type]  # only waited for
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
        if process.exited.done() and process.exited.result() != 0:
            return f"the {name.value} script ended with status {process.exited.result()}"
        return None


async def _end(process: Process) -> None:
    if process.exited.done():
        return
    process.send_signal(signal.SIGTERM)
    await asyncio.wait({process.exited}, timeout=GRACE_S)
    if not process.exited.done():
        process.send_signal(signal.SIGKILL)
        await asyncio.wait({process.exited}, timeout=GRACE_S)


def _skips(condition: str, environment: Mapping[str, str]) -> bool:
    negated = condition.startswith("!")
    verb, _, what = condition.lstrip("!").strip().partition(" ")
    if verb.lower() == "onpath":
        holds = shutil.which(what.strip(), path=environment.get("PATH")) is not None
    else:
        holds = Path(what.strip()).exists()
    return holds is not negated


def _refusal(name: str, member: str, why: str) -> DeploymentFailed:
    return DeploymentFailed(f"{name}: {member} is not supported on this edge: {why}", "COMPONENT_RECIPE_ERROR")
