"""HTTP destinations: one method per operation (AWS IoT API reference)."""

from dataclasses import replace
from typing import Any, Final

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.destinations.errors import (
    DestinationExists,
    DestinationKindRefused,
    DestinationNotFound,
    InvalidDestination,
)
from hedgerow.services.iot.destinations.model import Destination, Status, checked_url
from hedgerow.services.iot.destinations.store import DestinationStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

CONFIRMATION: Final = "destination-confirmation"
ALL: Final = 10_000
TOKEN_DIGITS: Final = 64


class DestinationOperations:
    """Create, confirm, look up, switch, delete."""

    def __init__(self, *, pages: Pages, ids: Ids) -> None:
        self._pages = pages
        self._ids = ids

    def create_topic_rule_destination(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        configuration = request["destinationConfiguration"]
        for kind in configuration:
            if kind != "httpUrlConfiguration":
                raise DestinationKindRefused(kind)
        if "httpUrlConfiguration" not in configuration:
            raise InvalidDestination("destinationConfiguration needs httpUrlConfiguration")
        url = checked_url(configuration["httpUrlConfiguration"]["confirmationUrl"])
        destinations = DestinationStore(tx, caller.account)
        if any(each.url == url for each in destinations.page(after="", count=ALL)):
            raise DestinationExists(f"a topic rule destination for {url} is there already")
        made = Destination(
            id=self._ids.uuid(),
            url=url,
            status=Status.IN_PROGRESS,
            reason="",
            token=self._ids.hex(TOKEN_DIGITS),
            created_at=tx.now,
            updated_at=tx.now,
        )
        destinations.add(made)
        tx.follow_up(CONFIRMATION, account=caller.account, key=made.id, body={})
        return Answer({"topicRuleDestination": _shown(made, caller)})

    def get_topic_rule_destination(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = _found(DestinationStore(tx, caller.account), request["arn"])
        return Answer({"topicRuleDestination": _shown(found, caller)})

    def list_topic_rule_destinations(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        page = self._pages.by_token(request, caller, "ListTopicRuleDestinations")
        found = DestinationStore(tx, caller.account).page(after=page.after(), count=page.limit)
        return Answer(
            page.answer(
                "destinationSummaries",
                found,
                key=lambda each: (each.id,),
                show=lambda each: _shown(each, caller, url_as="httpUrlSummary"),
            )
        )

    def update_topic_rule_destination(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        destinations = DestinationStore(tx, caller.account)
        found = _found(destinations, request["arn"])
        status = request["status"]
        if status not in (Status.ENABLED.value, Status.DISABLED.value, Status.IN_PROGRESS.value):
            raise InvalidDestination(
                f"a destination's status can be set to ENABLED, DISABLED or IN_PROGRESS, not {status}"
            )
        if status == Status.IN_PROGRESS.value:
            found = replace(found, token=self._ids.hex(TOKEN_DIGITS))
            tx.follow_up(CONFIRMATION, account=caller.account, key=found.id, body={})
        elif status == Status.ENABLED.value and found.status not in (Status.ENABLED, Status.DISABLED):
            raise InvalidDestination("the destination is not confirmed: set it to IN_PROGRESS to have it asked again")
        destinations.change(replace(found, status=Status(status), reason="", updated_at=tx.now))
        return Answer()

    def delete_topic_rule_destination(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        destinations = DestinationStore(tx, caller.account)
        destinations.delete(_found(destinations, request["arn"]).id)
        return Answer()

    def confirm_topic_rule_destination(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        destinations = DestinationStore(tx, caller.account)
        found = destinations.by_token(request["confirmationToken"])
        if found is None or found.status is not Status.IN_PROGRESS:
            raise InvalidDestination("the confirmation token is unknown or was used before")
        destinations.change(replace(found, status=Status.ENABLED, reason="", updated_at=tx.now))
        return Answer()

    def waiting(self, tx: Tx, account: str, identifier: str) -> Destination | None:
        """Answer a destination that waits for its confirmation."""
        found = DestinationStore(tx, account).get(identifier)
        return found if found is not None and found.status is Status.IN_PROGRESS else None

    def failed(self, tx: Tx, account: str, identifier: str, reason: str) -> None:
        """Note that a destination could not be asked."""
        waiting = self.waiting(tx, account, identifier)
        if waiting is not None:
            changed = replace(waiting, status=Status.ERROR, reason=reason, updated_at=tx.now)
            DestinationStore(tx, account).change(changed)

    def takes(self, tx: Tx, account: str, url: str) -> bool:
        """Tell whether messages may be sent to this URL."""
        return any(each.takes(url) for each in DestinationStore(tx, account).page(after="", count=ALL))


def _found(destinations: DestinationStore, text: str) -> Destination:
    found = destinations.get(text.rsplit("/", 1)[-1])
    if found is None:
        raise DestinationNotFound(text)
    return found


def _shown(destination: Destination, caller: Caller, url_as: str = "httpUrlProperties") -> dict[str, Any]:
    return {
        "arn": destination_arn(caller.region, caller.account, destination.id),
        "status": destination.status.value,
        "statusReason": destination.reason,
        "createdAt": destination.created_at,
        "lastUpdatedAt": destination.updated_at,
        url_as: {"confirmationUrl": destination.url},
    }


def destination_arn(region: str, account: str, identifier: str) -> str:
    """Make the ARN of a destination."""
    return arn("iot", region, account, f"ruledestination/http/{identifier}")
