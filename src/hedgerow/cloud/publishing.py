"""Publishing for Hedgerow itself, answered when the message is stored wherever a receiver needs it."""

import asyncio
from typing import Final

from hedgerow.base.errors import Unavailable
from hedgerow.gateway.ports import Bus, Message

STORED_WITHIN_S: Final = 10.0


async def publish_stored(bus: Bus, message: Message) -> None:
    """Publish; raises Unavailable when it is not known to be stored in time."""
    stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def on_stored(ok: bool) -> None:
        if not stored.done():
            stored.set_result(ok)

    bus.publish(message, on_stored)
    try:
        async with asyncio.timeout(STORED_WITHIN_S):
            ok = await stored
    except TimeoutError as error:
        raise Unavailable(f"the message to {message.topic} was not stored within {STORED_WITHIN_S:g} s") from error
    if not ok:
        raise Unavailable(f"the message to {message.topic} could not be stored")
