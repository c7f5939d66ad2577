"""Builds who may do what: IAM, STS, accounts, console sign-in."""

from dataclasses import dataclass

from hedgerow.base.ids import Ids
from hedgerow.cloud.device_rights import DeviceRights
from hedgerow.cloud.device_standing import DeviceStanding
from hedgerow.cloud.directory import UsableKeys
from hedgerow.cloud.identity_reports import Everybody, build_identity_reports
from hedgerow.cloud.issuers import IssuerKeys
from hedgerow.cloud.operations import hedgerow as hedgerow_rows
from hedgerow.cloud.operations import hedgerow_device as device_rows
from hedgerow.cloud.operations import iam as iam_rows
from hedgerow.cloud.operations import iam_oidc as iam_oidc_rows
from hedgerow.cloud.operations import sts as sts_rows
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.renaming import UserRenames
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.standing import Standings
from hedgerow.cloud.trusted_principals import TrustedPrincipals
from hedgerow.core.paging import Pager
from hedgerow.services.hedgerow.accounts import AccountOperations, AccountReader
from hedgerow.services.hedgerow.sign_ins import SignInFollowUps, SignInOperations
from hedgerow.services.iam.access_keys import AccessKeyFlows, AccessKeyOperations, AccessKeyReader, KeyUses, RootKeys
from hedgerow.services.iam.entity_policies import (
    AttachmentReader,
    EntityPolicyReader,
    GroupPolicyOperations,
    RolePolicyOperations,
    UserPolicyOperations,
)
from hedgerow.services.iam.groups import GroupOperations, GroupReader
from hedgerow.services.iam.oidc_providers import OidcProviderOperations, OidcProviderReader
from hedgerow.services.iam.pages import Pages
from hedgerow.services.iam.policies import ManagedPolicyReader, PolicyOperations, PolicyVersionOperations
from hedgerow.services.iam.roles import RoleOperations, RoleReader
from hedgerow.services.iam.simulation import SimulationOperations
from hedgerow.services.iam.users import UserOperations, UserReader
from hedgerow.services.iot.role_aliases import RoleAliasStore
from hedgerow.services.iot.things import ThingStore
from hedgerow.services.sts.sessions import (
    DeviceCredentialOperations,
    RoleSessionOperations,
    SessionFollowUps,
    SessionMint,
    SessionOperations,
    SessionReader,
    WebIdentityFlows,
)
from hedgerow.store import Run, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What other parts need of it."""

    accounts: AccountOperations
    account_reader: AccountReader
    roles: RoleReader
    policies: EntityPolicyReader
    users: UserReader
    groups: GroupReader
    access_keys: AccessKeyReader
    key_uses: KeyUses
    root_keys: RootKeys
    sessions: SessionReader
    mint: SessionMint
    standings: Standings


def build_identity(*, tables: Tables, run: Run, ids: Ids, vault: Vault, pager: Pager, issuers: IssuerKeys) -> Identity:
    """Build it and enter its rows."""
    pages = Pages(pager)
    account_reader = AccountReader()
    roles, users, managed, groups = RoleReader(), UserReader(), ManagedPolicyReader(), GroupReader()
    attachments = AttachmentReader(managed=managed)
    key_uses = KeyUses(run=run)
    access_keys, sessions = AccessKeyReader(vault=vault), SessionReader(vault=vault)
    mint = SessionMint(ids=ids, vault=vault)
    trusted = TrustedPrincipals(accounts=account_reader, users=users, roles=roles)
    root_keys = RootKeys(ids=ids, vault=vault)
    accounts = AccountOperations(ids=ids, pager=pager, root_keys=root_keys)
    renames = UserRenames(policies=attachments, groups=groups, access_keys=access_keys, roles=roles)
    tables.serve(
        "iam",
        iam_rows.rows(
            roles=RoleOperations(ids=ids, pages=pages, policies=attachments, principals=trusted),
            users=UserOperations(
                ids=ids, pages=pages, policies=attachments, access_keys=access_keys, groups=groups, renames=renames
            ),
            groups=GroupOperations(ids=ids, pages=pages, policies=attachments, users=users),
            access_keys=AccessKeyOperations(ids=ids, vault=vault, pages=pages, users=users),
            policies=PolicyOperations(ids=ids, pages=pages, attachments=attachments),
            policy_versions=PolicyVersionOperations(pages=pages),
            role_policies=RolePolicyOperations(roles=roles, managed=managed, pages=pages),
            user_policies=UserPolicyOperations(users=users, managed=managed, pages=pages),
            group_policies=GroupPolicyOperations(groups=groups, managed=managed, pages=pages),
        ),
    )
    tables.serve("iam", iam_rows.key_use_rows(keys=AccessKeyFlows(run=run, uses=key_uses)))
    policies = EntityPolicyReader(managed=managed, groups=groups)
    standings = Standings(users=users, roles=roles, sessions=sessions, entity_policies=policies, managed=managed)
    session_operations = SessionOperations(
        users=users, access_keys=access_keys, standings=standings, managed=managed, mint=mint, sessions=sessions
    )
    role_sessions = RoleSessionOperations(roles=roles, standings=standings, managed=managed, mint=mint)
    web_identities = WebIdentityFlows(
        run=run, roles=roles, providers=OidcProviderReader(), keys=issuers, managed=managed, mint=mint
    )
    simulations = SimulationOperations(users=users, roles=roles, groups=groups, policies=policies, pages=pages)
    tables.serve("iam", iam_rows.simulation_rows(simulations=simulations))
    everybody = Everybody(
        users=users, roles=roles, groups=groups, managed=managed, attachments=attachments, root_keys=root_keys
    )
    build_identity_reports(tables=tables, pages=pages, everybody=everybody)
    tables.serve("iam", iam_oidc_rows.rows(providers=OidcProviderOperations(pages=pages)))
    tables.serve("sts", sts_rows.rows(sessions=session_operations, roles=role_sessions, web_identities=web_identities))
    tables.refuse("sts", sts_rows.REFUSED)
    tables.follow(sts_rows.follow_up_rows(sessions=SessionFollowUps()))
    credentials = DeviceCredentialOperations(
        rights=_device_rights(), role_aliases=RoleAliasStore(), roles=roles, things=ThingStore(), mint=mint
    )
    tables.serve("hedgerow-device", device_rows.rows(credentials=credentials))
    sign_ins = SignInOperations(
        ids=ids, sessions=session_operations, keys=UsableKeys(access_keys=access_keys, sessions=sessions)
    )
    tables.serve("hedgerow", hedgerow_rows.rows(accounts=accounts, sign_ins=sign_ins))
    tables.refuse("hedgerow", hedgerow_rows.REFUSED)
    tables.follow(hedgerow_rows.follow_up_rows(sign_ins=SignInFollowUps()))
    return Identity(
        accounts=accounts,
        account_reader=account_reader,
        roles=roles,
        policies=policies,
        users=users,
        groups=groups,
        access_keys=access_keys,
        key_uses=key_uses,
        root_keys=root_keys,
        sessions=sessions,
        mint=mint,
        standings=standings,
    )


def _device_rights() -> DeviceRights:
    stores = Stores()
    return DeviceRights(
        certificates=stores.certificates,
        effective=stores.effective(),
        standing=DeviceStanding(certificates=stores.certificates, things=stores.things),
        claims=stores.claim_reader(),
    )
