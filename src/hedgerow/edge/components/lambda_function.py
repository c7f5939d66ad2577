"""Components that are Lambda functions: recipe and configuration become what `functions.Pool` runs.

The handler, runtime and ARN stand in the lifecycle's Setenv as the cloud writes them (`AWS_GREENGRASS_LAMBDA_…`), the
rest in the component's configuration. What cannot be honoured is refused by name when the deployment is checked.
Spec: Greengrass V2, "Import a Lambda function as a component".
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import HedgerowError
from hedgerow.base.log import get_logger
from hedgerow.core.arn import parse
from hedgerow.core.mqtt.packets import Publish
from hedgerow.edge.components.container import CONTAINER, container_view
from hedgerow.edge.components.events import Events, Source
from hedgerow.edge.components.kind import Report
from hedgerow.edge.components.model import Component, ComponentState
from hedgerow.edge.deployments.failure import DeploymentFailed, not_supported
from hedgerow.edge.layout import Layout
from hedgerow.functions import FunctionSpec, FunctionState, Pool, RuntimeNotHere, State

BROKEN_AFTER: Final = 3
_PREFIX: Final = "AWS_GREENGRASS_LAMBDA_"
_log = get_logger("edge.lambda")


class LambdaKind:
    """Lambda components on one pool. Give `on_state` to the pool."""

    def __init__(
        self,
        *,
        layout: Layout,
        attributes: Mapping[str, str],
        region: str,
        events: Events,
        sees: tuple[Path, ...] = (),
        confines: bool = True,
    ) -> None:
        """`sees` are places that every function may read; `confines` is whether this machine can close the others."""
        self._layout = layout
        self._attributes = attributes
        self._region = region
        self._events = events
        self._sees = sees
        self._confines = confines
        self._reports: dict[str, Report] = {}
        self._errors: dict[str, int] = {}
        self.pool: Pool | None = None

    async def check(self, component: Component) -> None:
        spec = self.spec(component)
        _refuse_what_is_not_there(component)
        try:
            await self._running_pool().require_runtime(spec.runtime)
        except RuntimeNotHere as error:
            raise DeploymentFailed(f"{component.name}: {error}", "COMPONENT_ERROR", types=("DEVICE_ERROR",)) from error

    async def live(self, component: Component, report: Report, stopping: asyncio.Event) -> None:
        spec, pool = self.spec(component), self._running_pool()
        await asyncio.to_thread(spec.working_folder.mkdir, parents=True, exist_ok=True)
        if spec.view is not None and not self._confines:
            fields = {"component": component.name, "containerMode": CONTAINER}
            _log.warning("this kernel has no Landlock: a function sees the machine's files", extra={"fields": fields})
        self._reports[spec.arn] = report
        self._errors.pop(spec.arn, None)
        report(ComponentState.STARTING, "", ())
        try:
            if spec.pinned:
                await pool.keep(spec)
            else:
                report(ComponentState.RUNNING, "", ())
            most = max(1, int(_number(component.configuration, "maxQueueSize", 1000)))
            async with self._events.feeding(
                _sources(component), lambda message: self._invoke(spec, message), most=most
            ):
                await stopping.wait()
            report(ComponentState.STOPPING, "", ())
        finally:
            self._reports.pop(spec.arn, None)
            await pool.stop(spec)

    async def removed(self, component: Component) -> None:
        """Its files are cleared away with the next deployment."""

    def on_state(self, state: FunctionState) -> None:
        """Hear from the pool how a kept function is. Three errors in a row are BROKEN; the pool still tries."""
        report = self._reports.get(state.arn)
        if report is None:
            return
        if state.state is State.ERRORED:
            self._errors[state.arn] = count = self._errors.get(state.arn, 0) + 1
            broken = count >= BROKEN_AFTER
            report(ComponentState.BROKEN if broken else ComponentState.ERRORED, state.cause, ("RUN_ERROR",))
        elif state.state is State.RUNNING:
            self._errors.pop(state.arn, None)
            report(ComponentState.RUNNING, "", ())
        elif state.state is State.STARTING and state.arn not in self._errors:
            report(ComponentState.STARTING, "", ())

    def spec(self, component: Component) -> FunctionSpec:
        """Answer what the pool is to run; raise DeploymentFailed when the recipe does not say it."""
        recipe = component.recipe
        selected = recipe.maybe_selected(self._attributes)
        if selected is None:
            raise DeploymentFailed(f"{component.name} has no manifest for this platform", "RECIPE_MISSING_MANIFEST")
        said = selected.lifecycle.environment
        configuration = component.configuration
        handler = said.get(f"{_PREFIX}FUNCTION_HANDLER") or _text(configuration, "handler")
        runtime = said.get(f"{_PREFIX}RUNTIME") or _text(configuration, "runtime")
        if not handler or not runtime:
            raise DeploymentFailed(
                f"{component.name}: the recipe must name {_PREFIX}FUNCTION_HANDLER and {_PREFIX}RUNTIME in its Setenv",
                "RECIPE_PARSE_ERROR",
            )
        known = parse(component.arn)
        account = known.account if known is not None else ""
        arn = recipe.source or said.get(f"{_PREFIX}ARN") or f"{component.arn}"
        return FunctionSpec(
            arn=arn,
            name=component.name,
            version=component.version,
            code=self._code(component),
            handler=handler,
            runtime=runtime,
            region=self._region,
            working_folder=self._layout.work / component.name,
            environment=_environment(configuration),
            timeout_s=_number(configuration, "timeoutInSeconds", 3),
            memory_mb=max(1, int(_number(_mapping(configuration, "containerParams"), "memorySize", 16_384)) // 1024),
            log_group=f"/aws/greengrass/Lambda/{self._region}/{account}/{component.name}",
            input_type=_text(configuration, "inputPayloadEncodingType") or "json",
            pinned=_flag(configuration, "pinned", default=True),
            max_instances=int(_number(configuration, "maxInstancesCount", 100)),
            max_idle_s=_number(configuration, "maxIdleTimeInSeconds", 60),
            view=container_view(component.name, configuration, sees=self._sees),
        )

    def _code(self, component: Component) -> Path:
        folder = self._layout.unarchived / component.name / component.version
        selected = component.recipe.maybe_selected(self._attributes)
        archives = [one for one in (selected.manifest.artifacts if selected else ()) if one.unarchive == "ZIP"]
        if len(archives) != 1:
            raise DeploymentFailed(
                f"{component.name}: a Lambda component has one ZIP artifact, this one has {len(archives)}",
                "RECIPE_PARSE_ERROR",
            )
        return (folder / archives[0].file_name.removesuffix(".zip")).resolve()

    async def _invoke(self, spec: FunctionSpec, message: Publish) -> None:
        import json

        custom = {"custom": {"subject": message.topic}, "Custom": {"subject": message.topic}}
        try:
            outcome = await self._running_pool().invoke(
                spec, message.payload, client_context=json.dumps(custom).encode()
            )
        except (HedgerowError, ValueError) as error:
            fields = {"function": spec.arn, "topic": message.topic, "cause": str(error)}
            _log.warning("a function was not invoked", extra={"fields": fields})
        else:
            if outcome.error:
                fields = {"function": spec.arn, "topic": message.topic, "error": outcome.error_type}
                _log.warning("a function answered with an error", extra={"fields": fields})

    def _running_pool(self) -> Pool:
        assert self.pool is not None  # noqa: S101  # the composition root sets it before anything runs
        return self.pool


def _refuse_what_is_not_there(component: Component) -> None:
    configuration, name = component.configuration, component.name
    if configuration.get("execArgs"):
        raise not_supported(name, "execArgs", "the runtime is started as it is")
    if component.run_with:
        raise not_supported(name, "runWith", "functions run as the user of runWithDefault")
    if _text(configuration, "inputPayloadEncodingType") not in ("", "json", "binary"):
        raise not_supported(name, "inputPayloadEncodingType", "it is json or binary")


def _environment(configuration: Mapping[str, Any]) -> dict[str, str]:
    variables = _mapping(_mapping(configuration, "lambdaExecutionParameters"), "EnvironmentVariables")
    return {str(name): str(value) for name, value in variables.items() if value is not None}


def _sources(component: Component) -> list[Source]:
    topics = component.configuration.get("pubsubTopics")
    listed = topics.values() if isinstance(topics, Mapping) else topics if isinstance(topics, list) else ()
    sources = []
    for one in listed:
        if isinstance(one, Mapping) and one.get("topic"):
            kind = str(one.get("type", "PUB_SUB")).upper().replace("-", "_")
            sources.append(Source(topic=str(one["topic"]), from_cloud=kind == "IOT_CORE"))
    return sources


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return "" if value is None else str(value)


def _number(values: Mapping[str, Any], key: str, default: float) -> float:
    try:
        return float(values.get(key, default))
    except (TypeError, ValueError):
        raise DeploymentFailed(
            f"{key} must be a number, not {values[key]!r}", "COMPONENT_CONFIGURATION_NOT_VALID"
        ) from None


def _flag(values: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = values.get(key, default)
    return value if isinstance(value, bool) else str(value).lower() == "true"
