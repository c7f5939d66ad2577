"""IAM, STS and accounts on a store in memory, joined as the cloud joins them."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from hedgerow.cloud.renaming import UserRenames
from hedgerow.cloud.standing import Standings
from hedgerow.cloud.trusted_principals import TrustedPrincipals
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.paging import Pager
from hedgerow.services.hedgerow.accounts import AccountOperations, AccountReader
from hedgerow.services.iam.access_keys import AccessKeyOperations, AccessKeyReader, RootKeys
from hedgerow.services.iam.entity_policies import (
    AttachmentReader,
    EntityPolicyReader,
    GroupPolicyOperations,
    RolePolicyOperations,
    UserPolicyOperations,
)
from hedgerow.services.iam.groups import GroupOperations, GroupReader
from hedgerow.services.iam.pages import Pages
from hedgerow.services.iam.policies import ManagedPolicyReader, PolicyOperations, PolicyVersionOperations
from hedgerow.services.iam.roles import RoleOperations, RoleReader
from hedgerow.services.iam.simulation import SimulationOperations
from hedgerow.services.iam.users import UserOperations, UserReader
from hedgerow.services.sts.sessions import RoleSessionOperations, SessionMint, SessionOperations, SessionReader
from tests.support.clock import FakeIds
from tests.support.store import CALLER, MemoryStore


class FakeVault:
    """Turns values round, and fails when the context is another."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        return b"sealed " + context.encode() + b"|" + plain[::-1]

    def open(self, sealed: bytes, *, context: str) -> bytes:
        head, _, body = sealed.partition(b"|")
        assert head == b"sealed " + context.encode()
        return body[::-1]


class Iam:
    """Everything about identities, for tests."""

    def __init__(self) -> None:
        ids, vault, pages = FakeIds(), FakeVault(), Pages(Pager(b"k" * 32))
        self.store = MemoryStore()
        self.run = self.store.run
        self.managed = ManagedPolicyReader()
        self.attachments = AttachmentReader(managed=self.managed)
        self.group_reader = GroupReader()
        self.documents = EntityPolicyReader(managed=self.managed, groups=self.group_reader)
        self.role_reader, self.user_reader = RoleReader(), UserReader()
        self.key_reader = AccessKeyReader(vault=vault)
        self.session_reader = SessionReader(vault=vault)
        self.mint = SessionMint(ids=ids, vault=vault)
        self.policies = PolicyOperations(ids=ids, pages=pages, attachments=self.attachments)
        self.versions = PolicyVersionOperations(pages=pages)
        self.roles = RoleOperations(
            ids=ids,
            pages=pages,
            policies=self.attachments,
            principals=TrustedPrincipals(accounts=AccountReader(), users=self.user_reader, roles=self.role_reader),
        )
        self.users = UserOperations(
            ids=ids,
            pages=pages,
            policies=self.attachments,
            access_keys=self.key_reader,
            groups=self.group_reader,
            renames=UserRenames(
                policies=self.attachments,
                groups=self.group_reader,
                access_keys=self.key_reader,
                roles=self.role_reader,
            ),
        )
        self.groups = GroupOperations(ids=ids, pages=pages, policies=self.attachments, users=self.user_reader)
        self.group_policies = GroupPolicyOperations(groups=self.group_reader, managed=self.managed, pages=pages)
        self.role_policies = RolePolicyOperations(roles=self.role_reader, managed=self.managed, pages=pages)
        self.user_policies = UserPolicyOperations(users=self.user_reader, managed=self.managed, pages=pages)
        self.simulations = SimulationOperations(
            users=self.user_reader,
            roles=self.role_reader,
            groups=self.group_reader,
            policies=self.documents,
            pages=pages,
        )
        self.keys = AccessKeyOperations(ids=ids, vault=vault, pages=pages, users=self.user_reader)
        self.standings = Standings(
            users=self.user_reader,
            roles=self.role_reader,
            sessions=self.session_reader,
            entity_policies=self.documents,
            managed=self.managed,
        )
        self.sts = SessionOperations(
            users=self.user_reader,
            access_keys=self.key_reader,
            standings=self.standings,
            managed=self.managed,
            mint=self.mint,
            sessions=self.session_reader,
        )
        self.role_sessions = RoleSessionOperations(
            roles=self.role_reader, standings=self.standings, managed=self.managed, mint=self.mint
        )
        self.accounts = AccountOperations(ids=ids, pager=Pager(b"k" * 32), root_keys=RootKeys(ids=ids, vault=vault))
        self.ids = ids

    def user(self, name: str, *statements: Mapping[str, Any], account: str = CALLER.account) -> Caller:
        """Make a user whose policy has these statements; answer it as a caller."""
        root = dataclasses.replace(CALLER, account=account)
        self.store.run(self.users.create_user, {"UserName": name}, root)
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            request = {"UserName": name, "PolicyName": "own", "PolicyDocument": document}
            self.store.run(self.user_policies.put_user_policy, request, root)
        return dataclasses.replace(root, kind=Kind.USER, principal=f"arn:aws:iam::{account}:user/{name}")

    def assume(self, role: str, session: str = "me", *, by: str = "assumer", **more: Any) -> Mapping[str, Any]:
        """Let a user that may assume everything assume the role (ARN or name); answer the response."""
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{CALLER.account}:role/{role}"
        with self.store.tx() as tx:
            known = self.user_reader.find(tx, CALLER.account, by) is not None
        who = dataclasses.replace(CALLER, kind=Kind.USER, principal=f"arn:aws:iam::{CALLER.account}:user/{by}")
        if not known:
            who = self.user(by, ASSUMES)
        request = {"RoleArn": arn, "RoleSessionName": session, **more}
        return self.store.run(self.role_sessions.assume_role, request, who).response


ASSUMES = {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}

TRUST_ACCOUNT = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
    ' "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]}'
)
TRUST_DEVICES = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
    ' "Principal": {"Service": "credentials.iot.amazonaws.com"}}]}'
)
READ_S3 = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}'
