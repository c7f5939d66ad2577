"""What a component may do over the local IPC: the `accessControl` of its configuration.

`{service: {policy id: {operations: […], resources: […]}}}`. A resource is a pattern: `*` stands for anything; for
topics `+` and `#` stand for what they do in MQTT as well; `${*}`, `${+}` … are the characters themselves.
Spec: Greengrass V2, "Authorize components to perform IPC operations".
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

PUBSUB: Final = "aws.greengrass.ipc.pubsub"
MQTT_PROXY: Final = "aws.greengrass.ipc.mqttproxy"
_TOPICAL: Final = frozenset({PUBSUB, MQTT_PROXY})
_ESCAPED: Final = re.compile(r"\$\{([*+#?$])\}")
_PREFIX: Final = "aws.greengrass#"


def allowed(configuration: Mapping[str, Any], service: str, operation: str, resource: str) -> bool:
    """Tell whether one of the policies for this service allows the operation on the resource."""
    control = configuration.get("accessControl")
    policies = control.get(service) if isinstance(control, Mapping) else None
    if not isinstance(policies, Mapping):
        return False
    return any(_allows(one, service, operation, resource) for one in policies.values() if isinstance(one, Mapping))


def _allows(policy: Mapping[str, Any], service: str, operation: str, resource: str) -> bool:
    operations = {str(one) for one in policy.get("operations") or ()}
    if not operations & {"*", operation, f"{_PREFIX}{operation}"}:
        return False
    patterns = [str(one) for one in policy.get("resources") or ()]
    return any(_pattern(pattern, service in _TOPICAL).fullmatch(resource) for pattern in patterns)


@lru_cache(maxsize=256)
def _pattern(resource: str, topical: bool) -> re.Pattern[str]:
    out, at = "", 0
    while at < len(resource):
        escaped = _ESCAPED.match(resource, at)
        if escaped is not None:
            out, at = out + re.escape(escaped[1]), escaped.end()
            continue
        if topical and resource[at:] == "/#":  # MQTT: `a/#` covers `a` as well
            return re.compile(f"{out}(/.*)?", re.DOTALL)
        out += _wild(resource[at], topical)
        at += 1
    return re.compile(out, re.DOTALL)


def _wild(character: str, topical: bool) -> str:
    if character == "*" or (topical and character == "#"):
        return ".*"
    if topical and character == "+":
        return "[^/]*"
    return re.escape(character)
