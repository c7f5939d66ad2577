"""Long-lived access keys of users and of an account's root."""

from hedgerow.services.iam.access_keys.model import AccessKey, NewKey
from hedgerow.services.iam.access_keys.operations import AccessKeyOperations
from hedgerow.services.iam.access_keys.store import AccessKeyReader, RootKeys

__all__ = ["AccessKey", "AccessKeyOperations", "AccessKeyReader", "NewKey", "RootKeys"]
