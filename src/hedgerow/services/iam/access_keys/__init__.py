"""Long-lived access keys of users and of an account's root."""

from hedgerow.services.iam.access_keys.flows import AccessKeyFlows, KeyUses
from hedgerow.services.iam.access_keys.model import MOST_KEYS, AccessKey, NewKey
from hedgerow.services.iam.access_keys.operations import AccessKeyOperations
from hedgerow.services.iam.access_keys.store import AccessKeyReader, RootKeys

__all__ = [
    "MOST_KEYS",
    "AccessKey",
    "AccessKeyFlows",
    "AccessKeyOperations",
    "AccessKeyReader",
    "KeyUses",
    "NewKey",
    "RootKeys",
]
