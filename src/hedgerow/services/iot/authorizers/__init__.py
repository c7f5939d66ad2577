"""Custom authorizers: functions that let clients in. No listener asks them yet."""

from hedgerow.services.iot.authorizers.flows import AuthorizerFlows
from hedgerow.services.iot.authorizers.operations import AuthorizerOperations
from hedgerow.services.iot.authorizers.store import AuthorizerStore

__all__ = ["AuthorizerFlows", "AuthorizerOperations", "AuthorizerStore"]
