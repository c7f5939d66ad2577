"""IoT policies: what certificates and things in groups may do."""

from hedgerow.services.iot.policies.authorization import AuthorizationTestOperations, Standing
from hedgerow.services.iot.policies.model import IotPolicy, PolicyVersion
from hedgerow.services.iot.policies.operations import PolicyAttachmentOperations, PolicyOperations
from hedgerow.services.iot.policies.store import EffectivePolicies, PolicyStore

__all__ = [
    "AuthorizationTestOperations",
    "EffectivePolicies",
    "IotPolicy",
    "PolicyAttachmentOperations",
    "PolicyOperations",
    "PolicyStore",
    "PolicyVersion",
    "Standing",
]
