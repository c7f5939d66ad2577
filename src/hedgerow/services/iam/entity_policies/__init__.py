"""The policies of roles, users and groups: inline ones, attachments of managed ones, permissions boundaries."""

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
)

__all__ = [
    "AttachmentReader",
    "BoundaryStore",
    "EntityPolicyReader",
    "EntityPolicyStore",
    "GroupPolicyOperations",
    "RolePolicyOperations",
    "UserPolicyOperations",
]
