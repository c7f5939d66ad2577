"""The operations of iot-data that the gateway itself answers: operation → row."""

from hedgerow.api.operations import Also, Row, flow
from hedgerow.cloud.connections import ConnectionFlows

CLIENT = "arn:aws:iot:{region}:{account}:client/{clientId}"
TOPIC = "arn:aws:iot:{region}:{account}:topic/{topic}"
_RETAINING = Also("iot:RetainPublish", TOPIC, when="retain")


def rows(*, connections: ConnectionFlows) -> dict[str, Row]:
    """Answer the rows that the gateway adds to the service `iot-data`."""
    return {
        "Publish": flow(connections.publish, TOPIC, action="iot:Publish", also=(_RETAINING,)),
        "GetConnection": flow(connections.get_connection, CLIENT, action="iot:GetConnection"),
        "DeleteConnection": flow(connections.delete_connection, CLIENT, action="iot:DeleteConnection"),
        "ListSubscriptions": flow(connections.list_subscriptions, CLIENT, action="iot:ListSubscriptions"),
        "GetRetainedMessage": flow(connections.get_retained_message, TOPIC, action="iot:GetRetainedMessage"),
        "ListRetainedMessages": flow(connections.list_retained_messages, action="iot:ListRetainedMessages"),
    }
