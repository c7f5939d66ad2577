"""What follows a user that is called otherwise: policies, groups, keys, sessions, and the trust that roles put in it.

As in AWS, policies that name the user as a resource stay as they are, and so do those that look at `aws:username`.
"""

from hedgerow.services.iam.access_keys import AccessKeyReader
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.entity_policies import AttachmentReader
from hedgerow.services.iam.groups import GroupReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iam.users import User
from hedgerow.services.sts.sessions import UserSessions
from hedgerow.store import Tx


class UserRenames:
    """Implements the port `Renames` of users."""

    def __init__(
        self, *, policies: AttachmentReader, groups: GroupReader, access_keys: AccessKeyReader, roles: RoleReader
    ) -> None:
        self._policies = policies
        self._groups = groups
        self._access_keys = access_keys
        self._roles = roles
        self._sessions = UserSessions()

    def renamed(self, tx: Tx, old: User, new: User) -> None:
        """Let everything follow; the id is what stays."""
        if new.name != old.name:
            self._policies.rename(tx, old.account, Kind.USER, old.name, new.name)
            self._groups.rename_user(tx, old.account, old.name, new.name)
            self._access_keys.rename_user(tx, old.account, old.name, new.name)
        self._sessions.rename_user(tx, old.account, old.name, new=new.name, arn=new.arn)
        self._roles.rename_principal(tx, old.id, old=old.arn, new=new.arn)
