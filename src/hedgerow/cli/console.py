"""`hedgerow console`: print a link that signs its bearer in to the web console, once.

With --data its bearer is the first account's root, else whoever the environment's access key belongs to.
"""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.target import read_ready, target, teach_boto3
from hedgerow.cloud.hosts import is_loopback
from hedgerow.console.addresses import PAGES, START, is_page, own_page

CONSOLE_URL = "HEDGEROW_CONSOLE_URL"  # as `hedgerow cloud env` sets it
FOR_PHONES = "this link opens on this machine only: phones need a cloud with --bind ADDRESS and --host NAME"


def console(
    data: Annotated[
        Path | None, typer.Option("--data", help="The cloud's data folder, for root; else the environment's user.")
    ] = None,
    page: Annotated[str, typer.Option(help="The page it opens, like onboarding.")] = START,
    qr: Annotated[bool, typer.Option("--qr", help="Draw it as a QR code, too, for a phone's camera.")] = False,
) -> None:
    """Print a link to the web console that works once, for ten minutes."""
    link = new_link(data, page=page)
    typer.echo(link)
    if qr:
        if is_loopback(urlsplit(link).hostname or ""):
            typer.echo(f"hedgerow: {FOR_PHONES}", err=True)
        typer.echo(drawn(link))


def new_link(data: Path | None, *, page: str = START) -> str:
    """Answer a fresh link; raises Unusable when there is no such page, no running cloud, or one without a console."""
    path = "/" + page.removeprefix("/")
    if not is_page(path):
        known = ", ".join(each.removeprefix("/") for each in PAGES if each != START)
        raise Unusable(f"--page must be one of {known} or device/NAME, not {page!r}")
    cloud, url = target(data), _console_url(data)
    from botocore.exceptions import BotoCoreError, ClientError

    teach_boto3()
    try:
        token = cloud.client("hedgerow").create_console_sign_in()["token"]
    except ClientError as error:
        raise Unusable(f"no link: {error.response['Error'].get('Message', error)}") from error
    except BotoCoreError as error:
        raise Unusable(f"the cloud at {cloud.api_url} does not answer: {error}; does it run?") from error
    link = f"{url}/sign-in?token={token}"
    return link if path == START else f"{link}&page={own_page(path)}"


def _console_url(data: Path | None) -> str:
    if data is None:
        url = os.environ.get(CONSOLE_URL)
        if url is None:
            raise Unusable(f'{CONSOLE_URL} is not set: run eval "$(hedgerow cloud env --data DIR)", or set it')
        return url.rstrip("/")
    url = read_ready(data).get("console_url")
    if url is None:
        raise Unusable(f"the cloud in {data} runs without a console: start it without --no-console")
    return str(url)


def drawn(link: str) -> str:
    """Answer the QR code for a terminal, two rows a line; with colours of its own, for bright and dark terminals."""
    import segno

    rows = [[not dark for dark in row] for row in segno.make_qr(link, error="l").matrix_iter(border=4)]
    rows += [[True] * len(rows[0])] * (len(rows) % 2)
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    lines = (
        "".join(blocks[pair] for pair in zip(*two, strict=True)) for two in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"\033[97;40m{line}\033[0m" for line in lines)
