"""One policy engine for IoT, IAM, trust and resource policies. Pure; decisions can be explained in a sentence."""

from hedgerow.core.policy.document import Dialect, Effect, MalformedPolicy, Policy, named_principals, validate
from hedgerow.core.policy.grants import Context, Decision, Grants, Reason, compile_policies, decide_trust, mentions
from hedgerow.core.policy.layers import AllOf, Rights, Verdict
from hedgerow.core.policy.principals import Principal, caller_principal

__all__ = [
    "AllOf",
    "Context",
    "Decision",
    "Dialect",
    "Effect",
    "Grants",
    "MalformedPolicy",
    "Policy",
    "Principal",
    "Reason",
    "Rights",
    "Verdict",
    "caller_principal",
    "compile_policies",
    "decide_trust",
    "mentions",
    "named_principals",
    "validate",
]
