import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

from hedgerow.edge.components.events import Events
from hedgerow.edge.components.lambda_function import LambdaKind
from hedgerow.edge.components.local_bus import LocalBus
from hedgerow.edge.components.model import Component, ComponentState
from hedgerow.edge.connection import Connection
from hedgerow.edge.deployments.failure import DeploymentFailed
from hedgerow.edge.layout import Layout
from hedgerow.functions import FunctionState, Pool, RuntimeNotHere, State
from tests.unit.edge.plane import ACCOUNT, REGION, component_arn, lambda_recipe


def kind(root: Path) -> LambdaKind:
    events = Events(connection=cast("Connection", None), bus=LocalBus())
    return LambdaKind(layout=Layout(root), attributes={"os": "linux"}, region=REGION, events=events)


def component(recipe: dict[str, Any] | None = None, **configuration: Any) -> Component:
    return Component(
        name="radio",
        version="1.0.0",
        arn=component_arn("radio", "1.0.0"),
        recipe_text=json.dumps(recipe or lambda_recipe("radio", "1.0.0", b"zip")),
        configuration=configuration,
    )


class FakePool:
    async def require_runtime(self, runtime: str) -> None:
        if runtime != "python3.11":
            raise RuntimeNotHere(f"this host cannot run {runtime}; it has python3.11")


def test_recipe_and_configuration_become_what_the_pool_runs(tmp_path: Path) -> None:
    spec = kind(tmp_path).spec(
        component(
            pinned=False,
            timeoutInSeconds=7,
            maxInstancesCount=3,
            maxIdleTimeInSeconds=9,
            inputPayloadEncodingType="binary",
            containerParams={"memorySize": 65_536, "volumes": {}, "devices": {}},
            lambdaExecutionParameters={"EnvironmentVariables": {"A": 1}},
        )
    )

    assert (spec.arn, spec.name) == (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:radio:1", "radio")
    assert (spec.handler, spec.runtime) == ("app.handler", "python3.11")
    assert (spec.pinned, spec.timeout_s, spec.max_instances, spec.max_idle_s) == (False, 7.0, 3, 9.0)
    assert (spec.memory_mb, spec.input_type, spec.environment) == (64, "binary", {"A": "1"})
    assert spec.code == tmp_path / "packages/artifacts-unarchived/radio/1.0.0/code"
    assert spec.log_group == f"/aws/greengrass/Lambda/{REGION}/{ACCOUNT}/radio"


def test_the_recipes_of_our_own_cloud_are_understood(tmp_path: Path) -> None:
    recipes = pytest.importorskip("hedgerow.services.greengrassv2.components.lambda_recipe")
    ports = pytest.importorskip("hedgerow.services.greengrassv2.components.ports")
    fields = dict.fromkeys(ports.LambdaVersion.__dataclass_fields__, "x")
    known = {
        **fields,
        "arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:radio:1",
        "name": "radio",
        "version": "1",
        "handler": "monitor.handler",
        "runtime": "python3.11",
        "environment": {"A": "1"},
    }
    recipe = recipes.lambda_recipe(ports.LambdaVersion(**known), recipes.LambdaImport())
    one = component(recipe.document, **recipe.defaults)

    spec = kind(tmp_path).spec(one)

    assert (spec.handler, spec.runtime, spec.pinned) == ("monitor.handler", "python3.11", True)
    assert spec.environment == {"A": "1"}


@pytest.mark.parametrize(
    ("configuration", "named"),
    [
        ({"containerMode": "Docker"}, "containerMode"),
        ({"containerMode": "NoContainer", "containerParams": {"mountROSysfs": True}}, "containerParams"),
        ({"execArgs": ["-v"]}, "execArgs"),
        ({"inputPayloadEncodingType": "xml"}, "inputPayloadEncodingType"),
        ({"timeoutInSeconds": "soon"}, "timeoutInSeconds must be a number"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(tmp_path: Path, configuration: dict[str, Any], named: str) -> None:
    one = kind(tmp_path)
    one.pool = cast("Pool", FakePool())

    with pytest.raises(DeploymentFailed, match=named):
        asyncio.run(one.check(component(**configuration)))


def test_a_runtime_that_this_machine_does_not_have_is_refused_with_what_it_has(tmp_path: Path) -> None:
    one = kind(tmp_path)
    one.pool = cast("Pool", FakePool())
    recipe = lambda_recipe("radio", "1.0.0", b"")
    recipe["Manifests"][0]["Lifecycle"]["Setenv"]["AWS_GREENGRASS_LAMBDA_RUNTIME"] = "cobol"

    with pytest.raises(DeploymentFailed, match="radio: this host cannot run cobol"):
        asyncio.run(one.check(component(recipe)))


def test_a_recipe_that_names_no_handler_is_refused(tmp_path: Path) -> None:
    recipe = lambda_recipe("radio", "1.0.0", b"")
    del recipe["Manifests"][0]["Lifecycle"]["Setenv"]["AWS_GREENGRASS_LAMBDA_FUNCTION_HANDLER"]

    with pytest.raises(DeploymentFailed, match="AWS_GREENGRASS_LAMBDA_FUNCTION_HANDLER"):
        kind(tmp_path).spec(component(recipe))


def test_three_errors_in_a_row_are_broken_until_it_runs_again(tmp_path: Path) -> None:
    one = kind(tmp_path)
    states: list[tuple[ComponentState, str]] = []
    arn = one.spec(component()).arn
    one._reports[arn] = lambda state, cause, codes: states.append((state, cause))

    for state in (State.STARTING, State.ERRORED, State.STARTING, State.ERRORED, State.ERRORED, State.RUNNING):
        one.on_state(FunctionState(arn=arn, state=state, cause="it ended" if state is State.ERRORED else ""))

    assert [state.value for state, _ in states] == ["STARTING", "ERRORED", "ERRORED", "BROKEN", "RUNNING"]
    assert states[1][1] == "it ended"
