"""The AWS wire protocols, without I/O: requests read and answers written from botocore's service models; signatures.

`Catalogue` finds the operation, `read_input` and `problems` give its input, `write_output` and `write_error` the
response. `sigv4` signs and verifies. Files are read by the `api` package.
"""

from hedgerow.core.wire import sigv4
from hedgerow.core.wire.catalogue import Catalogue
from hedgerow.core.wire.errors import Malformed, UnknownOperation, WireError
from hedgerow.core.wire.inputs import Call, Input, read_input
from hedgerow.core.wire.messages import HttpRequest, HttpResponse
from hedgerow.core.wire.model import ServiceModel, without_documentation
from hedgerow.core.wire.outputs import write_error, write_output
from hedgerow.core.wire.refusals import invalid, invalid_token, malformed
from hedgerow.core.wire.validation import missing, problems

__all__ = [
    "Call",
    "Catalogue",
    "HttpRequest",
    "HttpResponse",
    "Input",
    "Malformed",
    "ServiceModel",
    "UnknownOperation",
    "WireError",
    "invalid",
    "invalid_token",
    "malformed",
    "missing",
    "problems",
    "read_input",
    "sigv4",
    "without_documentation",
    "write_error",
    "write_output",
]
