"""What a peer did wrong, with the reason code that MQTT 5 has for it."""

from hedgerow.base.errors import ProtocolViolation
from hedgerow.core.mqtt.reasons import Reason


class BadPacket(ProtocolViolation):
    """Bytes that are no MQTT, or MQTT that is not allowed here. The connection ends."""

    def __init__(self, message: str, code: Reason = Reason.MALFORMED_PACKET) -> None:
        super().__init__(message)
        self.code = code
