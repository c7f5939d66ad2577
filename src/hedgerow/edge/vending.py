"""Enrolment by the vending machine: a key made here, a serial number and a token, and somebody who approves.

The key is on the medium before the cloud hears of its public half, and every try shows the same key and token. The
cloud gives one certificate for them, and the same one to who asks again: a power cut anywhere goes on, or has it
already. Leaves to others: the connection (`vending_line.py`), waiting and trying again (`enrolment.py`).
Spec: docs/onboarding.md, "The vending machine".
"""

import asyncio
from contextlib import aclosing
from typing import Any

from hedgerow.base.files import Files
from hedgerow.base.log import get_logger
from hedgerow.edge.enrolment import Waits, keep, make_room
from hedgerow.edge.identity import Identity, fits, request_for
from hedgerow.edge.keys import Keys
from hedgerow.edge.notice import Console
from hedgerow.edge.state import State
from hedgerow.edge.trouble import NotLetIn, Trouble
from hedgerow.edge.vending_line import Answers
from hedgerow.edge.vending_settings import Vending

_LONGEST_WAIT_S = 3600.0  # whatever the answer says
_log = get_logger("edge.vending")


class VendingEnrolment:
    """Tries to enrol at the vending machine. One object per process; one try at a time."""

    def __init__(
        self, *, vending: Vending, answers: Answers, state: State, keys: Keys, files: Files, console: Console
    ) -> None:
        self._vending = vending
        self._answers = answers
        self._state = state
        self._keys = keys
        self._files = files
        self._console = console

    def __str__(self) -> str:
        line = "WebSocket" if self._vending.by_socket else "HTTPS"
        return f"at the vending machine {self._vending.endpoint}, by {line}"

    async def attempt(self) -> Identity:
        vending = self._vending
        serial = await asyncio.to_thread(vending.serial.read)
        token = await asyncio.to_thread(vending.token.read)
        key = await self._keys.key(vending.new_private_key)
        await asyncio.to_thread(make_room, vending.new_certificate, self._files)
        request = await asyncio.to_thread(request_for, key)
        said = {"serialNumber": serial, "token": token, "certificateSigningRequest": request}
        if vending.account:
            said["accountId"] = vending.account
        after_s: float | None = None
        async with aclosing(self._answers(said)) as answers:
            async for answer in answers:
                _check(answer, serial)
                if answer.get("status") == "ISSUED":
                    return await self._kept(answer, key)
                after_s = _retry_after(answer)
                self._wait(serial)
        if after_s is None:
            raise Trouble(f"the vending machine {vending.endpoint} ended the connection without an answer")
        raise Waits(f"device {serial} waits for its approval", after_s=after_s)

    def _wait(self, serial: str) -> None:
        self._console.say(f"device {serial} waits for its approval")
        _log.info("waiting for approval", extra={"fields": {"serial": serial}})

    async def _kept(self, answer: dict[str, Any], key: Any) -> Identity:
        pem, thing_name = answer.get("certificatePem"), answer.get("thingName")
        if not isinstance(pem, str) or not fits(pem, key):
            raise Trouble("the cloud sent a certificate that is not for this device's key", permanent=True)
        if not isinstance(thing_name, str) or not thing_name:
            raise Trouble("the template that was approved for this device makes no thing", permanent=True)
        identity = Identity(
            thing_name=thing_name,
            certificate=self._vending.new_certificate,
            private_key=self._vending.new_private_key,
            certificate_id=str(answer.get("certificateId", "")),
        )
        return await keep(identity, pem, answer.get("deviceConfiguration") or {}, state=self._state, files=self._files)


def _check(answer: dict[str, Any], serial: str) -> None:
    """Raise what an answer means that is neither a certificate nor to wait."""
    status, text = answer.get("statusCode"), answer.get("message") or answer.get("errorType") or ""
    if status == 200 and answer.get("status") in ("PENDING", "ISSUED"):
        return
    if status == 403:
        raise NotLetIn(
            f"the vending machine does not accept device {serial} with this token; its operator sees why: "
            "hedgerow onboarding list --failed",
            permanent=True,
        )
    if status == 400:
        raise Trouble(f"the vending machine cannot use what device {serial} says: {text}", permanent=True)
    if status == 429:
        raise Trouble(f"the vending machine has too much to do: {text}")
    raise Trouble(f"the vending machine's answer is of no use: {status} {text}".rstrip())


def _retry_after(answer: dict[str, Any]) -> float:
    value = answer.get("retryAfterSeconds")
    return min(_LONGEST_WAIT_S, float(value)) if isinstance(value, int | float) and value > 0 else 0.0
