"""What S3 refuses about objects. Their names in the XML are these; the model names only some."""

from hedgerow.base.errors import ServiceError


class NoSuchKey(ServiceError):
    """There is no such object."""

    code = "NoSuchKey"
    status = 404

    def __init__(self, key: str) -> None:
        super().__init__("The specified key does not exist.", Key=key)


class TooManyKeys(ServiceError):
    """More keys to delete than one request may have."""

    code = "MalformedXML"
    status = 400

    def __init__(self, most: int) -> None:
        super().__init__(f"The XML you provided does not validate: at most {most} objects are deleted by one request.")


class PreconditionFailed(ServiceError):
    """A condition in the request does not hold."""

    code = "PreconditionFailed"
    status = 412

    def __init__(self, condition: str) -> None:
        super().__init__("At least one of the pre-conditions you specified did not hold", Condition=condition)


class NotModified(ServiceError):
    """The caller has the object already. No body goes with it."""

    code = "NotModified"
    status = 304

    def __init__(self) -> None:
        super().__init__("Not Modified")


class InvalidRange(ServiceError):
    """The range begins behind the object's end."""

    code = "InvalidRange"
    status = 416

    def __init__(self, asked: str, size: int) -> None:
        super().__init__("The requested range is not satisfiable", RangeRequested=asked, ActualObjectSize=str(size))


class BadDigest(ServiceError):
    """The body is not what its checksum says."""

    code = "BadDigest"
    status = 400

    def __init__(self, name: str) -> None:
        super().__init__(f"The {name} you specified did not match the calculated checksum.")


class InvalidDigest(ServiceError):
    """A checksum that cannot be one."""

    code = "InvalidDigest"
    status = 400

    def __init__(self, name: str) -> None:
        super().__init__(f"The {name} you specified is not valid.")


class KeyTooLong(ServiceError):
    """The key has more than 1024 bytes."""

    code = "KeyTooLongError"
    status = 400

    def __init__(self) -> None:
        super().__init__("Your key is too long")


class MetadataTooLarge(ServiceError):
    """The metadata has more than 2 kB."""

    code = "MetadataTooLarge"
    status = 400

    def __init__(self) -> None:
        super().__init__("Your metadata headers exceed the maximum allowed metadata size")


class EntityTooLarge(ServiceError):
    """The object is larger than one upload may be."""

    code = "EntityTooLarge"
    status = 400

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"Your proposed upload has {size} bytes; {limit} are allowed")


class InvalidObjectRequest(ServiceError):
    """A value that the model allows and S3 does not."""

    code = "InvalidArgument"
    status = 400


class PointlessCopy(ServiceError):
    """A copy onto itself that changes nothing."""

    code = "InvalidRequest"
    status = 400

    def __init__(self) -> None:
        super().__init__(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata."
        )
