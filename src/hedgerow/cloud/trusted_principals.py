"""Who a trust policy names, by id: whoever gets the same name later is somebody else.

Accounts that are not of this cloud cannot be looked into: what is named of them is kept as it is.
"""

from collections.abc import Iterable

from hedgerow.core.arn import Arn, parse
from hedgerow.services.hedgerow.accounts import AccountReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iam.users import UserReader
from hedgerow.store import Tx


class TrustedPrincipals:
    """Implements the port `Principals` of roles."""

    def __init__(self, *, accounts: AccountReader, users: UserReader, roles: RoleReader) -> None:
        self._accounts = accounts
        self._users = users
        self._roles = roles

    def ids(self, tx: Tx, names: Iterable[str]) -> dict[str, str | None]:
        """Answer the ids of users, roles and sessions of roles by ARN; None for those who are not there."""
        found: dict[str, str | None] = {}
        for name in names:
            parsed = parse(name)
            if parsed is not None and parsed.service in ("iam", "sts") and self._accounts.exists(tx, parsed.account):
                found |= self._id(tx, name, parsed)
        return found

    def _id(self, tx: Tx, name: str, parsed: Arn) -> dict[str, str | None]:
        kind, _, rest = parsed.resource.partition("/")
        if (parsed.service, kind) == ("iam", "user"):
            user = self._users.find(tx, parsed.account, rest.rpartition("/")[2])
            return {name: user.id if user is not None and user.arn == name else None}
        if (parsed.service, kind) == ("iam", "role"):
            role = self._roles.by_arn(tx, parsed.account, name)
            return {name: None if role is None else role.id}
        if (parsed.service, kind) == ("sts", "assumed-role"):
            role = self._roles.find(tx, parsed.account, rest.partition("/")[0])
            return {name: None if role is None else role.id}
        return {} if parsed.resource == "root" or kind == "federated-user" else {name: None}
