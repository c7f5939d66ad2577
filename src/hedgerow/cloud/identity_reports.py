"""Joins what looks at an account's identities as a whole: reports, who has a policy, aliases."""

from dataclasses import dataclass
from typing import Final

from hedgerow.cloud.operations import iam_account as iam_account_rows
from hedgerow.cloud.rows import Tables
from hedgerow.services.iam.access_keys import MOST_KEYS, RootKeys
from hedgerow.services.iam.account_aliases import AccountAliasOperations
from hedgerow.services.iam.entity_policies import MOST_ATTACHED, AttachmentReader, Holders, PolicyHolderOperations
from hedgerow.services.iam.groups import GROUPS_OF_A_USER, GroupReader
from hedgerow.services.iam.oidc_providers import OidcProviderReader
from hedgerow.services.iam.other_credentials import OtherCredentialOperations
from hedgerow.services.iam.pages import Pages
from hedgerow.services.iam.policies import MOST_VERSIONS, ManagedPolicyReader
from hedgerow.services.iam.reports import DetailOperations, SummaryOperations
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iam.users import UserReader

QUOTAS: Final = {
    "AccessKeysPerUserQuota": MOST_KEYS,
    "AttachedPoliciesPerGroupQuota": MOST_ATTACHED,
    "AttachedPoliciesPerRoleQuota": MOST_ATTACHED,
    "AttachedPoliciesPerUserQuota": MOST_ATTACHED,
    "GroupsPerUserQuota": GROUPS_OF_A_USER,
    "VersionsPerPolicyQuota": MOST_VERSIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Everybody:
    """Where identities are read."""

    users: UserReader
    roles: RoleReader
    groups: GroupReader
    managed: ManagedPolicyReader
    attachments: AttachmentReader
    root_keys: RootKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """What answers about an account as a whole."""

    holders: PolicyHolderOperations
    aliases: AccountAliasOperations
    summaries: SummaryOperations
    details: DetailOperations
    others: OtherCredentialOperations


def reporting(*, pages: Pages, everybody: Everybody) -> Reporting:
    """Join it."""
    users, roles, groups, managed = everybody.users, everybody.roles, everybody.groups, everybody.managed
    return Reporting(
        holders=PolicyHolderOperations(users=users, roles=roles, groups=groups, managed=managed, pages=pages),
        aliases=AccountAliasOperations(pages=pages),
        summaries=SummaryOperations(
            users=users,
            roles=roles,
            groups=groups,
            policies=managed,
            root_keys=everybody.root_keys,
            providers=OidcProviderReader(),
            quotas=QUOTAS,
        ),
        details=DetailOperations(
            users=users,
            roles=roles,
            groups=groups,
            policies=managed,
            attachments=everybody.attachments,
            held=Holders(),
            pages=pages,
        ),
        others=OtherCredentialOperations(users=users, pages=pages),
    )


def build_identity_reports(*, tables: Tables, pages: Pages, everybody: Everybody) -> None:
    """Build it and enter its rows."""
    parts = reporting(pages=pages, everybody=everybody)
    tables.serve(
        "iam",
        iam_account_rows.rows(
            holders=parts.holders,
            aliases=parts.aliases,
            summaries=parts.summaries,
            details=parts.details,
            others=parts.others,
        ),
    )
