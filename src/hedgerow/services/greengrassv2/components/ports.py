"""What components need of the rest, filled in by `cloud`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hedgerow.core.caller import Caller
from hedgerow.store import Tx


class Rights(Protocol):
    """Whether the caller may do what the operation is, and what it does on their behalf."""

    async def demand_itself(self, caller: Caller, action: str, resource: str, *, tags: Mapping[str, str]) -> None:
        """Raise AccessDenied unless the caller may do what the request asks for, with these tags."""
        ...

    async def demand(self, caller: Caller, action: str, resource: str) -> None:
        """Raise AccessDenied unless the caller may."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Bytes that were put aside: what their keeper calls them, their SHA-256 (hex) and their size."""

    reference: str
    sha256: str
    size: int


class Artifacts(Protocol):
    """The keeper of artifacts. Keeping the same bytes twice is cheap and answers the same."""

    async def keep_object(self, account: str, bucket: str, key: str) -> Stored | None:
        """Put an S3 object's bytes aside, as they are now; None when the account has no such object."""
        ...

    async def keep_blob(self, account: str, digest: str, size: int) -> Stored:
        """Put the bytes of a blob of the account aside."""
        ...

    async def url(self, account: str, reference: str, size: int, file_name: str) -> str:
        """Answer a URL that serves the bytes for a while, with ranges, to whoever has it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaVersion:
    """A published version of a function."""

    arn: str  # with its number
    name: str
    version: str
    handler: str
    runtime: str
    description: str
    digest: str  # of the blob with its zip
    size: int
    environment: Mapping[str, str]


class LambdaVersions(Protocol):
    """The functions of an account."""

    def version(self, tx: Tx, account: str, arn: str) -> LambdaVersion | None:
        """Answer the version that a qualified ARN names, None when there is none."""
        ...
