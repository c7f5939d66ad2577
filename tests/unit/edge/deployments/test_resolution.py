import asyncio
from typing import Any

import pytest

from hedgerow.edge.deployments.failure import DeploymentFailed
from hedgerow.edge.deployments.resolution import Resolution
from tests.unit.edge.deployments.core import LINUX, FakeCloud, recipe


def resolved(cloud: FakeCloud, roots: dict[str, dict[str, str]]) -> dict[str, str]:
    found = asyncio.run(Resolution(cloud, LINUX, {}).run(roots))
    return {name: one.version for name, one in sorted(found.items())}


def clouded(*recipes: dict[str, Any]) -> FakeCloud:
    cloud = FakeCloud()
    cloud.add(*recipes)
    return cloud


def test_dependencies_of_dependencies_come_along() -> None:
    cloud = clouded(
        recipe("a", "1.0.0", needs={"b": "*"}), recipe("b", "1.0.0", needs={"c": "*"}), recipe("c", "1.0.0")
    )

    assert resolved(cloud, {"a": {"thing/T": "=1.0.0"}}) == {"a": "1.0.0", "b": "1.0.0", "c": "1.0.0"}


def test_a_version_that_a_later_requirement_forbids_is_chosen_again_with_all_requirements() -> None:
    cloud = clouded(
        recipe("a", "1.0.0", needs={"c": "*"}),
        recipe("b", "1.0.0", needs={"c": "<2.0.0"}),
        recipe("c", "1.0.0"),
        recipe("c", "2.0.0"),
    )

    assert resolved(cloud, {"b": {"g": "=1.0.0"}, "a": {"g": "=1.0.0"}})["c"] == "1.0.0"
    assert ("c", {"a": "*", "b": "<2.0.0"}) in [(name, dict(sorted(asked.items()))) for name, asked in cloud.asked]


def test_what_a_version_that_was_given_up_needed_does_not_come_along() -> None:
    cloud = clouded(
        recipe("a", "1.0.0", needs={"c": "*"}),
        recipe("b", "1.0.0", needs={"c": "<2.0.0"}),
        recipe("c", "1.0.0"),
        recipe("c", "2.0.0", needs={"heavy": "*"}),
        recipe("heavy", "1.0.0"),
    )

    assert "heavy" not in resolved(cloud, {"b": {"g": "=1.0.0"}, "a": {"g": "=1.0.0"}})


@pytest.mark.spec("BS-48")
def test_two_groups_that_want_different_versions_fail_with_both_named() -> None:
    cloud = clouded(recipe("a", "1.0.0"), recipe("a", "2.0.0"))

    with pytest.raises(DeploymentFailed, match=r"=1.0.0 \(thing/T\), =2.0.0 \(thinggroup/G\)") as raised:
        resolved(cloud, {"a": {"thing/T": "=1.0.0", "thinggroup/G": "=2.0.0"}})

    assert "NO_AVAILABLE_COMPONENT_VERSION" in raised.value.codes


def test_what_the_edge_is_itself_is_never_asked_for() -> None:
    cloud = clouded(recipe("a", "1.0.0", needs={"aws.greengrass.TokenExchangeService": "^2.0.0"}))

    assert resolved(cloud, {"a": {"g": "=1.0.0"}}) == {"a": "1.0.0"}
    assert [name for name, _ in cloud.asked] == ["a"]


def test_components_that_need_each_other_settle() -> None:
    cloud = clouded(recipe("a", "1.0.0", needs={"b": "*"}), recipe("b", "1.0.0", needs={"a": "^1.0.0"}))

    assert resolved(cloud, {"a": {"g": "=1.0.0"}}) == {"a": "1.0.0", "b": "1.0.0"}
