"""The policies of roles, users and groups: inline ones, attachments of managed ones, permissions boundaries."""

from hedgerow.services.iam.entity_policies.holders import PolicyHolderOperations
from hedgerow.services.iam.entity_policies.model import MOST_ATTACHED
from hedgerow.services.iam.entity_policies.operations import (
    GroupPolicyOperations,
    RolePolicyOperations,
    UserPolicyOperations,
)
from hedgerow.services.iam.entity_policies.store import (
    AttachmentReader,
    BoundaryStore,
    EntityPolicyReader,
    EntityPolicyStore,
    Holders,
)

__all__ = [
    "MOST_ATTACHED",
    "AttachmentReader",
    "BoundaryStore",
    "EntityPolicyReader",
    "EntityPolicyStore",
    "GroupPolicyOperations",
    "Holders",
    "PolicyHolderOperations",
    "RolePolicyOperations",
    "UserPolicyOperations",
]
