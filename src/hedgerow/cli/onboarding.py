"""`hedgerow onboarding …`: how devices got their identity, or did not, and from where they asked."""

import json
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hedgerow.cli.asking import asked
from hedgerow.cli.target import target

app = typer.Typer(help="How devices came into the fleet, or did not.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="The cloud's data folder; default: the environment.")]

_NAMES: Final = (
    "way",
    "outcome",
    "device",
    "address",
    "clientId",
    "certificateId",
    "templateName",
    "principal",
    "reason",
)


@app.callback()
def onboarding() -> None:
    """How devices came into the fleet, or did not."""


@app.command("list")
def list_(
    failed: Annotated[bool, typer.Option("--failed", help="Only those that were refused.")] = False,
    device: Annotated[str | None, typer.Option("--device", help="Only of this thing.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="How many at most, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with everything that is known.")] = False,
    data: Data = None,
) -> None:
    """List attempts, newest first: when, by which way, how it ended, which device, from where, and why not."""
    wanted = {"outcome": "REFUSED" if failed else None, "device": device}
    given = {name: value for name, value in wanted.items() if value is not None}

    def ask(hedgerow: Any) -> list[dict[str, Any]]:
        pages = hedgerow.get_paginator("list_onboarding_attempts").paginate(**given)
        return list(islice((attempt for page in pages for attempt in page["attempts"]), last))

    for attempt in asked(target(data), ask):
        typer.echo(_as_json(attempt) if as_json else _in_words(attempt))


def _as_json(attempt: dict[str, Any]) -> str:
    known = {name: attempt[name] for name in _NAMES if name in attempt}
    return json.dumps({"at": attempt["at"].astimezone(UTC).isoformat(), **known})


def _in_words(attempt: dict[str, Any]) -> str:
    """Answer one line: `2026-11-21 08:00:00  CLAIM  REFUSED  lamp  192.0.2.1  AccessDenied: …`."""
    at = attempt["at"].astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = attempt.get("device") or attempt.get("clientId") or attempt.get("certificateId", "-")[:16]
    parts = [at, f"{attempt['way']:<12}", f"{attempt['outcome']:<8}", who, attempt.get("address", "-")]
    return "  ".join([*parts, attempt.get("reason", "")]).rstrip()
