"""GetAccountSummary: how much there is, and the quotas that hold here. Source: IAM API reference, GetAccountSummary.

Quotas that Hedgerow does not set are left out; so is what it has no notion of (the version of global tokens).
"""

from typing import Final

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iam.documents import (
    GROUP_INLINE_SIZE,
    MANAGED_SIZE,
    ROLE_INLINE_SIZE,
    TRUST_SIZE,
    USER_INLINE_SIZE,
)
from hedgerow.services.iam.reports.ports import Groups, Policies, Providers, Roles, RootKeys, Users
from hedgerow.store import Answer, Tx

_NONE: Final = (
    "AccountMFAEnabled",
    "AccountPasswordPresent",
    "AccountSigningCertificatesPresent",
    "InstanceProfiles",
    "MFADevices",
    "MFADevicesInUse",
    "ServerCertificates",
)
_SIZES: Final = {
    "AssumeRolePolicySizeQuota": TRUST_SIZE,
    "GroupPolicySizeQuota": GROUP_INLINE_SIZE,
    "PolicySizeQuota": MANAGED_SIZE,
    "RolePolicySizeQuota": ROLE_INLINE_SIZE,
    "UserPolicySizeQuota": USER_INLINE_SIZE,
}


class SummaryOperations:
    """Figures. `quotas` are those of other subjects, under AWS's names."""

    def __init__(
        self,
        *,
        users: Users,
        roles: Roles,
        groups: Groups,
        policies: Policies,
        root_keys: RootKeys,
        providers: Providers,
        quotas: dict[str, int],
    ) -> None:
        self._users = users
        self._roles = roles
        self._groups = groups
        self._policies = policies
        self._root_keys = root_keys
        self._providers = providers
        self._quotas = quotas

    def get_account_summary(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        account = caller.account
        own = self._policies.own(tx, account)
        found = {
            "AccountAccessKeysPresent": 0 if self._root_keys.active(tx, account) is None else 1,
            "Groups": len(self._groups.all(tx, account)),
            "Policies": len(own),
            "PolicyVersionsInUse": sum(len(self._policies.versions(tx, account, policy.arn)) for policy in own),
            "Providers": self._providers.count(tx, account),
            "Roles": len(self._roles.all(tx, account)),
            "Users": len(self._users.all(tx, account)),
        }
        return Answer({"SummaryMap": {**dict.fromkeys(_NONE, 0), **_SIZES, **self._quotas, **found}})
