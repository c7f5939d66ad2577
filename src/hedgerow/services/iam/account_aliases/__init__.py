"""The alias of an account: a name that people know it by."""

from hedgerow.services.iam.account_aliases.operations import AccountAliasOperations

__all__ = ["AccountAliasOperations"]
