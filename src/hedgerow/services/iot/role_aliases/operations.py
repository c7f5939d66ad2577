"""The operations on role aliases.

The role must be one of this account that exists; whether it trusts the credential provider is looked at when
credentials are asked for; iam:PassRole is asked by the table's row.
Spec: AWS IoT CreateRoleAlias …; a duration of 900 to 43,200 s, 3,600 by default.
"""

from typing import Protocol

from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.role_aliases.errors import (
    RoleAliasExists,
    RoleAliasNotFound,
    RoleUnusable,
    TooManyRoleAliases,
)
from hedgerow.services.iot.role_aliases.model import (
    DEFAULT_DURATION_S,
    MOST,
    RoleAlias,
    checked_duration,
    checked_name,
)
from hedgerow.services.iot.role_aliases.store import RoleAliasStore
from hedgerow.store import Answer, Tx


class Roles(Protocol):
    """What role aliases need of IAM."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> object | None:
        """Answer the account's role with this ARN, or None."""
        ...


class RoleAliasOperations:
    """The operations on role aliases."""

    def __init__(self, *, role_aliases: RoleAliasStore, roles: Roles, pages: Pages) -> None:
        self._aliases = role_aliases
        self._roles = roles
        self._pages = pages

    def create_role_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = checked_name(request["roleAlias"])
        role = self._usable(tx, caller, request["roleArn"])
        duration = checked_duration(request.get("credentialDurationSeconds") or DEFAULT_DURATION_S)
        if self._aliases.get(tx, caller.account, name) is not None:
            raise RoleAliasExists(name, alias_arn=_arn(caller, name))
        if self._aliases.count(tx, caller.account) >= MOST:
            raise TooManyRoleAliases(MOST)
        alias = RoleAlias(name=name, role_arn=role, duration_s=duration, created_at=tx.now, updated_at=tx.now)
        self._aliases.add(tx, caller.account, alias)
        return Answer({"roleAlias": name, "roleAliasArn": _arn(caller, name)})

    def describe_role_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        alias = self._get(tx, caller, request["roleAlias"])
        return Answer(
            {
                "roleAliasDescription": {
                    "roleAlias": alias.name,
                    "roleAliasArn": _arn(caller, alias.name),
                    "roleArn": alias.role_arn,
                    "owner": caller.account,
                    "credentialDurationSeconds": alias.duration_s,
                    "creationDate": alias.created_at,
                    "lastModifiedDate": alias.updated_at,
                }
            }
        )

    def list_role_aliases(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending = bool(request.get("ascendingOrder"))
        page = self._pages.by_marker(request, caller, "ListRoleAliases", ascending=ascending)
        found = self._aliases.list(tx, caller.account, after=page.position, limit=page.limit, ascending=ascending)
        return Answer(page.answer("roleAliases", found, key=lambda a: (a.created_at, a.name), show=lambda a: a.name))

    def update_role_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        alias = self._get(tx, caller, request["roleAlias"])
        role = request.get("roleArn")
        changed = alias.changed(
            role_arn=None if role is None else self._usable(tx, caller, role),
            duration_s=request.get("credentialDurationSeconds"),
            now=tx.now,
        )
        self._aliases.put(tx, caller.account, changed)
        return Answer({"roleAlias": alias.name, "roleAliasArn": _arn(caller, alias.name)})

    def delete_role_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        alias = self._get(tx, caller, request["roleAlias"])
        self._aliases.remove(tx, caller.account, alias.name)
        return Answer({})

    def _get(self, tx: Tx, caller: Caller, name: str) -> RoleAlias:
        alias = self._aliases.get(tx, caller.account, name)
        if alias is None:
            raise RoleAliasNotFound(name)
        return alias

    def _usable(self, tx: Tx, caller: Caller, role_arn: str) -> str:
        parts = parse(role_arn)
        if parts is None or parts.service != "iam" or not parts.resource.startswith("role/"):
            raise RoleUnusable(f"{role_arn} is not the ARN of a role")
        if parts.account != caller.account or self._roles.by_arn(tx, caller.account, role_arn) is None:
            raise RoleUnusable(f"Role {role_arn} does not exist in account {caller.account}")
        return role_arn


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, f"rolealias/{name}")
