"""What is wrong with a statement."""

from hedgerow.base.errors import ServiceError


class SqlParseError(ServiceError):
    """The statement cannot be parsed; the message says where and why."""

    code = "SqlParseException"


class FunctionRefused(SqlParseError):
    """The statement uses a function that is not there yet, or is not known at all."""
