"""Principal and NotPrincipal: whom a trust or resource policy speaks of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hedgerow.core.arn import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, as trust and resource policies name it.

    `arns` are all names of a caller of ours: a role session has its own and its role's. `service` is a service of the
    cloud that acts by itself (`lambda.amazonaws.com`). `federated` is the ARN of the identity provider that vouches.
    A policy that names the whole account means whomever that account lets; `by_account` says whether this counts.
    """

    account: str | None = None
    arns: tuple[str, ...] = ()
    service: str | None = None
    federated: str | None = None
    by_account: bool = True

    def itself(self) -> "Principal":
        """Answer the same one for the question whether a policy names it, and not only its account."""
        return replace(self, by_account=False)

    def is_among(self, named: Mapping[str, tuple[str, ...]]) -> bool:
        """Tell whether a Principal element names this one."""
        if self.service is not None:
            services = named.get("Service", ())
            return self.service in services or "*" in services
        if self.federated is not None:  # a provider is named: "*" is not everyone who can make tokens
            return self.federated in named.get("Federated", ())
        return any(self._is(name) for name in named.get("AWS", ()))

    def _is(self, name: str) -> bool:
        if name == "*":
            return True
        if name in self.arns:
            return True
        if self.account is None or not self.by_account:
            return False
        if name == self.account:
            return True
        whole = parse(name)
        return (
            whole is not None and whole.service == "iam" and whole.resource == "root" and whole.account == self.account
        )


def caller_principal(account: str, arn: str, role_arn: str | None = None) -> Principal:
    """Answer the principal of a caller with this ARN; a role session counts as its role too.

    A session's ARN does not tell the path of its role: `role_arn` is for those that have one.
    """
    parsed = parse(arn)
    if parsed is not None and parsed.service == "sts" and parsed.resource.startswith("assumed-role/"):
        role = parsed.resource.split("/")[1]
        return Principal(account=account, arns=(arn, role_arn or f"arn:{parsed.partition}:iam::{account}:role/{role}"))
    return Principal(account=account, arns=(arn,))
