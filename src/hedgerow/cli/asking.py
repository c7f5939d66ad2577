"""Asking the service `hedgerow`, as commands do: a refusal is one line."""

from collections.abc import Callable
from typing import Any, TypeVar

from hedgerow.base.errors import Unusable
from hedgerow.cli.target import Target, teach_boto3

T = TypeVar("T")


def asked(cloud: Target, ask: Callable[[Any], T]) -> T:
    """Answer what `ask` has to say when it is handed a client of the service; raise Unusable with what went wrong."""
    from botocore.exceptions import BotoCoreError, ClientError

    teach_boto3()
    try:
        return ask(cloud.client("hedgerow"))
    except ClientError as error:
        raise Unusable(f"the cloud refused: {error.response['Error'].get('Message', error)}") from error
    except BotoCoreError as error:
        raise Unusable(f"the cloud does not answer: {error}; does it run?") from error
