"""The operations of iot-data that the gateway itself answers: operation → row."""

from typing import Final

from hedgerow.api.operations import Also, Row, flow
from hedgerow.cloud.connections import ConnectionFlows
from hedgerow.cloud.messages import PublishingFlows

CLIENT = "arn:aws:iot:{region}:{account}:client/{clientId}"
TOPIC = "arn:aws:iot:{region}:{account}:topic/{topic}"
_WITH_SOCKET: Final = {"iot:IncludeSocketInformation": "includeSocketInformation|=false"}
_RETAINING = Also("iot:RetainPublish", TOPIC, when="retain")


def rows(*, connections: ConnectionFlows, publishing: PublishingFlows) -> dict[str, Row]:
    """Answer the rows that the gateway adds to the service `iot-data`."""
    return {
        "Publish": flow(publishing.publish, TOPIC, action="iot:Publish", also=(_RETAINING,)),
        "SendDirectMessage": flow(
            publishing.send_direct_message, CLIENT, action="iot:SendDirectMessage", conditions={"iot:Topic": "topic"}
        ),
        "GetConnection": flow(connections.get_connection, CLIENT, action="iot:GetConnection", conditions=_WITH_SOCKET),
        "DeleteConnection": flow(connections.delete_connection, CLIENT, action="iot:DeleteConnection"),
        "ListSubscriptions": flow(connections.list_subscriptions, CLIENT, action="iot:ListSubscriptions"),
        "GetRetainedMessage": flow(connections.get_retained_message, TOPIC, action="iot:GetRetainedMessage"),
        "ListRetainedMessages": flow(connections.list_retained_messages, action="iot:ListRetainedMessages"),
    }
