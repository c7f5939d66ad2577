"""Asking the owner of a URL to confirm it, and delivering to confirmed ones.

The request carries the token; the owner answers with ConfirmTopicRuleDestination, signed by the account that made the
destination. AWS offers an unsigned link (`enableUrl`) as well; here nothing that changes state works unsigned.
"""

import json
from collections.abc import Sequence
from typing import Final, Protocol

from hedgerow.base.errors import HedgerowError, Unavailable
from hedgerow.services.iot.destinations.operations import DestinationOperations, destination_arn
from hedgerow.store import Answer, FollowUp, Run, Tx

TRIES: Final = 3


class NotConfirmed(HedgerowError):
    """There is no enabled destination for a URL."""


class Http(Protocol):
    """Posts to a URL outside."""

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Post; Unavailable when trying again can help (429, 5xx, no answer), HedgerowError when it cannot."""
        ...


class DestinationFlows:
    """The outside steps of destinations."""

    def __init__(self, *, run: Run, http: Http, destinations: DestinationOperations, region: str) -> None:
        self._run = run
        self._http = http
        self._destinations = destinations
        self._region = region

    async def on_confirmation(self, row: FollowUp) -> None:
        """Ask the owner; after the last try the destination is in ERROR with the reason."""
        waiting = await self._run.read(lambda tx: self._destinations.waiting(tx, row.account, row.key))
        if waiting is None:
            return
        arn = destination_arn(self._region, row.account, row.key)
        body = {"arn": arn, "confirmationToken": waiting.token, "messageType": "DestinationConfirmation"}
        headers = [
            ("Content-Type", "application/json"),
            ("x-amz-rules-engine-message-type", "DestinationConfirmation"),
            ("x-amz-rules-engine-destination-arn", arn),
        ]
        try:
            await self._http.post(waiting.url, headers, json.dumps(body).encode())
        except Unavailable as error:
            if row.attempts + 1 < TRIES:
                raise
            await self._note_failure(row, str(error))
        except HedgerowError as error:
            await self._note_failure(row, str(error))

    async def post(self, account: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Deliver to a confirmed destination; raise NotConfirmed when there is none for the URL."""
        if not await self._run.read(lambda tx: self._destinations.takes(tx, account, url)):
            raise NotConfirmed(f"no confirmed topic rule destination begins {url}; create and confirm one")
        await self._http.post(url, headers, body)

    async def _note_failure(self, row: FollowUp, reason: str) -> None:
        def work(tx: Tx) -> Answer:
            self._destinations.failed(tx, row.account, row.key, reason)
            return Answer()

        await self._run.write(work)
