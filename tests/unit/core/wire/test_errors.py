"""botocore reads our refusals: code, message, status, in every protocol."""

from typing import Any, ClassVar

import botocore.parsers
import pytest
from botocore.awsrequest import HeadersDict

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core.wire import write_error
from tests.unit.core.wire.models import CATALOGUE

PARSERS = {"cbor": "smithy-rpc-v2-cbor"}


def refused(code: str, message: str = "no", **members: Any) -> ServiceError:
    class Refused(ServiceError):
        pass

    Refused.code = code
    return Refused(message, **members)


def parsed(service: str, protocol: str, error: ServiceError) -> tuple[str, str, int, dict[str, Any]]:
    response = write_error(CATALOGUE.model(service), protocol, error, "request-1")
    parser = botocore.parsers.create_parser(PARSERS.get(protocol, protocol))
    wire = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    found: Any = parser.parse(wire, None)  # type: ignore[arg-type]  # botocore gives no shape for errors either
    return found["Error"]["Code"], found["Error"]["Message"], response.status, found["Error"]


@pytest.mark.parametrize(
    ("service", "protocol", "code", "read", "status"),
    [
        ("iot", "rest-json", "ResourceAlreadyExistsException", "ResourceAlreadyExistsException", 409),
        ("iot", "rest-json", "VersionConflictException", "VersionConflictException", 409),
        ("iot", "rest-json", "LimitExceededException", "LimitExceededException", 410),
        ("iot", "rest-json", "CertificateStateException", "CertificateStateException", 406),
        ("iot-data", "rest-json", "RequestEntityTooLargeException", "RequestEntityTooLargeException", 413),
        ("lambda", "rest-json", "ResourceNotFoundException", "ResourceNotFoundException", 404),
        ("lambda", "rest-json", "InvalidParameterValueException", "InvalidParameterValueException", 400),
        ("greengrassv2", "rest-json", "ServiceQuotaExceededException", "ServiceQuotaExceededException", 402),
        ("greengrass", "rest-json", "BadRequestException", "BadRequestException", 400),
        ("logs", "json", "ResourceAlreadyExistsException", "ResourceAlreadyExistsException", 400),
        ("cloudwatch", "json", "InvalidParameterValueException", "InvalidParameterValue", 400),
        ("cloudwatch", "cbor", "InvalidParameterValueException", "InvalidParameterValue", 400),
        ("cloudwatch", "query", "InvalidParameterValueException", "InvalidParameterValue", 400),
        ("iam", "query", "NoSuchEntityException", "NoSuchEntity", 404),
        ("iam", "query", "EntityAlreadyExistsException", "EntityAlreadyExists", 409),
        ("sts", "query", "ExpiredTokenException", "ExpiredTokenException", 400),
        ("s3", "rest-xml", "NoSuchBucket", "NoSuchBucket", 404),
        ("s3", "rest-xml", "BucketAlreadyOwnedByYou", "BucketAlreadyOwnedByYou", 409),
        ("iot", "rest-json", "SomethingUnheard", "SomethingUnheard", 400),
    ],
)
def test_an_error_of_the_model_has_the_models_status(
    service: str, protocol: str, code: str, read: str, status: int
) -> None:
    found = parsed(service, protocol, refused(code, "line\n<two> & ü"))

    assert found[2] == status
    assert found[0] in (read, code)
    assert found[3].get("QueryErrorCode", read) in (read, code)
    assert found[1] == "line\n<two> & ü"


@pytest.mark.parametrize(
    ("service", "protocol", "code", "status"),
    [
        ("iot", "rest-json", "AccessDeniedException", 403),
        ("iot-data", "rest-json", "ForbiddenException", 403),
        ("s3", "rest-xml", "AccessDenied", 403),
        ("iam", "query", "AccessDenied", 403),
        ("logs", "json", "AccessDeniedException", 400),  # its model names the error, and no status
        ("cloudwatch", "cbor", "AccessDeniedException", 403),
    ],
)
def test_who_is_denied_reads_it_in_the_words_of_the_service(
    service: str, protocol: str, code: str, status: int
) -> None:
    found = parsed(service, protocol, AccessDenied("not you"))

    assert found[:3] == (code, "not you", status)


def test_further_members_of_an_error_are_written() -> None:
    error = refused("ResourceAlreadyExistsException", resourceId="i", resourceArn="a", notInTheModel=1)

    response = write_error(CATALOGUE.model("iot"), "rest-json", error, "r")

    assert response.body == b'{"message":"no","resourceId":"i","resourceArn":"a"}'


def test_lambdas_errors_say_whose_fault_it_was_and_spell_their_message_as_the_model() -> None:
    upper = write_error(CATALOGUE.model("lambda"), "rest-json", refused("ResourceNotFoundException"), "r")
    lower = write_error(CATALOGUE.model("lambda"), "rest-json", refused("InvalidParameterValueException"), "r")

    assert upper.body == b'{"Message":"no","Type":"User"}'
    assert lower.body == b'{"message":"no","Type":"User"}'


class Teapot(ServiceError):
    code: ClassVar[str] = "TeapotException"
    status = 418


def test_an_error_outside_every_model_has_its_own_status_and_both_spellings() -> None:
    response = write_error(None, "rest-json", Teapot("short and stout"), "r")

    assert (response.status, response.headers["x-amzn-errortype"]) == (418, "TeapotException")
    assert response.body == b'{"message":"short and stout","Message":"short and stout"}'
