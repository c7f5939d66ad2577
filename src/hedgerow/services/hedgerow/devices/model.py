"""What is asked for when a device is made by one call, and what is remembered of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from hedgerow.core.request import Request

KEPT_S: Final = 86_400.0
"""How long a client token is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A device as the caller asks for it. Without a signing request the cloud makes the key."""

    thing: str
    policy: str
    signing_request: str | None = None
    type: str | None = None
    groups: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    shadow: Mapping[str, Any] | None = None  # the desired state
    components: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, request: Request, shadow: Mapping[str, Any] | None) -> "Wanted":
        """Read the members of a request; the shadow was read before."""
        return cls(
            thing=request["thingName"],
            policy=request["policyName"],
            signing_request=request.get("certificateSigningRequest"),
            type=request.get("thingTypeName"),
            groups=tuple(request.take_all("thingGroupNames") or ()),
            attributes=dict(request.take_all("attributes") or {}),
            shadow=shadow,
            components=request.take_all("components"),
        )

    def digest(self) -> str:
        """Answer what tells a repeated call from another one with the same token."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def template(self) -> str:
        """Answer the provisioning template of this device; the signing request is its one parameter."""
        thing: dict[str, Any] = {"ThingName": self.thing}
        if self.type is not None:
            thing["ThingTypeName"] = self.type
        if self.groups:
            thing["ThingGroups"] = list(self.groups)
        if self.attributes:
            thing["AttributePayload"] = dict(self.attributes)
        certificate = {"CertificateSigningRequest": {"Ref": "Request"}, "Status": "ACTIVE"}
        return json.dumps(
            {
                "Parameters": {"Request": {"Type": "String"}},
                "Resources": {
                    "thing": {"Type": "AWS::IoT::Thing", "Properties": thing},
                    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": certificate},
                    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": self.policy}},
                },
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOrder:
    """A call that was carried out, known by its token. `answer` holds no private key."""

    token: str
    digest: str
    certificate: str
    answer: Mapping[str, Any]
    at: float
