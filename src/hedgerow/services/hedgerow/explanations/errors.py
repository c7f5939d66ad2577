"""What can be wrong with a question about rights."""

from hedgerow.base.errors import ServiceError


class NothingToExplain(ServiceError):
    """Nobody can be found whose rights these would be."""

    code = "ResourceNotFoundException"


class InvalidQuestion(ServiceError):
    """The question does not say whom or what it is about."""

    code = "ValidationException"
