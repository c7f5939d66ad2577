"""The errors that several subjects of IAM share, named as the iam service model names them."""

from hedgerow.base.errors import ServiceError


class NoSuchEntity(ServiceError):
    """What the request names is not there."""

    code = "NoSuchEntityException"


class EntityAlreadyExists(ServiceError):
    """The name is taken."""

    code = "EntityAlreadyExistsException"


class MalformedPolicyDocument(ServiceError):
    """The document is no policy of the kind that is wanted here; the message says why."""

    code = "MalformedPolicyDocumentException"


class DeleteConflict(ServiceError):
    """It cannot be deleted while something belongs to it."""

    code = "DeleteConflictException"


class LimitExceeded(ServiceError):
    """One more, or longer, is too much."""

    code = "LimitExceededException"


class InvalidInput(ServiceError):
    """The request cannot be honoured as it stands; the message says why."""

    code = "InvalidInputException"


class ValidationFailed(ServiceError):
    """A member has a value that is not possible for this caller or listing."""

    code = "ValidationError"
    status = 400
