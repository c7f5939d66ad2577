"""A refused shadow request as the errors of the iot-data service."""

from typing import Final

from hedgerow.base.errors import ServiceError
from hedgerow.core.shadow import ShadowError


class InvalidShadowRequest(ServiceError):
    """The document is not usable; the message is AWS's."""

    code = "InvalidRequestException"


class NoSuchShadow(ServiceError):
    """There is no such shadow."""

    code = "ResourceNotFoundException"


class ShadowVersionConflict(ServiceError):
    """The request names another version than the current one."""

    code = "ConflictException"


class ShadowTooLarge(ServiceError):
    """The state would take more bytes than a shadow may."""

    code = "RequestEntityTooLargeException"


class UnsupportedShadowEncoding(ServiceError):
    """The document is not UTF-8."""

    code = "UnsupportedDocumentEncodingException"


_BY_NUMBER: Final[dict[int, type[ServiceError]]] = {
    400: InvalidShadowRequest,
    404: NoSuchShadow,
    409: ShadowVersionConflict,
    413: ShadowTooLarge,
    415: UnsupportedShadowEncoding,
}


def service_error(error: ShadowError) -> ServiceError:
    """Answer the error that an HTTP caller gets."""
    return _BY_NUMBER[error.code](error.message)
