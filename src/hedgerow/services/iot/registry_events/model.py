"""The kinds of registry events, and which of them an account has switched on.

Everything is off until it is switched on. Events of connections and of certificates that register themselves are always
sent, as AWS sends them whatever CERTIFICATE and CA_CERTIFICATE say: those two are kept and change nothing. For policies
AWS documents no event, so POLICY cannot be switched on.
Spec: AWS IoT developer guide, "Event messages"; UpdateEventConfigurations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from hedgerow.base.errors import NotImplementedYet
from hedgerow.services.iot.errors import InvalidRequest


class Kind(Enum):
    """What can be switched on, by the names of the API."""

    THING = "THING"
    THING_GROUP = "THING_GROUP"
    THING_TYPE = "THING_TYPE"
    THING_GROUP_MEMBERSHIP = "THING_GROUP_MEMBERSHIP"
    THING_GROUP_HIERARCHY = "THING_GROUP_HIERARCHY"
    THING_TYPE_ASSOCIATION = "THING_TYPE_ASSOCIATION"
    JOB = "JOB"
    JOB_EXECUTION = "JOB_EXECUTION"
    POLICY = "POLICY"
    CERTIFICATE = "CERTIFICATE"
    CA_CERTIFICATE = "CA_CERTIFICATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What an account has switched on, and since when it has a say in it."""

    enabled: frozenset[Kind] = frozenset()
    created_at: float | None = None
    modified_at: float | None = None

    def changed(self, wanted: Mapping[str, bool], now: float) -> "Configuration":
        """Answer it with these switched on or off and the others as they were; raise for what cannot be."""
        enabled = set(self.enabled)
        for name, on in wanted.items():
            (enabled.add if on else enabled.discard)(_kind(name))
        if Kind.POLICY in enabled:
            raise NotImplementedYet(
                "eventConfigurations.POLICY: there are no events of policies; leave it switched off"
            )
        created_at = now if self.created_at is None else self.created_at
        return replace(self, enabled=frozenset(enabled), created_at=created_at, modified_at=now)


def _kind(name: str) -> Kind:
    try:
        return Kind(name)
    except ValueError as error:
        raise InvalidRequest(f"eventConfigurations: there is no kind {name[:64]}") from error
