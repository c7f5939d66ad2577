"""What can be wrong with a question about the record."""

from hedgerow.base.errors import ServiceError


class InvalidQuestion(ServiceError):
    """The question cannot be answered as it stands; the message says why."""

    code = "ValidationException"
