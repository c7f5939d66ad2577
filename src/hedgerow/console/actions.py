"""What the pages send by POST because it holds secrets: a claim's private key comes back, tokens of devices go in.

Neither passes through NiceGUI, which keeps what it sends for a while. The guard lets in who is signed in and comes from
the console's own pages. Answers are JSON, and no browser keeps them; what is wrong is told in `message`.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request, Response

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError
from hedgerow.console.desk import Desk
from hedgerow.console.errors import CloudUnreachable, NotThere, Refused, SessionOver
from hedgerow.console.guard import SESSION
from hedgerow.console.handout import Handout, code
from hedgerow.console.onboarding import Imported
from hedgerow.console.sessions import TooManyWatches, Watches

CLAIM: Final = "/onboarding/claim"
CANCEL: Final = "/onboarding/cancel"
IMPORT: Final = "/onboarding/import"
MAX_BODY: Final = 1024 * 1024
_STATUS: Final = ((SessionOver, 401), (NotThere, 404), (Refused, 400), (CloudUnreachable, 502))
_Work = Callable[[Desk, dict[str, str]], Awaitable[dict[str, Any]]]


class Actions:
    """The actions. It holds nothing of what passes through."""

    def __init__(self, *, watches: Watches, clock: Clock) -> None:
        self._watches, self._clock = watches, clock

    def add(self, application: FastAPI) -> None:
        """Add the paths."""
        application.add_api_route(CLAIM, self._claim, methods=["POST"])
        application.add_api_route(CANCEL, self._cancel, methods=["POST"])
        application.add_api_route(IMPORT, self._import, methods=["POST"])

    async def _claim(self, request: Request) -> Response:
        async def work(desk: Desk, given: dict[str, str]) -> dict[str, Any]:
            template = given.get("template", "")
            if not template:
                raise Refused("Name a provisioning template.")
            return _shown(await desk.do(lambda work: work.claim(template)), now=self._clock.now())

        return await self._answered(request, work)

    async def _cancel(self, request: Request) -> Response:
        async def work(desk: Desk, given: dict[str, str]) -> dict[str, Any]:
            certificate_id = given.get("certificateId", "")
            if not certificate_id:
                raise Refused("Say which claim.")
            await desk.do(lambda work: work.cancel(certificate_id))
            return {"message": "The claim is cancelled. It lets nobody in any more."}

        return await self._answered(request, work)

    async def _import(self, request: Request) -> Response:
        async def work(desk: Desk, given: dict[str, str]) -> dict[str, Any]:
            template, text = given.get("template", ""), given.get("text", "")
            if not template:
                raise Refused("Choose a provisioning template first.")
            return _told(await desk.do(lambda work: work.import_devices(template, text)))

        return await self._answered(request, work)

    async def _answered(self, request: Request, work: _Work) -> Response:
        try:
            given = await _body(request)
            watch, release = self._watches.lease(request.scope[SESSION], look=False)
            try:
                return _json(200, await work(watch.desk, given))
            finally:
                release()
        except TooManyWatches:
            return _json(503, {"message": "Too many people are signed in now. Try again later."})
        except HedgerowError as error:
            status = next((number for kind, number in _STATUS if isinstance(error, kind)), 400)
            return _json(status, {"message": str(error)})


async def _body(request: Request) -> dict[str, str]:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY:
            raise Refused("That is more than a megabyte: import it in parts.")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused("That is no JSON.") from error
    if not isinstance(given, dict):
        raise Refused("That is no JSON object.")
    return {str(name): value for name, value in given.items() if isinstance(value, str)}


def _shown(made: Handout, *, now: float) -> dict[str, Any]:
    drawn = code(made.text())
    notes = [
        "" if drawn else "This claim is too long for a QR code: use the file.",
        "" if made.ca_pem else "The console does not know the CA that devices check the cloud against: add it there.",
    ]
    return {
        "template": made.template,
        "certificateId": made.certificate_id,
        "seconds": max(0.0, made.expires_at - now),
        "fileName": f"claim-{made.template}.json",
        "file": made.file(),
        "code": drawn,
        "note": " ".join(note for note in notes if note),
    }


def _told(done: Imported) -> dict[str, Any]:
    words = f"{done.count} {'device' if done.count == 1 else 'devices'} may have a certificate."
    if done.left:
        words += f" {len(done.left)} had one before and are left as they are: {', '.join(done.left[:10])}."
    if done.denied:
        words += f" Denied before, and still so: {len(done.denied)}, {', '.join(done.denied[:10])}."
    if done.trouble:
        words += f" Then the cloud refused: {done.trouble}"
    return {"message": words, "whole": not done.trouble}


def _json(status: int, content: dict[str, Any]) -> Response:
    text = json.dumps(content)
    return Response(text, status, {"cache-control": "no-store"}, "application/json")
