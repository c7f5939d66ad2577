"""Functions on the message and on who sent it. Source: developer guide, "Functions"."""

from typing import Final

from hedgerow.core.rulesql.functions.table import Function, Scope
from hedgerow.core.rulesql.values import UNDEFINED, Undefined, Value, from_double, to_int


def _topic(scope: Scope, values: list[Value]) -> Value:
    if not values:
        return scope.message.topic
    levels = scope.message.topic.split("/")
    wanted = to_int(values[0])
    if isinstance(wanted, Undefined) or not 1 <= wanted <= len(levels):
        return UNDEFINED
    return levels[wanted - 1]


def _user_properties(scope: Scope, values: list[Value]) -> Value:
    found = scope.message.user_properties()
    if not values:
        pairs: list[Value] = [{name: value} for name, value in found]
        return pairs or UNDEFINED
    named: list[Value] = [value for name, value in found if name == values[0]]
    return named or UNDEFINED


CONTEXT: Final[dict[str, Function]] = {
    "accountid": Function(lambda scope, _: scope.message.account, 0, 0),
    "clientid": Function(lambda scope, _: scope.message.client_id or "n/a", 0, 0),
    "get_user_properties": Function(_user_properties, 0, 1),
    "newuuid": Function(lambda scope, _: scope.message.uuid(), 0, 0),
    "principal": Function(lambda scope, _: scope.message.principal or UNDEFINED, 0, 0),
    "rand": Function(lambda scope, _: from_double(scope.message.random()), 0, 0),
    "sourceip": Function(lambda scope, _: scope.message.source_ip or UNDEFINED, 0, 0),
    "sql_version": Function(lambda scope, _: scope.version, 0, 0),
    "timestamp": Function(lambda scope, _: scope.message.now_ms, 0, 0),
    "topic": Function(_topic, 0, 1),
    "traceid": Function(lambda scope, _: scope.message.trace_id or UNDEFINED, 0, 0),
}
