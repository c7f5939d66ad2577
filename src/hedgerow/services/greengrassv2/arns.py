"""The ARNs of Greengrass V2: components, their versions, deployments, core devices, configurations."""

from dataclasses import dataclass

from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import Caller
from hedgerow.services.greengrassv2.errors import ValidationFailed

PUBLIC = "aws"
"""In place of the account in the ARN of a public component."""


@dataclass(frozen=True, slots=True)
class ComponentName:
    """A component, or one version of it, as its ARN names it."""

    owner: str  # an account, or PUBLIC
    name: str
    version: str | None = None

    def arn(self, region: str) -> str:
        tail = "" if self.version is None else f":versions:{self.version}"
        return arn("greengrass", region, self.owner, f"components:{self.name}{tail}")


def component(text: str, caller: Caller, *, versioned: bool) -> ComponentName:
    """Read a component's ARN, of the caller's account or public; raise ValidationFailed for any other text."""
    parts = parse(text)
    fields = parts.resource.split(":") if parts is not None else []
    wanted = 4 if versioned else 2
    if parts is None or parts.service != "greengrass" or len(fields) != wanted or fields[0] != "components":
        raise ValidationFailed(f"{text} is not the ARN of a component{' version' if versioned else ''}.", field="arn")
    if parts.region != caller.region or parts.account not in (caller.account, PUBLIC):
        raise ValidationFailed(f"{text} is not of account {caller.account} in {caller.region}.", field="arn")
    return ComponentName(parts.account, fields[1], fields[3] if versioned else None)


def core_device(caller: Caller, thing: str) -> str:
    return arn("greengrass", caller.region, caller.account, f"coreDevices:{thing}")
