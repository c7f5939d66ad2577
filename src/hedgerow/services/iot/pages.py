"""Pages of the registry's lists: keyset paging under opaque tokens.

Two families: `nextToken` with `maxResults`, and `marker` with `pageSize`, which answers `nextMarker`. A position is the
key of the last item that was answered; the store is asked for one item more than the page holds.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request

T = TypeVar("T")

DEFAULT: Final = 25


@dataclass(frozen=True, slots=True)
class Page:
    """One page that was asked for."""

    pager: Pager
    scope: str
    size: int
    position: tuple[Any, ...]  # empty on the first page
    answer_as: str

    @property
    def limit(self) -> int:
        """How many items to read: one more than the page holds, to know whether there is another."""
        return self.size + 1

    def after(self, first: Any = "") -> Any:
        """Answer the one-part key to go on after; `first` on the first page."""
        return self.position[0] if self.position else first

    def answer(
        self, name: str, items: Sequence[T], *, key: Callable[[T], tuple[Any, ...]], show: Callable[[T], Any]
    ) -> dict[str, Any]:
        """Answer the output members: the items as shown, and the token when there are more."""
        response: dict[str, Any] = {name: [show(item) for item in items[: self.size]]}
        if len(items) > self.size:
            position = json.dumps(key(items[self.size - 1]))
            response[self.answer_as] = self.pager.token(self.scope, position)
        return response


class Pages:
    """Reads what page a request wants. One per subject; `pager` holds the cloud's key."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager

    def by_token(self, request: Request, caller: Caller, operation: str, **filters: Any) -> Page:
        """Answer the page of a `nextToken`/`maxResults` list; raises InvalidToken for a token of another list."""
        return self.by_token_of(request.get("maxResults"), request, caller, operation, **filters)

    def by_token_of(self, size: int | None, request: Request, caller: Caller, operation: str, **filters: Any) -> Page:
        """Answer the same page with another size than DEFAULT where nothing was asked for."""
        return self._page(request.get("nextToken"), size, caller, operation, filters, "nextToken")

    def by_marker(self, request: Request, caller: Caller, operation: str, **filters: Any) -> Page:
        """Answer the page of a `marker`/`pageSize` list; raises InvalidToken for a marker of another list."""
        return self._page(request.get("marker"), request.get("pageSize"), caller, operation, filters, "nextMarker")

    def _page(
        self,
        token: str | None,
        size: int | None,
        caller: Caller,
        operation: str,
        filters: Mapping[str, Any],
        answer_as: str,
    ) -> Page:
        scope = json.dumps([caller.account, operation, filters], sort_keys=True)
        position = self._pager.position(scope, token)
        return Page(
            pager=self._pager,
            scope=scope,
            size=size or DEFAULT,
            position=() if position is None else tuple(json.loads(position)),
            answer_as=answer_as,
        )
