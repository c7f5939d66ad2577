"""What S3 refuses about uploads in parts."""

from hedgerow.base.errors import ServiceError


class NoSuchUpload(ServiceError):
    """There is no such upload: unknown, completed or aborted."""

    code = "NoSuchUpload"
    status = 404

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
            "or completed.",
            UploadId=upload_id,
        )


class InvalidPart(ServiceError):
    """A part that is to be put together was not uploaded, or is another than was named."""

    code = "InvalidPart"
    status = 400

    def __init__(self, number: int) -> None:
        super().__init__(
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag.",
            PartNumber=str(number),
        )


class InvalidPartOrder(ServiceError):
    """The parts are not named in ascending order."""

    code = "InvalidPartOrder"
    status = 400

    def __init__(self) -> None:
        super().__init__("The list of parts was not in ascending order. Parts must be ordered by part number.")


class PartTooSmall(ServiceError):
    """A part other than the last has less than 5 MB."""

    code = "EntityTooSmall"
    status = 400

    def __init__(self, number: int, size: int) -> None:
        super().__init__(
            "Your proposed upload is smaller than the minimum allowed size",
            PartNumber=str(number),
            ProposedSize=str(size),
        )


class InvalidPartNumber(ServiceError):
    """A part's number is from 1 to 10000."""

    code = "InvalidArgument"
    status = 400

    def __init__(self) -> None:
        super().__init__("Part number must be an integer between 1 and 10000, inclusive")
