"""What a shadow request is refused with: AWS's number and words."""

from hedgerow.base.errors import HedgerowError


class ShadowError(HedgerowError):
    """A shadow request is refused; `code` is the number in the `rejected` message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
