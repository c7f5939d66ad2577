"""Why a request about core devices is refused."""

from hedgerow.services.greengrassv2.errors import NotFound

KIND = "coreDevice"


class NoSuchCoreDevice(NotFound):
    """No core device of this name has reported yet (or it was deleted and has not reported since)."""

    def __init__(self, thing: str) -> None:
        super().__init__(f"The core device {thing} does not exist.", resource=thing, kind=KIND)
