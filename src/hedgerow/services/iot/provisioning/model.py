"""Enrolment: the ownership token, and what a template changes of a thing that exists already.

Whose name is it? Every holder of a shared claim may ask for any thing name. So, beside AWS's OverrideSettings:

- A thing that has no certificate in use (made beforehand, or its certificates are deactivated or detached) may be
  provisioned; the OverrideSettings decide about attributes, type and groups.
- A thing to which **another active certificate** is attached is taken. A second device of the same name is refused,
  whatever the OverrideSettings say, and the first stays as it is. Approval is an act of the operator: deactivate or
  detach the old certificate, delete the thing, or have a pre-provisioning hook at the template that allows it. (AWS
  would attach both; `names_may_be_taken` brings that back.)
- The same certificate again, with the same resolved thing, is the same device that lost the reply: it gets the same
  reply, and nothing is changed. For another thing, or once it has connected as itself, its token is not good any more.
- Another certificate for the same key, which only the holder of that key can have asked for with a signing request, is
  the same device, too: the template is applied again. What it was given before, and has never connected with, ends.
- A certificate that is attached to a thing is not given a second one.

OverrideSettings, per value: DO_NOTHING keeps, REPLACE sets, MERGE adds (attributes: the template wins). Without a
setting a value that differs is a conflict. FAIL is a conflict as soon as the thing exists, unless it is this device's
own and the value is the same.
Spec: AWS IoT fleet provisioning, pre-provisioning hooks; the token is good for one hour and for one certificate.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm

from hedgerow.core import pki
from hedgerow.core.template import Override, ResolvedThing
from hedgerow.services.iot.provisioning.errors import Conflict, Denied, InvalidResult

TOKEN_S: Final = 3600.0
HOOK_S: Final = 5.0
_BODY: Final = struct.Struct(">B12s32sd")
_VERSION: Final = 1
_BAD_RESULT: Final = "Provisioning hook result is in an invalid format."


class Tokens:
    """Seals and opens ownership tokens under one key, which must outlive a restart."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, account: str, certificate_id: str, *, now: float) -> str:
        """Answer the token that proves that its bearer was given the certificate. 114 characters."""
        body = _BODY.pack(_VERSION, account.encode("ascii"), bytes.fromhex(certificate_id), now + TOKEN_S)
        return _spelled(body + self._mac(body))

    def maybe_open(self, token: str, account: str, *, now: float) -> str | None:
        """Answer the certificate's id, None when the token is forged, too old or of another account."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        if token != _spelled(raw):
            return None  # the same bits can be spelled in other ways
        if len(body) != _BODY.size or not hmac.compare_digest(mac, self._mac(body)):
            return None
        version, owner, certificate, expires_at = _BODY.unpack(body)
        if version != _VERSION or owner.decode("ascii") != account or now > expires_at:
            return None
        return str(certificate.hex())

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"certificate ownership" + body, hashlib.sha256)


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """What a thing has before it is provisioned (again)."""

    type: str | None
    attributes: Mapping[str, str]
    groups: Sequence[str]
    group_arn: str  # before the name of a group
    own: bool  # this very certificate is attached to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be done to a thing that exists; None means: leave it."""

    attributes: Mapping[str, str] | None
    type: str | None
    join: Sequence[str]
    leave: Sequence[str]

    @property
    def of_thing(self) -> bool:
        """Whether the thing itself changes (not only its groups)."""
        return self.attributes is not None or self.type is not None


def change_of(existing: Existing, wanted: ResolvedThing) -> Change:
    """Answer what the template changes of the thing; raise Conflict where its OverrideSettings forbid it."""
    attributes, kind = _attributes(existing, wanted), _type(existing, wanted)
    join, leave = _groups(existing, wanted)
    return Change(attributes=attributes, type=kind, join=join, leave=leave)


def _attributes(existing: Existing, wanted: ResolvedThing) -> Mapping[str, str] | None:
    if wanted.attributes is None:
        return None
    old = dict(existing.attributes)
    new = {name: value for name, value in wanted.attributes.items() if value}
    override = wanted.overrides.get("AttributePayload")
    if override is Override.MERGE:
        new = {**old, **new}
        new = {name: value for name, value in new.items() if wanted.attributes.get(name) != ""}
    elif not _may_replace(existing, override, same=old == new):
        raise Conflict(
            f"Existing AttributePayload: {_printed(old)} conflicts with AttributePayload: {_printed(new)} in Template."
        )
    elif override is Override.DO_NOTHING:
        return None
    return None if new == old else new


def _type(existing: Existing, wanted: ResolvedThing) -> str | None:
    if wanted.type is None:
        return None
    override = wanted.overrides.get("ThingTypeName")
    same = existing.type == wanted.type
    if not _may_replace(existing, override, same=same):
        raise Conflict(f"Existing ThingType: {existing.type} conflicts with ThingType: {wanted.type} in Template.")
    return None if same or override is Override.DO_NOTHING else wanted.type


def _groups(existing: Existing, wanted: ResolvedThing) -> tuple[Sequence[str], Sequence[str]]:
    if wanted.groups is None:
        return (), ()
    override = wanted.overrides.get("ThingGroups")
    same = set(existing.groups) == set(wanted.groups)
    if override is not Override.MERGE and not _may_replace(existing, override, same=same):
        there = (f"{{GroupName: {name},GroupArn: {existing.group_arn}{name}}}" for name in existing.groups)
        raise Conflict(
            f"Existing ThingGroups: [{', '.join(there)}] conflict with "
            f"ThingGroups: [{', '.join(wanted.groups)}] in Template."
        )
    if override is Override.DO_NOTHING:
        return (), ()
    join = [name for name in wanted.groups if name not in existing.groups]
    leave = [name for name in existing.groups if name not in wanted.groups] if override is Override.REPLACE else []
    return join, leave


def _may_replace(existing: Existing, override: Override | None, *, same: bool) -> bool:
    if override is Override.FAIL:
        return existing.own and same
    return same or override is not None


def _printed(attributes: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in attributes.items()) + "}"


def same_key(one_pem: str, other_pem: str) -> bool:
    """Tell whether two certificates are for the same key; kinds of keys that we cannot read are never the same."""
    try:
        return pki.read_certificate(one_pem).public_key() == pki.read_certificate(other_pem).public_key()
    except (pki.BadCertificate, UnsupportedAlgorithm):
        return False


def plain_text(value: Any) -> str | None:
    """Answer a text, number or truth value as text, None for anything else and for what no wire could carry."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    try:
        text = str(value)
        text.encode("utf-8")
    except ValueError:  # half a surrogate pair, or a number of thousands of digits
        return None
    return text


def hook_answer(result: bytes, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Answer the parameters with the hook's overrides (null takes one away).

    Raises InvalidResult for an answer of the wrong form, Denied when the hook did not allow it.
    """
    if not result.strip():
        raise InvalidResult("The provisioning hook did not return a response.")
    try:
        answer = json.loads(result, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InvalidResult(_BAD_RESULT, cause="it is no JSON") from error
    if answer is None:
        raise InvalidResult("The provisioning hook did not return a response.")
    if not isinstance(answer, dict):
        raise InvalidResult(_BAD_RESULT, cause="it is no JSON object")
    if not _allowed(answer.get("allowProvisioning")):
        raise Denied("Access Denied", cause="the pre-provisioning hook does not allow it")
    overrides = answer.get("parameterOverrides")
    if not isinstance(overrides, dict | None):
        raise InvalidResult(_BAD_RESULT, cause="parameterOverrides is no object")
    changed = dict(parameters)
    for name, value in (overrides or {}).items():
        text = plain_text(value)
        if plain_text(name) is None or (text is None and value is not None):
            cause = f"the override of {name[:128]!a} is no text"
            raise InvalidResult(_BAD_RESULT, cause=cause)
        if text is None:
            changed.pop(name, None)
        else:
            changed[name] = text
    return changed


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _allowed(value: Any) -> bool:
    """Read it as AWS does: the text "true" and numbers other than 0 count as true."""
    if isinstance(value, bool | int | float):
        return bool(value)
    if isinstance(value, str):
        return value.lower() == "true"
    raise InvalidResult(_BAD_RESULT, cause="allowProvisioning is not there, or neither true nor false")
