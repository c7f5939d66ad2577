"""`hedgerow console`: print a link that signs its bearer in to the web console, once."""

from pathlib import Path
from typing import Annotated

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.target import read_ready, target, teach_boto3


def console(data: Annotated[Path, typer.Option("--data", help="The cloud's data folder.")]) -> None:
    """Print a link to the web console that works once, for ten minutes."""
    typer.echo(new_link(data))


def new_link(data: Path) -> str:
    """Answer a fresh link; raises Unusable when the cloud does not run, or runs without a console."""
    url = read_ready(data).get("console_url")
    if url is None:
        raise Unusable(f"the cloud in {data} runs without a console: start it without --no-console")
    from botocore.exceptions import BotoCoreError, ClientError

    teach_boto3()
    try:
        token = target(data).client("hedgerow").create_console_sign_in()["token"]
    except ClientError as error:
        raise Unusable(f"no link: {error.response['Error'].get('Message', error)}") from error
    except BotoCoreError as error:
        raise Unusable(f"the cloud in {data} does not answer: {error}; does it run?") from error
    return f"{url}/sign-in?token={token}"
