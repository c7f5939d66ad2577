"""Pages of IAM's lists: `MaxItems` and `Marker` in, `IsTruncated` and `Marker` out."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from hedgerow.core.caller import Caller
from hedgerow.core.paging import InvalidToken, Pager
from hedgerow.core.request import Request
from hedgerow.services.iam.errors import ValidationFailed

T = TypeVar("T")

DEFAULT: Final = 100


class Pages:
    """Cuts sorted lists into pages. `pager` holds the cloud's key."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager

    def answer(
        self,
        request: Request,
        caller: Caller,
        operation: str,
        *,
        name: str,
        items: Sequence[T],
        key: Callable[[T], str],
        show: Callable[[T], Any],
        of: str = "",
    ) -> dict[str, Any]:
        """Answer the page that the request asks for. `items` are all of them, sorted by `key`; `of` names whose."""
        size = request.get("MaxItems") or DEFAULT
        scope = json.dumps([caller.account, operation, of])
        try:
            position = self._pager.position(scope, request.get("Marker"))
        except InvalidToken as error:
            raise ValidationFailed("Invalid Marker.") from error
        rest = items if position is None else [item for item in items if key(item) > position]
        page = rest[:size]
        response: dict[str, Any] = {name: [show(item) for item in page], "IsTruncated": len(rest) > size}
        if len(rest) > size:
            response["Marker"] = self._pager.token(scope, key(page[-1]))
        return response

    def tags(
        self, request: Request, caller: Caller, operation: str, tags: Mapping[str, str], *, of: str
    ) -> dict[str, Any]:
        """Answer the page of tags that the request asks for."""
        return self.answer(
            request,
            caller,
            operation,
            name="Tags",
            items=sorted(tags.items()),
            key=lambda tag: tag[0],
            show=lambda tag: {"Key": tag[0], "Value": tag[1]},
            of=of,
        )


def tags_of(request: Request, name: str = "Tags") -> dict[str, str]:
    """Answer the tags of a request; the last of the same key counts."""
    return {tag["Key"]: tag["Value"] for tag in request.take_all(name) or ()}


def shown_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    """Answer tags as IAM shows them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def shown_boundary(arn: str) -> dict[str, str]:
    """Answer a permissions boundary as IAM shows it."""
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
