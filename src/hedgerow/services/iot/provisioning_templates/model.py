"""A provisioning template in the registry: versions of a body, one of them the default, a role and maybe a hook.

What a body means is `core/template`'s business.
Spec: at most 5 versions, whose numbers grow and are never used again; the type never changes. One of type JITP hangs on
CA certificates, has no hook, and cannot be deleted while it does.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.provisioning_templates.errors import InvalidHook

NAME: Final = re.compile(r"[0-9A-Za-z_-]{1,36}")
VERSIONS: Final = 5
MOST: Final = 256
HOOK_VERSION: Final = "2020-04-01"
FLEET: Final = "FLEET_PROVISIONING"
JUST_IN_TIME: Final = "JITP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A function that is asked before a device is provisioned."""

    function_arn: str
    payload_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningTemplate:
    """One template. Only an enabled one provisions devices, with its default version."""

    name: str
    description: str | None
    enabled: bool
    role_arn: str
    hook: Hook | None
    default_version: int
    last_version: int
    created_at: float
    updated_at: float
    type: str = FLEET  # never changes

    @property
    def just_in_time(self) -> bool:
        """Whether it is for devices that connect with a certificate of a registered CA."""
        return self.type == JUST_IN_TIME

    def with_version(self, *, default: bool, now: float) -> "ProvisioningTemplate":
        """Answer it with one version more."""
        number = self.last_version + 1
        kept = number if default else self.default_version
        return replace(self, last_version=number, default_version=kept, updated_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One version of a template's body."""

    template: str
    number: int
    body: str
    created_at: float


def checked_name(name: str) -> str:
    """Answer the name; raise InvalidRequest when it is none."""
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(f"templateName {name!r} must be 1 to 36 characters of 0-9 A-Z a-z _ -")
    return name


def checked_hook(function_arn: str, payload_version: str | None) -> Hook:
    """Answer the hook; raise InvalidHook when its version is not known."""
    version = payload_version or HOOK_VERSION
    if version != HOOK_VERSION:
        raise InvalidHook(
            f"The hook version cannot be supported by AWS Iot, the supported versions are: [{HOOK_VERSION}]"
        )
    return Hook(function_arn=function_arn, payload_version=version)
