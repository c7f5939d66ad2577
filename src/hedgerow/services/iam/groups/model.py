"""A group of users."""

from dataclasses import dataclass
from typing import Final

from hedgerow.core.arn import arn

GROUPS_OF_A_USER: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group."""

    account: str
    name: str
    path: str
    id: str
    created_at: float

    @property
    def arn(self) -> str:
        return arn("iam", "", self.account, f"group{self.path}{self.name}")
