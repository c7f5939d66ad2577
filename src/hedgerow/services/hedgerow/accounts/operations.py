"""The operations of accounts."""

from typing import Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.paging import InvalidToken, Pager
from hedgerow.core.request import Request
from hedgerow.services.hedgerow.accounts.errors import (
    AccountExists,
    FirstAccountOnly,
    InvalidAccount,
    InvalidNextToken,
)
from hedgerow.services.hedgerow.accounts.model import Account, account_id, is_account_id
from hedgerow.services.hedgerow.accounts.store import AccountStore
from hedgerow.store import Answer, Tx

_PAGE: Final = 100
_SCOPE: Final = "ListAccounts"


class Key(Protocol):
    """A key that was just made."""

    @property
    def id(self) -> str: ...

    @property
    def secret(self) -> str: ...


class RootKeys(Protocol):
    """Makes access keys of accounts themselves."""

    def create(self, tx: Tx, account: str) -> Key:
        """Make a key that stands for everything in the account."""
        ...


class AccountOperations:
    """Accounts: only the root of the first one sees and makes them."""

    def __init__(self, *, ids: Ids, pager: Pager, root_keys: RootKeys) -> None:
        self._ids = ids
        self._pager = pager
        self._root_keys = root_keys

    def create_account(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._only_first(tx, caller)
        return Answer(self._create(tx, request.get("accountId"), first=False))

    def list_accounts(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._only_first(tx, caller)
        size = request.get("maxResults") or _PAGE
        try:
            after = self._pager.position(_SCOPE, request.get("nextToken")) or ""
        except InvalidToken as error:
            raise InvalidNextToken from error
        found = AccountStore(tx).list(after, size + 1)
        shown = [{"accountId": account.id, "createdAt": account.created_at} for account in found[:size]]
        more = {"nextToken": self._pager.token(_SCOPE, found[size - 1].id)} if len(found) > size else {}
        return Answer({"accounts": shown, **more})

    def ensure_first(self, tx: Tx, account: str | None) -> Answer:
        """Make the cloud's first account unless there is one; answers what CreateAccount answers, or {}.

        For the first start only; the secret is not kept in the clear, so whoever asks must write it down.
        Raises InvalidAccount when the id is none.
        """
        if AccountStore(tx).first() is not None:
            return Answer()
        return Answer(self._create(tx, account, first=True))

    def _create(self, tx: Tx, wanted: str | None, *, first: bool) -> dict[str, str]:
        store = AccountStore(tx)
        if wanted is not None and not is_account_id(wanted):
            raise InvalidAccount(wanted)
        account = account_id(self._ids.hex(16)) if wanted is None else wanted
        if store.get(account) is not None:
            raise AccountExists(account)
        store.add(Account(id=account, first=first, created_at=tx.now))
        key = self._root_keys.create(tx, account)
        return {"accountId": account, "accessKeyId": key.id, "secretAccessKey": key.secret}

    def _only_first(self, tx: Tx, caller: Caller) -> None:
        first = AccountStore(tx).first()
        if caller.kind is not Kind.ROOT or first is None or first.id != caller.account:
            raise FirstAccountOnly
