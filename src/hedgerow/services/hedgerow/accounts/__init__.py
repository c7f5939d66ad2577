"""Accounts of this cloud. They share nothing."""

from hedgerow.services.hedgerow.accounts.operations import AccountOperations
from hedgerow.services.hedgerow.accounts.store import AccountReader

__all__ = ["AccountOperations", "AccountReader"]
