"""What is wrong with a query."""

from hedgerow.base.errors import HedgerowError


class InvalidQuery(HedgerowError):
    """The query string is none; the message says what is wrong and where."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
