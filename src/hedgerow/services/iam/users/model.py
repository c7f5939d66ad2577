"""A user of an account."""

from dataclasses import dataclass

from hedgerow.core.arn import arn


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user."""

    account: str
    name: str
    path: str
    id: str
    tags: dict[str, str]
    created_at: float

    @property
    def arn(self) -> str:
        return arn("iam", "", self.account, f"user{self.path}{self.name}")
