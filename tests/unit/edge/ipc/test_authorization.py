import pytest

from hedgerow.edge.ipc.authorization import MQTT_PROXY, PUBSUB, allowed


def configuration(service: str, operations: list[str], resources: list[str]) -> dict[str, object]:
    return {"accessControl": {service: {"p:1": {"operations": operations, "resources": resources}}}}


@pytest.mark.parametrize(
    ("resource", "topic", "expected"),
    [
        ("*", "a/b", True),
        ("a/*", "a/b/c", True),
        ("a/*/c", "a/x/y/c", True),
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a/+", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "a/#", True),
        ("a/#", "ab", False),
        ("a${*}", "a*", True),
        ("a${*}", "ab", False),
        ("a.c", "abc", False),
    ],
)
def test_a_resource_is_a_pattern_of_topics(resource: str, topic: str, expected: bool) -> None:
    policies = configuration(MQTT_PROXY, ["aws.greengrass#PublishToIoTCore"], [resource])

    assert allowed(policies, MQTT_PROXY, "PublishToIoTCore", topic) is expected


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        (["*"], True),
        (["PublishToTopic"], True),
        (["aws.greengrass#PublishToTopic"], True),
        (["aws.greengrass#SubscribeToTopic"], False),
        ([], False),
    ],
)
def test_the_operation_must_be_named(operations: list[str], expected: bool) -> None:
    assert allowed(configuration(PUBSUB, operations, ["*"]), PUBSUB, "PublishToTopic", "t") is expected


@pytest.mark.parametrize(
    "broken", [{}, {"accessControl": None}, {"accessControl": {PUBSUB: ["x"]}}, {"accessControl": []}]
)
def test_without_a_policy_nothing_is_allowed(broken: dict[str, object]) -> None:
    assert allowed(broken, PUBSUB, "PublishToTopic", "t") is False


def test_a_policy_of_one_service_says_nothing_about_another() -> None:
    assert allowed(configuration(PUBSUB, ["*"], ["*"]), MQTT_PROXY, "PublishToIoTCore", "t") is False
