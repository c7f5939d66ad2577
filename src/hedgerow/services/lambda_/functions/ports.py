"""What functions need of the rest, filled in by `cloud`."""

from dataclasses import dataclass
from typing import Any, Protocol

from hedgerow.services.lambda_.functions.model import Named, Version
from hedgerow.store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """What an invocation answered. With `error` set, `payload` is the JSON error body."""

    payload: bytes
    request_id: str
    version: str
    error: str | None = None
    error_type: str = ""
    log_tail: bytes = b""
    duration_s: float = 0.0


class Workers(Protocol):
    """Where functions run."""

    async def check_package(self, data: bytes) -> str | None:
        """Look through a zip; answer what is wrong with it, or None."""
        ...

    async def refusal(self, runtime: str) -> str:
        """Say why this host cannot run a runtime ("" when it can)."""
        ...

    async def invoke(
        self, version: Version, payload: bytes, *, request_id: str, invoked_arn: str, client_context: bytes | None
    ) -> Invoked:
        """Run one version once. Raises Throttled, NotRunnable, ServiceFailed; errors of the function are answered."""
        ...


class Aliases(Protocol):
    """The names that stand for versions."""

    def resolve(self, tx: Tx, account: str, name: str, alias: str, *, chance: float) -> str | None:
        """Answer the version that an alias stands for; with weights, `chance` (0 to 1) decides which."""
        ...


class Dependent(Protocol):
    """What goes with a function: its aliases, its permissions."""

    def in_the_way(self, tx: Tx, account: str, name: str, version: str) -> str | None:
        """Say what keeps a version from being deleted, or None."""
        ...

    def forget(self, tx: Tx, account: str, name: str, qualifier: str) -> None:
        """Delete what belongs to a deleted function ("") or qualifier."""
        ...


class Permissions(Protocol):
    """Who may invoke a function besides its account."""

    def permits(self, tx: Tx, named: Named, *, service: str, source_arn: str | None) -> bool:
        """Tell whether the function's policy lets a service (`iot.amazonaws.com`) invoke it on behalf of a resource."""
        ...


class Roles(Protocol):
    """Which roles functions may have."""

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        """Tell whether the account has this role and it trusts the service (`lambda.amazonaws.com`) for the source."""
        ...


class Blobs(Protocol):
    """Where packages are kept."""

    async def put(self, account: str, data: bytes) -> Any:
        """Store data durably; answers something with `digest` (SHA-256, hex) and `size`."""
        ...


class Objects(Protocol):
    """Packages that were uploaded to S3 before."""

    async def read(self, account: str, bucket: str, key: str) -> bytes | None:
        """Answer an object of the account, None when there is none."""
        ...


class Links(Protocol):
    """Where callers fetch a function's package."""

    async def code_url(self, version: Version) -> str:
        """Answer a URL that works for ten minutes without further credentials."""
        ...
