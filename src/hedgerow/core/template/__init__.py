"""Provisioning templates: read, checked, and filled in with a device's parameters. Pure."""

from hedgerow.core.template.document import (
    CERTIFICATE_ID,
    SUBJECT_PARTS,
    BadTemplate,
    Certificate,
    Override,
    Policy,
    PrincipalType,
    Template,
    Thing,
    Use,
    parameters,
    read,
)
from hedgerow.core.template.functions import BadFunction, CannotResolve, TooLong, UnsafeValue
from hedgerow.core.template.resolution import (
    BadValue,
    Resolved,
    ResolvedCertificate,
    ResolvedPolicy,
    ResolvedThing,
    policy_name,
    resolve,
)
from hedgerow.core.template.trial import tried

__all__ = [
    "CERTIFICATE_ID",
    "SUBJECT_PARTS",
    "BadFunction",
    "BadTemplate",
    "BadValue",
    "CannotResolve",
    "Certificate",
    "Override",
    "Policy",
    "PrincipalType",
    "Resolved",
    "ResolvedCertificate",
    "ResolvedPolicy",
    "ResolvedThing",
    "Template",
    "Thing",
    "TooLong",
    "UnsafeValue",
    "Use",
    "parameters",
    "policy_name",
    "read",
    "resolve",
    "tried",
]
