"""A claim: what its bearer may do, for how long, from where, and for how many devices.

There are three kinds. A *registered* one is a certificate of the registry that an operator said is a claim (PutClaim).
A *temporary* one was made for a trusted user (CreateProvisioningClaim) and is in no registry. A certificate whose
policies let it connect and use the provisioning topics, and nothing else, is *implied* to be one, without limits, as
long as it speaks for no thing.
Whatever its policies say, a claim has the rights of `policy` at most.
Spec: AWS IoT fleet provisioning (claim certificates; claims of trusted users end after 5 minutes).
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from hedgerow.base.errors import HedgerowError
from hedgerow.core.arn import arn
from hedgerow.services.iot.claims.errors import InvalidClaim

TEMPORARY_S: Final = 300.0
MOST_TEMPLATES: Final = 20
MOST_NETWORKS: Final = 50

_ASKING: Final = ("$aws/certificates/create/*", "$aws/certificates/create-from-csr/*")
_TOPIC: Final = re.compile(r"arn:[^:]*:iot:[^:]*:[^:]*:(topic|topicfilter)/\$aws/(certificates/create|provisioning-)")
_SENDS: Final = frozenset({"iot:publish", "iot:receive"})


class ClaimRefused(HedgerowError):
    """The claim may not do this; the message says why."""


class Kind(Enum):
    """How a certificate became a claim."""

    REGISTERED = "REGISTERED"
    TEMPORARY = "TEMPORARY"
    IMPLIED = "IMPLIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim. None, and no networks, mean: no limit."""

    certificate_id: str
    kind: Kind
    templates: tuple[str, ...] | None = None
    devices: int | None = None
    used: int = 0
    not_before: float | None = None
    not_after: float | None = None
    networks: tuple[str, ...] = ()
    created_by: str | None = None
    created_at: float | None = None

    def objection(self, *, now: float, address: str | None) -> str | None:
        """Say why it may not be used now, from there; None when it may."""
        if self.not_before is not None and now < self.not_before:
            return f"the claim begins {_date(self.not_before)}"
        if self.not_after is not None and now > self.not_after:
            return f"the claim ended {_date(self.not_after)}"
        if self.networks and not _is_in(address, self.networks):
            return f"the claim may not be used from {address or 'an unknown address'}"
        return None

    def objection_to(self, template: str) -> str | None:
        """Say why it may not provision by this template; None when it may."""
        if self.templates is not None and template not in self.templates:
            return f"the claim is not for the template {template}"
        return None

    @property
    def used_up(self) -> bool:
        """Whether it has provisioned as many devices as it may."""
        return self.devices is not None and self.used >= self.devices

    def with_device(self) -> "Claim":
        """Answer it with one more device; raise ClaimRefused when that is one too many."""
        if self.used_up:
            raise ClaimRefused(f"the claim has provisioned {self.used} devices, which is the most")
        return replace(self, used=self.used + 1)

    def policy(self, region: str, account: str) -> str:
        """Answer the rights that it has at most, as a policy document."""
        provision = [f"$aws/provisioning-templates/{name}/provision/*" for name in self.templates or ("*",)]

        def own(kind: str) -> list[str]:
            return [arn("iot", region, account, f"{kind}/{topic}") for topic in (*_ASKING, *provision)]

        return json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    _allow(["iot:Connect"], [arn("iot", region, account, "client/*")]),
                    _allow(["iot:Publish", "iot:Receive"], own("topic")),
                    _allow(["iot:Subscribe"], own("topicfilter")),
                ],
            }
        )


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _is_in(address: str | None, networks: Iterable[str]) -> bool:
    try:
        there = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(there, "ipv4_mapped", None) or there
    return any(mapped in ipaddress.ip_network(network) for network in networks)


def checked_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """Answer the networks in one spelling; raise InvalidClaim for what is none."""
    found: list[str] = []
    for text in networks:
        try:
            found.append(str(ipaddress.ip_network(text)))
        except ValueError as error:
            raise InvalidClaim(f"networks: {text!r} is no network such as 192.0.2.0/24: {error}") from error
    return tuple(dict.fromkeys(found))


def is_implied(documents: Iterable[str]) -> bool:
    """Tell whether these policies, together, allow to be provisioned and nothing else."""
    kinds = {_kind_of(document) for document in documents}
    return _Kind.PROVISIONING in kinds and _Kind.MORE not in kinds


class _Kind(Enum):
    NOTHING = "nothing"  # but perhaps to connect
    PROVISIONING = "provisioning"
    MORE = "more"


@lru_cache(maxsize=4096)
def _kind_of(document: str) -> _Kind:
    found = _Kind.NOTHING
    for statement in _list(json.loads(document).get("Statement")):
        if not isinstance(statement, Mapping) or statement.get("Effect") != "Allow":
            continue
        if "Action" not in statement or "Resource" not in statement:
            return _Kind.MORE
        for action in _list(statement["Action"]):
            kind = _kind_of_action(str(action).lower(), [str(one) for one in _list(statement["Resource"])])
            if kind is _Kind.MORE:
                return kind
            found = _Kind.PROVISIONING if kind is _Kind.PROVISIONING else found
    return found


def _kind_of_action(action: str, resources: list[str]) -> _Kind:
    if action == "iot:connect":
        return _Kind.NOTHING
    wanted = "topic" if action in _SENDS else "topicfilter" if action == "iot:subscribe" else None
    for resource in resources:
        named = _TOPIC.match(resource)
        if named is None or named[1] != wanted:
            return _Kind.MORE
    return _Kind.PROVISIONING if action == "iot:publish" else _Kind.NOTHING


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
