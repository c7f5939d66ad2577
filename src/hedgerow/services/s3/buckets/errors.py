"""What S3 refuses about buckets. Their names in the XML are these; the model names only some."""

from hedgerow.base.errors import ServiceError


class NoSuchBucket(ServiceError):
    """There is no bucket of this name."""

    code = "NoSuchBucket"
    status = 404

    def __init__(self, name: str) -> None:
        super().__init__("The specified bucket does not exist", BucketName=name)


class BucketAccessDenied(ServiceError):
    """The bucket belongs to another account."""

    code = "AccessDenied"
    status = 403

    def __init__(self) -> None:
        super().__init__("Access Denied")


class BucketTaken(ServiceError):
    """Another account has a bucket of this name."""

    code = "BucketAlreadyExists"
    status = 409

    def __init__(self, name: str) -> None:
        text = (
            "The requested bucket name is not available: all accounts of a cloud share one namespace. Select another."
        )
        super().__init__(text, BucketName=name)


class BucketIsYours(ServiceError):
    """The account has this bucket already."""

    code = "BucketAlreadyOwnedByYou"
    status = 409

    def __init__(self, name: str) -> None:
        text = "Your previous request to create the named bucket succeeded and you already own it."
        super().__init__(text, BucketName=name)


class BucketNotEmpty(ServiceError):
    """There are objects in the bucket."""

    code = "BucketNotEmpty"
    status = 409

    def __init__(self, name: str) -> None:
        super().__init__("The bucket you tried to delete is not empty", BucketName=name)


class InvalidBucketName(ServiceError):
    """The name cannot be a bucket's."""

    code = "InvalidBucketName"
    status = 400

    def __init__(self, name: str) -> None:
        super().__init__("The specified bucket is not valid.", BucketName=name)


class WrongLocation(ServiceError):
    """A cloud has one region, and this is another."""

    code = "IllegalLocationConstraintException"
    status = 400

    def __init__(self, wanted: str, region: str) -> None:
        super().__init__(f"The {wanted} location constraint is incompatible: this cloud's region is {region}.")


class InvalidBucketRequest(ServiceError):
    """A value that the model allows and S3 does not."""

    code = "InvalidArgument"
    status = 400
