"""The policies of roles and users: inline ones, and the attachments of managed ones."""

from hedgerow.services.iam.entity_policies.operations import RolePolicyOperations, UserPolicyOperations
from hedgerow.services.iam.entity_policies.store import AttachmentReader, EntityPolicyReader

__all__ = ["AttachmentReader", "EntityPolicyReader", "RolePolicyOperations", "UserPolicyOperations"]
