"""What a role, user or group holds: named inline documents, and ARNs of managed policies."""

from dataclasses import dataclass
from typing import Final

from hedgerow.services.iam.documents import GROUP_INLINE_SIZE, ROLE_INLINE_SIZE, USER_INLINE_SIZE
from hedgerow.services.iam.entities import Kind

MOST_ATTACHED: Final = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the inline policies may be together, and how the quotas are called."""

    inline_size: int
    attached_quota: str


LIMITS: Final = {
    Kind.ROLE: Limits(ROLE_INLINE_SIZE, "PoliciesPerRole"),
    Kind.USER: Limits(USER_INLINE_SIZE, "PoliciesPerUser"),
    Kind.GROUP: Limits(GROUP_INLINE_SIZE, "PoliciesPerGroup"),
}
