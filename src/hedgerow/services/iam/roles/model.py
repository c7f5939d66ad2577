"""A role: who may assume it (its trust policy) and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hedgerow.core.arn import arn

DEFAULT_SESSION_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role."""

    account: str
    name: str
    path: str
    id: str
    trust: str  # the trust policy, JSON text
    description: str | None
    max_session_s: int
    tags: dict[str, str]
    created_at: float
    principal_ids: Mapping[str, str] = field(default_factory=dict)  # of those whom the trust policy names by ARN

    @property
    def arn(self) -> str:
        return arn("iam", "", self.account, f"role{self.path}{self.name}")
