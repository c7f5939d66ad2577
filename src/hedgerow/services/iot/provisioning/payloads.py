"""What a device writes to the provisioning topics, and what it is answered: maps of texts, in JSON or CBOR.

Whoever may ask may send anything: what is read here is bounded in the work that it sets off.
Spec: RFC 8259; RFC 8949, of which a map has text keys, each once, and a value is a text, a number or a truth value.
"""

import contextlib
import io
import json
from collections.abc import Mapping
from typing import Any, Final

import cbor2

from hedgerow.services.iot.provisioning.errors import InvalidParameters, InvalidPayload
from hedgerow.services.iot.provisioning.model import plain_text

_LABELS: Final = (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)
"""CBOR tags that make more of a value than a text or a number, some with work that nobody should set off."""
_CBOR_ERRORS: Final = (
    cbor2.CBORDecodeError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
    LookupError,
    MemoryError,
)


def device_named(topic: str, payload: bytes) -> str | None:
    """Answer the thing name that a request asks for, as far as that can be told; it need not be a valid one."""
    try:
        return name_in(read(payload, topic.rpartition("/")[2]).get("parameters"))
    except InvalidPayload:
        return None


def name_in(parameters: Any) -> str | None:
    """Answer the thing name that a device asked for, as far as that can be told; other parameters may be secret."""
    name = parameters.get("ThingName") if isinstance(parameters, Mapping) else None
    return plain_text(name)


def read(payload: bytes, form: str) -> Mapping[str, Any]:
    """Read a map; nothing at all is an empty one."""
    if not payload:
        return {}
    try:
        body = json.loads(payload, parse_constant=_no_value) if form == "json" else _cbor(payload)
    except _CBOR_ERRORS as error:
        raise InvalidPayload("Message cannot be parsed") from error
    if not isinstance(body, Mapping):
        raise InvalidPayload("Message cannot be parsed")
    return body


def _cbor(payload: bytes) -> Any:
    decoder = cbor2.CBORDecoder(
        io.BytesIO(payload),
        semantic_decoders=dict.fromkeys(_LABELS, _no_value),
        allow_duplicate_keys=False,
        strict_hashable_types=True,
    )
    body = decoder.decode()
    with contextlib.suppress(cbor2.CBORDecodeEOF):
        decoder.read(1)
        raise ValueError("there is more than one value")
    return body


def _no_value(_: object) -> Any:
    """Refuse what is neither text, number nor truth value."""
    raise ValueError("no value for a device to send")


def written(body: Mapping[str, Any], form: str) -> bytes:
    return json.dumps(body).encode("utf-8") if form == "json" else cbor2.dumps(dict(body))


def read_parameters(given: Any) -> Mapping[str, str]:
    """Answer the parameters as texts; numbers and truth values are written out, null counts as not given."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidParameters("parameters must be a map of strings.")
    parameters: dict[str, str] = {}
    for name, value in given.items():
        text = plain_text(value)
        if plain_text(name) != name:
            raise InvalidParameters("The names of parameters must be strings.")
        if text is None and value is not None:
            raise InvalidParameters(f"Parameter {name[:128]} must be a string.")
        if text is not None:
            parameters[name] = text
    return parameters
