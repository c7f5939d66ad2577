"""What can be wrong with a topic rule."""

from hedgerow.base.errors import NotImplementedYet, ServiceError
from hedgerow.services.iot.errors import InvalidRequest, ResourceAlreadyExists


class RuleExists(ResourceAlreadyExists):
    """A rule of that name is there already."""

    def __init__(self, name: str, arn: str) -> None:
        super().__init__(f"Rule already exists: {name}", resourceId=name, resourceArn=arn)


class RuleNotFound(ServiceError):
    """There is no such rule. AWS answers 401 here, not 404, and tools rely on it."""

    code = "UnauthorizedException"

    def __init__(self, name: str) -> None:
        super().__init__(f"Access to topic rule '{name}' was denied")


class ActionRefused(NotImplementedYet):
    """A kind of action that is not there yet."""

    def __init__(self, kind: str, known: str) -> None:
        super().__init__(f"the rule action {kind} is not there yet; use {known}")


class InvalidAction(InvalidRequest):
    """An action that cannot work as it stands."""
