"""Names that stand for versions of functions."""

from hedgerow.services.lambda_.aliases.operations import AliasOperations, FunctionNames
from hedgerow.services.lambda_.aliases.store import AliasStore

__all__ = ["AliasOperations", "AliasStore", "FunctionNames"]
