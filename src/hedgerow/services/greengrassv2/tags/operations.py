"""TagResource, UntagResource, ListTagsForResource: for component versions, deployments and core devices alike.

The tags stand with what they are on; this finds it by its ARN.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.greengrassv2.errors import NotFound, ValidationFailed
from hedgerow.store import Answer, Tx

MOST_TAGS: Final = 50


class Tagged(Protocol):
    """What can have tags."""

    def maybe_tags(self, tx: Tx, account: str, name: str) -> Mapping[str, str] | None:
        """Answer the tags of what is called so, None when there is none; for components `name:versions:version`."""
        ...

    def put_tags(self, tx: Tx, account: str, name: str, tags: Mapping[str, str]) -> None:
        """Write the tags of what is there."""
        ...


class TagOperations:
    """Tags; `kinds` says by the ARN's kind (`components`, `deployments`, `coreDevices`) where they are."""

    def __init__(self, *, kinds: Mapping[str, Tagged]) -> None:
        self._kinds = kinds

    def list_tags_for_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"tags": dict(self._found(tx, request, caller)[2])})

    def tag_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind, name, tags = self._found(tx, request, caller)
        changed = {**tags, **request.take_all("tags")}
        if len(changed) > MOST_TAGS:
            raise ValidationFailed(f"A resource may have {MOST_TAGS} tags at most.", field="tags")
        kind.put_tags(tx, caller.account, name, changed)
        return Answer()

    def untag_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind, name, tags = self._found(tx, request, caller)
        gone = set(request.take_all("tagKeys"))
        kind.put_tags(tx, caller.account, name, {key: value for key, value in tags.items() if key not in gone})
        return Answer()

    def _found(self, tx: Tx, request: Request, caller: Caller) -> tuple[Tagged, str, Mapping[str, str]]:
        text = request["resourceArn"]
        parts = parse(text)
        if parts is None or (parts.account, parts.region) != (caller.account, caller.region):
            raise ValidationFailed(
                f"{text} is not of account {caller.account} in {caller.region}.", field="resourceArn"
            )
        what, _, name = parts.resource.partition(":")
        kind = self._kinds.get(what)
        if parts.service != "greengrass" or kind is None:
            raise ValidationFailed(f"{text} is nothing that can have tags.", field="resourceArn")
        tags = kind.maybe_tags(tx, caller.account, name)
        if tags is None:
            raise NotFound(f"The resource {text} does not exist.", resource=text, kind=what)
        return kind, name, tags
