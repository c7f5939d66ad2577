"""Each service's own names for "this input is not valid"."""

from hedgerow.base.errors import ServiceError
from hedgerow.core.wire.errors import Malformed, WireError
from hedgerow.core.wire.inputs import Call
from hedgerow.core.wire.validation import message

_INVALID = {
    "iot": "InvalidRequestException",
    "iot-data": "InvalidRequestException",
    "iot-jobs-data": "InvalidRequestException",
    "greengrass": "BadRequestException",
    "lambda": "ValidationException",
    "logs": "InvalidParameterException",
    "cloudwatch": "InvalidParameterValueException",
    "iam": "ValidationError",
    "sts": "ValidationError",
    "sns": "InvalidParameterException",
    "s3": "InvalidArgument",
    "sqs": "InvalidParameterValueException",
    "ecr": "InvalidParameterException",
    "secretsmanager": "InvalidParameterException",
    "cognito-identity": "InvalidParameterException",
    "hedgerow-device": "ValidationException",
}
_MALFORMED = {
    "iot": "InvalidRequestException",
    "iot-data": "InvalidRequestException",
    "iot-jobs-data": "InvalidRequestException",
    "greengrass": "BadRequestException",
    "greengrassv2": "ValidationException",
    "lambda": "InvalidParameterValueException",
    "s3": "MalformedXML",
}
_MALFORMED_CODE = "SerializationException"


def invalid(call: Call, problems: list[str]) -> ServiceError:
    """Answer the refusal of an input that breaks the model's constraints."""
    code = _INVALID.get(call.service, "ValidationException")
    return WireError(code, message(problems), status=400, **_reason(call, "FIELD_VALIDATION_FAILED"))


def invalid_token(call: Call, words: str) -> ServiceError:
    """Answer the refusal of a page token that is none of ours."""
    code = "InvalidParameterValueException" if call.service == "lambda" else _INVALID.get(call.service)
    return WireError(code or "ValidationException", words, status=400, **_reason(call, "FIELD_VALIDATION_FAILED"))


def malformed(call: Call, error: Malformed) -> ServiceError:
    """Answer the refusal of an input whose bytes do not have the form of their types."""
    code = _MALFORMED.get(call.service, _MALFORMED_CODE)
    if code == _MALFORMED_CODE and call.protocol == "query":
        code = _INVALID.get(call.service, "ValidationError")
    return WireError(code, f"{call.operation.name}: {error}", status=400, **_reason(call, "CANNOT_PARSE"))


def _reason(call: Call, reason: str) -> dict[str, str]:
    return {"reason": reason} if call.service == "greengrassv2" else {}
