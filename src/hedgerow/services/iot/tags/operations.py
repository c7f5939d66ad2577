"""TagResource, UntagResource, ListTagsForResource of the service iot.

The tags stand here; whether there is such a resource, the kind's own subject says.
"""

from collections.abc import Mapping
from typing import Protocol

from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.tags.errors import NothingThere, NotTaggable
from hedgerow.services.iot.tags.model import checked, kind_and_name, read_tags
from hedgerow.services.iot.tags.store import TagStore
from hedgerow.store import Answer, Tx


class Taggable(Protocol):
    """A kind of resource."""

    def exists(self, tx: Tx, caller: Caller, name: str) -> bool:
        """Tell whether the caller's account has one of that name."""
        ...


class TagOperations:
    """The operations on tags; `kinds` has what an ARN's resource begins with (`thinggroup`)."""

    def __init__(self, *, store: TagStore, kinds: Mapping[str, Taggable], pages: Pages) -> None:
        self._store = store
        self._kinds = kinds
        self._pages = pages

    def tag_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        resource = self._resource(tx, request, caller)
        new = read_tags(request.take_all("tags"))
        together = checked({**self._store.get(tx, caller.account, resource), **new})
        self._store.put(tx, caller.account, resource, together)
        return Answer({})

    def untag_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        resource = self._resource(tx, request, caller)
        self._store.take(tx, caller.account, resource, request.take_all("tagKeys"))
        return Answer({})

    def list_tags_for_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        resource = self._resource(tx, request, caller)
        page = self._pages.by_token_of(50, request, caller, "ListTagsForResource", resource=resource)
        found = list(self._store.get(tx, caller.account, resource).items())  # 50 at most: one page
        return Answer(
            page.answer("tags", found, key=lambda tag: (tag[0],), show=lambda tag: {"Key": tag[0], "Value": tag[1]})
        )

    def _resource(self, tx: Tx, request: Request, caller: Caller) -> str:
        text = request["resourceArn"]
        arn = parse(text)
        if arn is None or arn.service != "iot":
            raise NotTaggable(text)
        if (arn.account, arn.region) != (caller.account, caller.region):
            raise InvalidRequest(f"{text} is not of account {caller.account} in {caller.region}")
        what, name = kind_and_name(arn.resource) or ("", "")
        kind = self._kinds.get(what)
        if kind is None:
            raise NotTaggable(text)
        if not kind.exists(tx, caller, name):
            raise NothingThere(text)
        return f"{what}/{name}"
