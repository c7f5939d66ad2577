"""What a command says when the cloud refuses or does not answer: one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from hedgerow.base.errors import Unusable


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turn what boto3 raises inside the block into Unusable."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        yield
    except ClientError as error:
        raise Unusable(f"the cloud refused: {error.response['Error'].get('Message') or error}") from error
    except ParamValidationError as error:
        said = " ".join(str(error).split())
        raise Unusable(said.removeprefix("Parameter validation failed: ")) from error
    except BotoCoreError as error:
        raise Unusable(f"the cloud does not answer: {error}; does it run?") from error
