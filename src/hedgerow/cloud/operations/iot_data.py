"""The rows of `iot-data` and of the shadow topics. What the gateway answers (Publish …) is entered by `cloud.build`."""

from collections.abc import Callable

from hedgerow.api.operations import Row, read, write
from hedgerow.cloud.rows import TopicRow
from hedgerow.services.iot.shadows import ShadowFollowUps, ShadowOperations, ShadowTopics
from hedgerow.store import Answer, FollowUp, Tx

_THING = "arn:aws:iot:{region}:{account}:thing/{thingName}"
_SHADOW = _THING + "{/shadowName}"


def rows(*, shadows: ShadowOperations) -> dict[str, Row]:
    """Answer the shadow operations of iot-data."""
    return {
        "GetThingShadow": read(shadows.get_thing_shadow, _SHADOW, action="iot:GetThingShadow"),
        "UpdateThingShadow": write(shadows.update_thing_shadow, _SHADOW, action="iot:UpdateThingShadow"),
        "DeleteThingShadow": write(shadows.delete_thing_shadow, _SHADOW, action="iot:DeleteThingShadow"),
        "ListNamedShadowsForThing": read(
            shadows.list_named_shadows_for_thing, _THING, action="iot:ListNamedShadowsForThing"
        ),
    }


def topic_rows(*, shadows: ShadowTopics) -> list[TopicRow]:
    """Answer the rows of the shadow topics, classic and named."""
    prefixes = ("$aws/things/+/shadow", "$aws/things/+/shadow/name/+")
    methods = {"get": shadows.get, "update": shadows.update, "delete": shadows.delete}
    return [
        TopicRow(f"{prefix}/{what}", operation=method, too_many=shadows.too_many)
        for prefix in prefixes
        for what, method in methods.items()
    ]


def follow_up_rows(*, shadows: ShadowFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer what happens to shadows later."""
    return {"shadow-tombstone": shadows.on_tombstone}
