"""A role: who may assume it (its trust policy) and for how long."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

    def trusting(self, old: str, new: str) -> "Role":
        """Answer the role whose trust policy names a principal by another ARN; it is the same principal."""
        document = json.loads(self.trust)
        statements = document["Statement"]
        for statement in [statements] if isinstance(statements, dict) else statements:
            for element in ("Principal", "NotPrincipal"):
                named = statement.get(element)
                if isinstance(named, dict) and "AWS" in named:
                    named["AWS"] = _replaced(named["AWS"], old, new)
        ids = {new if name == old else name: identifier for name, identifier in self.principal_ids.items()}
        return replace(self, trust=json.dumps(document), principal_ids=ids)


def _replaced(names: str | list[str], old: str, new: str) -> str | list[str]:
    if isinstance(names, str):
        return new if names == old else names
    return [new if name == old else name for name in names]
