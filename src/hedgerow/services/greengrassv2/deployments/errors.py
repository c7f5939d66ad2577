"""Why a deployment request is refused."""

from hedgerow.services.greengrassv2.errors import Conflict, NotFound

KIND = "deployment"


class NoSuchDeployment(NotFound):
    """There is no such deployment."""

    def __init__(self, deployment: str) -> None:
        super().__init__(f"The deployment {deployment} does not exist.", resource=deployment, kind=KIND)


class NoSuchTarget(NotFound):
    """There is no such thing or thing group."""

    def __init__(self, arn: str, kind: str) -> None:
        super().__init__(f"The target {arn} does not exist.", resource=arn, kind=kind)


class DeploymentConflict(Conflict):
    """The deployment is in a state in which this cannot be done."""

    def __init__(self, message: str, deployment: str) -> None:
        super().__init__(message, resource=deployment, kind=KIND)
