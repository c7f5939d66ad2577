"""Managed policies and their versions; those of AWS are there from the start."""

from hedgerow.services.iam.policies.operations import PolicyOperations, PolicyVersionOperations
from hedgerow.services.iam.policies.store import ManagedPolicyReader

__all__ = ["ManagedPolicyReader", "PolicyOperations", "PolicyVersionOperations"]
