"""Asking the service `hedgerow`, as commands do: a refusal is one line."""

from collections.abc import Callable
from typing import Any, TypeVar

from hedgerow.cli.refusals import in_one_line
from hedgerow.cli.target import Target, teach_boto3

T = TypeVar("T")


def asked(cloud: Target, ask: Callable[[Any], T]) -> T:
    """Answer what `ask` has to say when it is handed a client of the service; raise Unusable with what went wrong."""
    teach_boto3()
    with in_one_line():
        return ask(cloud.client("hedgerow"))
