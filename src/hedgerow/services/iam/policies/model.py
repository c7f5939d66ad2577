"""A managed policy: a name under a path, with up to five versions, one of them the default."""

from dataclasses import dataclass
from typing import Final

from hedgerow.core.arn import arn

MOST_VERSIONS: Final = 5
AWS_ACCOUNT: Final = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One managed policy; its documents are the versions."""

    account: str  # `aws` for those that are the same for everyone
    name: str
    path: str
    id: str
    description: str | None
    tags: dict[str, str]
    default_version: int
    created_at: float
    updated_at: float

    @property
    def arn(self) -> str:
        return arn("iam", "", self.account, f"policy{self.path}{self.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a policy's document."""

    number: int
    document: str
    created_at: float

    @property
    def id(self) -> str:
        return f"v{self.number}"


def version_number(text: str) -> int | None:
    """Answer the number of `v3`, None for what is no version id."""
    digits = text.removeprefix("v")
    return int(digits) if text.startswith("v") and digits.isascii() and digits.isdigit() else None
