"""What the console knows of a fleet: values that do not change."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Temporary credentials of one signed-in person. Kept in memory only."""

    account: str
    principal: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component that a core device reported."""

    name: str
    version: str
    state: str
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The latest of one telemetry value."""

    label: str
    value: float
    unit: str
    switch: bool = False  # 1 and 0 mean yes and no
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One thing. `online` is None until its connection was asked for; `changed_at` is when that last changed."""

    name: str
    type: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    online: bool | None = None
    changed_at: float | None = None
    groups: tuple[str, ...] = ()
    health: str = ""  # HEALTHY or UNHEALTHY for core devices
    components: tuple[Component, ...] = ()
    readings: Mapping[str, Reading] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate that is attached to a thing."""

    id: str
    status: str
    created_at: float | None
    not_before: float | None
    not_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployment that reached a core device."""

    name: str
    id: str
    status: str
    reason: str
    changed_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What a core device says of itself."""

    status: str
    version: str
    platform: str
    reported_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What only a device's own page shows."""

    principals: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    core: Core | None = None
    deployments: tuple[Deployment, ...] = ()
