import asyncio
from pathlib import Path
from typing import Any

import pytest

from hedgerow.edge.deployments import store
from hedgerow.edge.deployments.failure import Detail, Status
from hedgerow.edge.state import State
from tests.unit.edge.deployments.core import Core, DyingState, FakeCloud, core, life_that_dies, recipe


@pytest.fixture
def cloud() -> FakeCloud:
    cloud = FakeCloud()
    cloud.add(
        recipe("app", "1.0.0", needs={"base": "^1.0.0"}, colour="red", size=1),
        recipe("app", "2.0.0", needs={"base": "^2.0.0"}, colour="blue", size=1),
        recipe("base", "1.0.0"),
        recipe("base", "1.5.0"),
        recipe("base", "2.0.0"),
        recipe("other", "1.0.0"),
    )
    return cloud


def app(version: str, **update: Any) -> dict[str, Any]:
    return {"app": {"version": version, **({"configurationUpdate": update} if update else {})}}


def test_a_deployment_brings_the_component_and_what_it_depends_on(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            result = await one.ended(await one.deploy(1, app("1.0.0")))

            assert (result.status, result.detail) == (Status.SUCCEEDED, Detail.SUCCESSFUL)
            assert one.kind.running == {"app": "1.0.0", "base": "1.5.0"}
            assert one.kind.starts == ["base 1.5.0", "app 1.0.0"]
            installed = one.supervisor.generation.components
            assert {name: component.root for name, component in installed.items()} == {"app": True, "base": False}
            arn = "arn:aws:greengrass:eu-central-1:123456789012:configuration:thing/site-1:1"
            assert {component.fleet_arns for component in installed.values()} == {(arn,)}
            assert [status for _, status, _ in await one.reports()] == ["IN_PROGRESS", "SUCCEEDED"]

    asyncio.run(scenario())


@pytest.mark.spec("JB-20")
def test_what_was_deployed_runs_after_a_restart_without_the_cloud(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0")))
        cloud.away = True
        async with core(tmp_path, cloud) as one:
            await asyncio.sleep(0.01)
            assert one.kind.running == {"app": "1.0.0", "base": "1.5.0"}

    asyncio.run(scenario())


@pytest.mark.spec("JB-55")
def test_a_new_version_replaces_the_old_and_leaves_alone_what_has_not_changed(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, {**app("1.0.0"), "other": {"version": "1.0.0"}}))
            one.kind.starts.clear()
            await one.ended(await one.deploy(2, {**app("2.0.0"), "other": {"version": "1.0.0"}}))

            assert one.kind.running == {"app": "2.0.0", "base": "2.0.0", "other": "1.0.0"}
            assert one.kind.starts == ["base 2.0.0", "app 2.0.0"]

    asyncio.run(scenario())


@pytest.mark.spec("JB-80")
def test_a_component_that_the_next_deployment_does_not_name_is_removed(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, {**app("1.0.0"), "other": {"version": "1.0.0"}}))
            await one.ended(await one.deploy(2, {"other": {"version": "1.0.0"}}))

            assert one.kind.running == {"other": "1.0.0"}

    asyncio.run(scenario())


def test_the_components_of_other_groups_survive_and_those_of_groups_that_were_left_do_not(
    tmp_path: Path, cloud: FakeCloud
) -> None:
    async def scenario() -> None:
        cloud.groups = {"G"}
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0"), target="thinggroup/G"))
            await one.ended(await one.deploy(1, {"other": {"version": "1.0.0"}}))
            assert set(one.kind.running) == {"app", "base", "other"}
            cloud.groups = set()
            await one.ended(await one.deploy(2, {"other": {"version": "1.0.0"}}))

            assert set(one.kind.running) == {"other"}

    asyncio.run(scenario())


@pytest.mark.spec("JB-79")
def test_a_version_that_breaks_is_rolled_back_and_the_report_says_why(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0")))
            one.kind.broken = {"app 2.0.0"}
            result = await one.ended(await one.deploy(2, app("2.0.0")))

            assert result.detail is Detail.FAILED_ROLLBACK_COMPLETE
            assert result.cause == "app is broken: it crashed three times"
            assert one.kind.running == {"app": "1.0.0", "base": "1.5.0"}
        async with core(tmp_path, cloud) as one:
            await asyncio.sleep(0.01)
            assert one.kind.running == {"app": "1.0.0", "base": "1.5.0"}

    asyncio.run(scenario())


def test_without_roll_back_the_new_version_stays_although_it_is_broken(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            one.kind.broken = {"app 2.0.0"}
            result = await one.ended(await one.deploy(1, app("2.0.0"), failureHandlingPolicy="DO_NOTHING"))

            assert result.detail is Detail.FAILED_ROLLBACK_NOT_REQUESTED
            assert one.kind.running == {"app": "2.0.0", "base": "2.0.0"}

    asyncio.run(scenario())


def test_a_version_that_does_not_start_in_time_is_rolled_back(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            one.kind.hanging = {"app 2.0.0"}
            result = await one.ended(await one.deploy(1, app("2.0.0")))

            assert result.detail is Detail.FAILED_ROLLBACK_COMPLETE
            assert result.cause == "not running after 0.1 s: app is STARTING"
            assert one.kind.running == {}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("components", "extra", "code", "words"),
    [
        (
            {"nobody": {"version": "1.0.0"}},
            {},
            "NO_AVAILABLE_COMPONENT_VERSION",
            "no version of nobody that meets =1.0.0",
        ),
        (app("1.0.0"), {"requiredCapabilities": ["LASERS"]}, "NUCLEUS_MISSING_REQUIRED_CAPABILITIES", "lacks LASERS"),
        ({"app": {}}, {}, "DEPLOYMENT_DOCUMENT_PARSE_ERROR", "names no version of app"),
        (app("1.0.0", reset=["colour"]), {}, "COMPONENT_CONFIGURATION_NOT_VALID", "is no JSON pointer"),
        ({"app": {"version": "one"}}, {}, "COMPONENT_VERSION_REQUIREMENTS_NOT_MET", "not a version requirement"),
    ],
)
def test_what_cannot_be_carried_out_changes_nothing_and_is_said(
    tmp_path: Path, cloud: FakeCloud, components: dict[str, Any], extra: dict[str, Any], code: str, words: str
) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, {"other": {"version": "1.0.0"}}))
            result = await one.ended(await one.deploy(2, components, **extra))

            assert result.detail is Detail.FAILED_NO_STATE_CHANGE
            assert code in result.stack
            assert words in result.cause
            assert one.kind.running == {"other": "1.0.0"}
            assert f"FAILED: {result.cause}" in one.console.getvalue()

    asyncio.run(scenario())


def test_what_this_edge_does_not_honour_fails_the_deployment_by_name(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            one.kind.unsupported = {"app"}
            result = await one.ended(await one.deploy(1, app("1.0.0")))

            assert result.cause == "app: bootstrap is not supported on this edge"
            assert one.kind.starts == []

    asyncio.run(scenario())


def test_a_document_that_is_older_than_the_groups_last_is_rejected(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(2, app("1.0.0")))
            result = await one.ended(await one.deploy(1, app("2.0.0")))

            assert (result.status, result.stack) == (Status.REJECTED, ("REJECTED_STALE_DEPLOYMENT",))
            assert one.kind.running["app"] == "1.0.0"

    asyncio.run(scenario())


def test_components_that_need_each_other_start(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        cloud.add(recipe("egg", "1.0.0", needs={"hen": "*"}), recipe("hen", "1.0.0", needs={"egg": "*"}))
        async with core(tmp_path, cloud) as one:
            result = await one.ended(await one.deploy(1, {"egg": {"version": "1.0.0"}}))

            assert result.status is Status.SUCCEEDED
            assert set(one.kind.running) == {"egg", "hen"}

    asyncio.run(scenario())


def test_the_same_deployment_offered_again_is_carried_out_once(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            key = await one.deploy(1, app("1.0.0"))
            await one.deploy(1, app("1.0.0"))
            await one.ended(key)
            await one.idle()

            assert one.kind.starts.count("app 1.0.0") == 1

    asyncio.run(scenario())


def test_configuration_is_merged_kept_over_versions_and_reset_to_the_recipes_defaults(
    tmp_path: Path, cloud: FakeCloud
) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0", merge={"colour": "green", "deep": {"a": 1}})))
            await one.ended(await one.deploy(2, app("2.0.0", merge={"deep": {"b": 2}})))
            component = one.supervisor.component("app")
            assert component is not None
            assert component.configuration == {"colour": "green", "size": 1, "deep": {"a": 1, "b": 2}}

            await one.ended(await one.deploy(3, app("2.0.0", reset=["/colour", "/deep/a"])))
            component = one.supervisor.component("app")
            assert component is not None
            assert component.configuration == {"colour": "blue", "size": 1, "deep": {"b": 2}}

    asyncio.run(scenario())


def test_a_deployment_waits_for_the_cloud_and_goes_on_when_it_is_back(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        cloud.away = True
        async with core(tmp_path, cloud) as one:
            key = await one.deploy(1, app("1.0.0"))
            while "deployment waits: the cloud is away" not in one.console.getvalue():
                await asyncio.sleep(0.001)
            cloud.away = False
            one.engine.online()

            assert (await one.ended(key)).status is Status.SUCCEEDED

    asyncio.run(scenario())


def test_a_deployment_that_waits_can_be_cancelled(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        cloud.away = True
        async with core(tmp_path, cloud) as one:
            key = await one.deploy(1, app("1.0.0"))
            while one.engine.running is None:
                await asyncio.sleep(0.001)
            await one.engine.cancel(key)

            assert (await one.ended(key)).status is Status.CANCELED
            assert one.kind.starts == []

    asyncio.run(scenario())


def test_cancelling_during_the_switch_brings_the_old_version_back(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0")))
            one.kind.hanging = {"app 2.0.0"}
            key = await one.deploy(2, app("2.0.0"))
            while "app 2.0.0" not in one.kind.starts:
                await asyncio.sleep(0.001)
            await one.engine.cancel(key)
            result = await one.ended(key)

            assert result.status is Status.CANCELED
            assert one.kind.running == {"app": "1.0.0", "base": "1.5.0"}

    asyncio.run(scenario())


def test_one_that_waits_its_turn_can_be_cancelled(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            one.kind.hanging = {"app 2.0.0"}
            first = await one.deploy(1, app("2.0.0"))
            second = await one.deploy(2, app("1.0.0"))
            await one.engine.cancel(second)
            await one.ended(first)
            await one.idle()

            assert "app 1.0.0" not in one.kind.starts
            assert ("thing/site-1:2", "CANCELED", None) in await one.reports()

    asyncio.run(scenario())


def test_installed_versions_that_still_fit_stay_when_the_cloud_is_away_during_resolution(
    tmp_path: Path, cloud: FakeCloud
) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0")))
            cloud.recipes.clear()
            result = await one.ended(await one.deploy(2, app("1.0.0", merge={"colour": "green"})))

            assert result.status is Status.SUCCEEDED
            assert one.kind.starts == ["base 1.5.0", "app 1.0.0", "app 1.0.0"]

    asyncio.run(scenario())


OLD = {"app": "1.0.0", "base": "1.5.0"}
NEW = {"app": "2.0.0", "base": "2.0.0"}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("broken", [False, True])
def test_a_process_that_dies_at_any_write_leaves_the_old_or_the_new_and_ends_the_deployment_once(
    tmp_path: Path, cloud: FakeCloud, at: int, after: bool, broken: bool
) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0")))
        dying = DyingState(tmp_path / "state.db", at=at, after=after)

        async def act(one: Core) -> None:
            one.kind.broken = {"app 2.0.0"} if broken else set()
            await one.deploy(2, app("2.0.0"))

        await life_that_dies(tmp_path, cloud, dying, act)
        was_offered = at > 1 or after

        state = State(tmp_path / "state.db")
        right = await state.read(store.active)
        versions = {name: component.version for name, component in right.components.items()}
        assert versions in (OLD, NEW)
        async with core(tmp_path, cloud, state=state) as one:
            one.kind.broken = {"app 2.0.0"} if broken else set()
            await one.idle()
            await asyncio.sleep(0.01)
            assert one.kind.running == (OLD if broken or not was_offered else NEW)
            ends = [status for key, status, _ in await one.reports() if key.endswith(":2") and status != "IN_PROGRESS"]
            assert ends == ([] if not was_offered else ["FAILED"] if broken else ["SUCCEEDED"])

    asyncio.run(scenario())


def test_a_version_that_kills_the_whole_edge_three_times_is_given_up(tmp_path: Path, cloud: FakeCloud) -> None:
    async def scenario() -> None:
        async with core(tmp_path, cloud) as one:
            await one.ended(await one.deploy(1, app("1.0.0")))

        async def act(one: Core) -> None:
            await one.deploy(2, app("2.0.0"))

        for _ in range(3):  # it dies when it wants to write down that the switch went well
            state = DyingState(tmp_path / "state.db", at=10**9, after=False)
            await life_that_dies_while_switching(tmp_path, cloud, state, act)
        async with core(tmp_path, cloud) as one:
            await one.idle()
            await asyncio.sleep(0.01)

            assert one.kind.running == OLD
            assert (await one.reports())[-1][1:] == ("FAILED", "FAILED_ROLLBACK_COMPLETE")

    asyncio.run(scenario())


async def life_that_dies_while_switching(folder: Path, cloud: FakeCloud, state: DyingState, act: Any) -> None:
    one = Core(folder, cloud, state)
    one.kind.hanging = {"app 2.0.0"}
    async with asyncio.TaskGroup() as tasks, one.supervisor:
        task = tasks.create_task(one.engine.run())
        await act(one)
        while "app 2.0.0" not in one.kind.starts:
            await asyncio.sleep(0.001)
        task.cancel()
    state.close()
