"""What can be wrong with a request about IoT policies."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import (
    DeleteConflict,
    LimitExceeded,
    ResourceAlreadyExists,
    ResourceNotFound,
    VersionsLimitExceeded,
)


class PolicyNotFound(ResourceNotFound):
    """No policy of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Policy not found (name={name})")


class PolicyVersionNotFound(ResourceNotFound):
    """The policy has no such version."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(f"Policy version not found (policyName={name}, versionId={version})")


class TargetNotFound(ResourceNotFound):
    """What a policy is to be attached to, or is asked about, is not there."""

    def __init__(self, target: str) -> None:
        super().__init__(f"Target {target} does not exist")


class PolicyExists(ResourceAlreadyExists):
    """The name is taken, even by the same document."""

    def __init__(self, name: str, *, policy_arn: str) -> None:
        super().__init__(f"Policy cannot be created - name already exists (name={name})", resourceArn=policy_arn)


class MalformedPolicy(ServiceError):
    """The document is no policy; the message says why."""

    code = "MalformedPolicyException"


class PolicyAttached(DeleteConflict):
    """An attached policy cannot be deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The policy cannot be deleted as the policy is attached to one or more principals (name={name})"
        )


class PolicyHasVersions(DeleteConflict):
    """Only a policy whose default version is the last may be deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(
            # "than than" is AWS's own
            f"Cannot delete the policy because it has one or more policy versions attached to it (name={name}): "
            "versions other than than default version exist"
        )


class DefaultVersion(DeleteConflict):
    """The default version stays as long as the policy does."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cannot delete the default version of a policy (name={name})")


class TooManyVersions(VersionsLimitExceeded):
    """One version has to go first."""

    def __init__(self, name: str, most: int) -> None:
        super().__init__(f"The policy {name} already has the maximum number of versions ({most})")


class TooManyPolicies(LimitExceeded):
    """One policy has to be detached first."""

    def __init__(self, target: str, most: int) -> None:
        super().__init__(f"{target} has {most} policies attached already, which is the most")
