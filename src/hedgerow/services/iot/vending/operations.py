"""What an operator does at the vending machine: list, approve, deny, import, forget.

An approval names the provisioning template that makes the device's thing. A template with a pre-provisioning hook is
refused: here nobody would ask the hook. So is one that is not enabled, or that these parameters do not fill: the device
would be refused later, where nobody looks. A device whose certificate is in use is not approved again: two who decide
about it at the same time would let it have two.
These are operations of our own service `hedgerow`; AWS has none for it.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.core import template as language
from hedgerow.core.caller import Caller
from hedgerow.core.events import Event, Published
from hedgerow.core.paging import InvalidToken
from hedgerow.core.request import Request
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.vending.errors import AlreadyIssued, DeviceUnknown, Unfit
from hedgerow.services.iot.vending.flows import Certificates
from hedgerow.services.iot.vending.model import MOST_IMPORTED, Device, Secrets, State
from hedgerow.services.iot.vending.store import VendingStore
from hedgerow.store import Answer, Tx

DECIDED: Final = "hedgerow/vending/decided/"
"""Before the serial number: where the account is told of every decision about a device that asked."""
_MOST_PARAMETERS: Final = 50
_THING: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_THING_SHOWN: Final = 128
_ANY_CERTIFICATE: Final = "0" * 64
_UNFILLED: Final = (
    language.BadFunction,
    language.BadValue,
    language.CannotResolve,
    language.TooLong,
    language.UnsafeValue,
)


class Template(Protocol):
    """What the vending machine looks at in a template."""

    @property
    def just_in_time(self) -> bool:
        """Whether it is for devices that connect with a certificate of a registered CA, and no other."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it provisions anything now."""
        ...

    @property
    def hook(self) -> object | None:
        """The function that is asked first, if any."""
        ...

    @property
    def default_version(self) -> int:
        """The version that makes devices' things."""
        ...


class Version(Protocol):
    """What the vending machine looks at in a template's version."""

    @property
    def body(self) -> str:
        """The document."""
        ...


class Templates(Protocol):
    """The rows of provisioning templates."""

    def get(self, tx: Tx, account: str, name: str) -> Template | None:
        """Answer the template, or None."""
        ...

    def version(self, tx: Tx, account: str, name: str, number: int) -> Version | None:
        """Answer one version of it, or None."""
        ...


class VendingOperations:
    """The operations at the vending machine."""

    def __init__(
        self,
        *,
        devices: VendingStore,
        templates: Templates,
        certificates: Certificates,
        secrets: Secrets,
        pages: Pages,
    ) -> None:
        self._devices = devices
        self._certificates = certificates
        self._templates = templates
        self._secrets = secrets
        self._pages = pages

    def list_vending_requests(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        state = request.get("state") or ""
        try:
            page = self._pages.by_token(request, caller, "ListVendingRequests", state=state)
        except InvalidToken as error:
            raise Unfit("The nextToken is not valid.") from error
        found = self._devices.list(tx, caller.account, state=state, after=page.after(), limit=page.limit)
        return Answer(page.answer("devices", found, key=lambda d: (d.serial,), show=_shown))

    def approve_vending_request(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device, form = self._get(tx, request, caller), self._form(tx, caller, request["templateName"])
        if device.certificate_id is not None and self._certificates.in_use(tx, caller.account, device.certificate_id):
            raise AlreadyIssued(device.serial)
        approved = device.approved(
            template=form.template,
            parameters=form.filled(request, device.serial),
            by=caller.principal,
            now=tx.now,
            until=_moment(request, tx.now),
        )
        self._devices.put(tx, caller.account, approved)
        return Answer({"device": _shown(approved)}, events=(_decided(caller, approved),))

    def deny_vending_request(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        denied = self._get(tx, request, caller).denied(by=caller.principal, now=tx.now)
        self._devices.put(tx, caller.account, denied)
        return Answer({"device": _shown(denied)}, events=(_decided(caller, denied),))

    def delete_vending_request(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._devices.remove(tx, caller.account, self._get(tx, request, caller).serial)
        return Answer({})

    def import_vending_devices(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        entries, until = request["devices"], _moment(request, tx.now)
        if not 1 <= len(entries) <= MOST_IMPORTED:
            raise Unfit(f"devices must have 1 to {MOST_IMPORTED} entries")
        _check_once([entry["serialNumber"] for entry in entries])
        form, taken = self._form(tx, caller, request["templateName"]), 0
        left: dict[State, list[str]] = {State.ISSUED: [], State.DENIED: []}
        decided: list[Event] = []
        for entry in entries:
            serial = entry["serialNumber"]
            token = self._secrets.hashed(caller.account, serial, entry["token"])
            known = self._devices.get(tx, caller.account, serial)
            if known is not None and known.outlasts_import(token):
                entry.take_all("parameters")
                left[known.state].append(serial)
                continue
            parameters = form.filled(entry, serial)
            fresh = Device(serial=serial, state=State.PENDING, token=token)
            approved = fresh.approved(
                template=form.template, parameters=parameters, by=caller.principal, now=tx.now, until=until
            )
            self._devices.put(tx, caller.account, approved)
            taken += 1
            if known is not None:
                decided.append(_decided(caller, approved))
        answer = {"imported": taken, "alreadyIssued": left[State.ISSUED], "denied": left[State.DENIED]}
        return Answer(answer, events=tuple(decided))

    def _get(self, tx: Tx, request: Request, caller: Caller) -> Device:
        device = self._devices.get(tx, caller.account, request["serialNumber"])
        if device is None:
            raise DeviceUnknown(request["serialNumber"])
        return device

    def _form(self, tx: Tx, caller: Caller, name: str) -> "_Form":
        template = self._templates.get(tx, caller.account, name)
        if template is None:
            raise Unfit(f"There is no provisioning template named {name}")
        if template.just_in_time:
            raise Unfit(f"Template {name} is of type JITP, which is not for this")
        if not template.enabled:
            raise Unfit(f"Template {name} is not enabled")
        if template.hook is not None:
            raise Unfit(f"Template {name} has a pre-provisioning hook, which nobody would ask here")
        version = self._templates.version(tx, caller.account, name, template.default_version)
        body = "" if version is None else version.body
        try:
            return _Form(template=name, document=language.read(body), known=language.parameters(body))
        except language.BadTemplate as error:
            raise Unfit(f"Template {name} is of no use: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A template that waits for parameters."""

    template: str
    document: language.Template
    known: frozenset[str]  # the names of its parameters

    def filled(self, request: Request, serial: str) -> dict[str, str]:
        """Answer the parameters for a device; raise Unfit when the template cannot do with them."""
        given = {} if request.get("parameters") is None else dict(request.take_all("parameters"))
        if len(given) > _MOST_PARAMETERS:
            raise Unfit(f"parameters may have {_MOST_PARAMETERS} entries at most")
        unknown = next((name for name in given if name not in self.known), None)
        if unknown is not None:
            raise Unfit(f"Template {self.template} has no parameter {unknown}")
        parameters = {"SerialNumber": serial, "ThingName": serial, **given}
        try:
            resolved = language.resolve(self.document, parameters, certificate_id=_ANY_CERTIFICATE)
        except _UNFILLED as error:
            raise Unfit(f"Template {self.template} cannot let {serial} in: {error}") from error
        if resolved.thing is not None and _THING.fullmatch(resolved.thing.name) is None:
            raise Unfit(
                f"Template {self.template} would call the thing of {serial} {resolved.thing.name[:_THING_SHOWN]!r}, "
                "which is no name: 1 to 128 letters, digits, : _ and -"
            )
        return parameters


def _check_once(serials: Sequence[str]) -> None:
    twice = next((serial for serial, count in Counter(serials).items() if count > 1), None)
    if twice is not None:
        raise Unfit(f"devices has the serial number {twice} more than once")


def _decided(caller: Caller, device: Device) -> Published:
    news = {"serialNumber": device.serial, "state": device.state.value, "decidedBy": caller.principal}
    return Published(account=caller.account, topic=DECIDED + device.serial, payload=json.dumps(news).encode())


def _moment(request: Request, now: float) -> float | None:
    given = request.get("expiresAt")
    if given is None:
        return None
    end = float(given.timestamp() if hasattr(given, "timestamp") else given)
    if end <= now:
        raise Unfit("expiresAt must be in the future")
    return end


def _shown(device: Device) -> dict[str, Any]:
    written = {
        "serialNumber": device.serial,
        "state": device.state.value,
        "requestedAt": device.requested_at,
        "address": device.address,
        "expiresAt": device.expires_at,
        "templateName": device.template,
        "decidedAt": device.decided_at,
        "decidedBy": device.decided_by,
        "certificateId": device.certificate_id,
    }
    return {name: value for name, value in written.items() if value is not None}
