"""The operations of account aliases. An account has one: a new one takes the place of the old one.

Source: IAM API reference, CreateAccountAlias; IAM user guide, "Using an alias for your AWS account ID".
"""

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iam.account_aliases.errors import AliasNotFound, AliasTaken
from hedgerow.services.iam.account_aliases.store import AliasStore
from hedgerow.services.iam.pages import Pages
from hedgerow.store import Answer, Tx


class AccountAliasOperations:
    """The alias of the caller's account."""

    def __init__(self, *, pages: Pages) -> None:
        self._pages = pages

    def create_account_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, alias = AliasStore(tx, caller.account), request["AccountAlias"]
        if store.is_taken(alias):
            raise AliasTaken(alias)
        store.put(alias)
        return Answer()

    def delete_account_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, alias = AliasStore(tx, caller.account), request["AccountAlias"]
        if store.get() != alias:
            raise AliasNotFound(alias)
        store.forget()
        return Answer()

    def list_account_aliases(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        alias = AliasStore(tx, caller.account).get()
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListAccountAliases",
                name="AccountAliases",
                items=() if alias is None else (alias,),
                key=str,
                show=str,
            )
        )
