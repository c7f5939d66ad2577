"""Custom authorizers: functions that let clients in."""

from hedgerow.services.iot.authorizers.asking import CustomAuthentication, Invoker, LetIn
from hedgerow.services.iot.authorizers.attempts import Attempt
from hedgerow.services.iot.authorizers.errors import NotLetIn
from hedgerow.services.iot.authorizers.flows import AuthorizerFlows
from hedgerow.services.iot.authorizers.operations import AuthorizerOperations
from hedgerow.services.iot.authorizers.store import AuthorizerStore

__all__ = [
    "Attempt",
    "AuthorizerFlows",
    "AuthorizerOperations",
    "AuthorizerStore",
    "CustomAuthentication",
    "Invoker",
    "LetIn",
    "NotLetIn",
]
