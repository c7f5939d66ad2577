"""What one signed-in person does to let devices in: claims, waiting devices, the record. With that person's own rights.

Every call blocks. Leaves to others: the watch of the fleet (`api.py`), and what the pages look like.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import Any, Final

from hedgerow.base.errors import HedgerowError
from hedgerow.base.log import get_logger
from hedgerow.console.calls import Calls, seconds
from hedgerow.console.errors import Refused
from hedgerow.console.handout import Handout

log = get_logger("console")

ATTEMPTS: Final = 25  # of one page
MOST_WAITING: Final = 1_000
MOST_ROWS: Final = 10_000  # of one file
_AT_ONCE: Final = 100  # devices of one call


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where devices connect, as the console was told. Without a host the cloud is asked for it."""

    host: str | None = None
    mqtt_port: int = 8883
    https_port: int = 8443
    ca_pem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A provisioning template."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A device at the vending machine, and what was decided about it."""

    serial: str
    state: str = "PENDING"
    requested_at: float | None = None
    address: str = ""
    template: str = ""
    decided_at: float | None = None
    decided_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to get in. `device` is its name, or what else is known of who asked."""

    at: float | None
    way: str
    accepted: bool
    device: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a list: how many may have a certificate, who has one already, who stays denied, and why it ended
    early.
    """

    count: int
    left: tuple[str, ...]
    denied: tuple[str, ...] = ()
    trouble: str = ""


class Onboarding:
    """One person's work. May be used from several threads at once."""

    def __init__(self, calls: Calls, *, doors: Doors, region: str) -> None:
        self._calls, self._doors, self._region = calls, doors, region

    def templates(self) -> list[Template]:
        """Answer the provisioning templates that devices can be let in by, by name."""
        found = self._calls.pages("iot", "list_provisioning_templates", "templates", maxResults=250)
        fit = [
            Template(name=each["templateName"], enabled=bool(each.get("enabled")))
            for each in found
            if each.get("type") != "JITP"
        ]
        return sorted(fit, key=lambda one: one.name)

    def claim(self, template: str) -> Handout:
        """Make a claim that is good for minutes."""
        host = self._doors.host
        if host is None:
            host = self._calls.call("iot", "describe_endpoint", endpointType="iot:Data-ATS")["endpointAddress"]
        made = self._calls.call("iot", "create_provisioning_claim", templateName=template)
        fields = {"template": template, "certificate": made["certificateId"]}
        log.info("a provisioning claim was handed out", extra={"fields": fields})
        return Handout(
            template=template,
            certificate_id=made["certificateId"],
            certificate_pem=made["certificatePem"],
            private_key_pem=made["keyPair"]["PrivateKey"],
            ca_pem=self._doors.ca_pem,
            host=str(host),
            mqtt_port=self._doors.mqtt_port,
            https_port=self._doors.https_port,
            region=self._region,
            expires_at=seconds(made["expiration"]) or 0.0,
        )

    def cancel(self, certificate_id: str) -> None:
        """End a claim before its time; it lets nobody in any more."""
        self._calls.call("hedgerow", "delete_claim", certificateId=certificate_id)
        log.info("a provisioning claim was cancelled", extra={"fields": {"certificate": certificate_id}})

    def waiting(self, state: str) -> list[Waiting]:
        """Answer the devices at the vending machine in a state, who asked first first; at most MOST_WAITING."""
        pages = self._calls.pages("hedgerow", "list_vending_requests", "devices", state=state, maxResults=100)
        found = [
            Waiting(
                serial=each["serialNumber"],
                state=each["state"],
                requested_at=seconds(each.get("requestedAt")),
                address=each.get("address", ""),
                template=each.get("templateName", ""),
                decided_at=seconds(each.get("decidedAt")),
                decided_by=each.get("decidedBy", ""),
            )
            for each in islice(pages, MOST_WAITING)
        ]
        return sorted(found, key=lambda one: (one.requested_at or 0.0, one.serial))

    def approve(self, serial: str, template: str, parameters: Mapping[str, str]) -> None:
        """Let a device have a certificate, once."""
        more = {"parameters": dict(parameters)} if parameters else {}
        self._calls.call("hedgerow", "approve_vending_request", serialNumber=serial, templateName=template, **more)

    def deny(self, serial: str) -> None:
        """Refuse a device from now on."""
        self._calls.call("hedgerow", "deny_vending_request", serialNumber=serial)

    def import_devices(self, template: str, text: str) -> Imported:
        """Approve the devices of a CSV before they ask; raises Refused, before anything is done, for a bad file."""
        entries = list(_entries(text))
        count, left, denied = 0, list[str](), list[str]()
        for first in range(0, len(entries), _AT_ONCE):
            some = entries[first : first + _AT_ONCE]
            try:
                done = self._calls.call("hedgerow", "import_vending_devices", templateName=template, devices=some)
            except HedgerowError as error:
                if not first:
                    raise
                return Imported(count=count, left=tuple(left), denied=tuple(denied), trouble=str(error))
            count += done["imported"]
            left += done.get("alreadyIssued", ())
            denied += done.get("denied", ())
        return Imported(count=count, left=tuple(left), denied=tuple(denied))

    def attempts(self, *, failed: bool, device: str, token: str) -> tuple[list[Attempt], str]:
        """Answer one page of the record, newest first, and the token of the next ("": that was the last)."""
        wanted = {"outcome": "REFUSED" if failed else "", "device": device, "nextToken": token}
        given = {name: value for name, value in wanted.items() if value}
        answer = self._calls.call("hedgerow", "list_onboarding_attempts", maxResults=ATTEMPTS, **given)
        found = [
            Attempt(
                at=seconds(each["at"]),
                way=each["way"],
                accepted=each["outcome"] == "ACCEPTED",
                device=each.get("device") or each.get("clientId") or each.get("certificateId", "")[:16],
                address=each.get("address", ""),
                reason=each.get("reason", ""),
            )
            for each in answer.get("attempts", ())
        ]
        return found, answer.get("nextToken", "")


def _entries(text: str) -> Iterator[dict[str, Any]]:
    if "\ufffd" in text:  # what browsers read in place of bytes that are none
        raise Refused("The file is not written in UTF-8: save it so.")
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        columns = reader.fieldnames or ()
        if not {"serial", "token"} <= set(columns):
            raise Refused("The file must begin with a line of names with commas between, among them serial and token.")
        if len(set(columns)) < len(columns):
            raise Refused("The file names a column more than once.")
        seen: set[str] = set()
        for number, row in enumerate(reader, 1):
            if number > MOST_ROWS:
                raise Refused(f"The file has more than {MOST_ROWS} devices: import it in parts.")
            fault = _fault(row, seen)
            if fault:
                raise Refused(f"Line {reader.line_num}: {fault}.")
            seen.add(row["serial"])
            more = {name: value for name, value in row.items() if name not in ("serial", "token") and name and value}
            entry: dict[str, Any] = {"serialNumber": row["serial"], "token": row["token"]}
            yield {**entry, "parameters": more} if more else entry
    except csv.Error as error:
        raise Refused(f"Line {reader.line_num} is no CSV: {error}.") from error


def _fault(row: Mapping[str | None, Any], seen: set[str]) -> str:
    if not row["serial"] or not row["token"]:
        return "serial and token must be given"
    if None in row or None in row.values():
        return "it has not as many fields as the first line"
    if row["token"].strip() != row["token"]:
        return "a token has no blanks around it"
    if row.get(""):
        return f"{row['']!r} is in a column without a name"
    return f"{row['serial']} is there twice" if row["serial"] in seen else ""
