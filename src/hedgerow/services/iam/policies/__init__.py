"""Managed policies and their versions; those of AWS are there from the start."""

from hedgerow.services.iam.policies.model import MOST_VERSIONS
from hedgerow.services.iam.policies.operations import PolicyOperations, PolicyVersionOperations
from hedgerow.services.iam.policies.store import ManagedPolicyReader

__all__ = ["MOST_VERSIONS", "ManagedPolicyReader", "PolicyOperations", "PolicyVersionOperations"]
