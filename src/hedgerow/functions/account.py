"""The account that functions run under: who `user[:group]` is on this machine."""

import grp
import os
import pwd

from hedgerow.base.errors import Unusable


def user_and_group(text: str, *, setting: str = "runWithDefault.posixUser") -> tuple[int, int] | None:
    """Answer uid and gid of `user[:group]` (names or numbers); None when we are not root and cannot change either.

    Raise Unusable when this machine has no such user or group.
    """
    if not text or os.geteuid() != 0:
        return None
    user, _, group = text.partition(":")
    try:
        uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
        if not group:
            return uid, pwd.getpwuid(uid).pw_gid
        return uid, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise Unusable(f"{setting} {text!r}: this machine has no such user or group") from error
