"""Where a set of limits is not the whole of MQTT: one row for each, with what the standard says and who says otherwise.

A number that the standard leaves to the server is no deviation as long as clients are told of it or may meet it by a
reason code; it stands here nevertheless when `own` has another, so that nothing of AWS's is in a set without a source.
"""

from dataclasses import dataclass
from typing import Final

_MQTT: Final = "AWS IoT Core developer guide, MQTT"
_QUOTAS: Final = "AWS general reference, AWS IoT Core quotas"
_CLOSED: Final = "aws-iot-device-sdk-js-v2 #101"
_SDK: Final = "aws-crt-python, test_mqtt5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One row. `field` is the limit that does it, "" when every set does."""

    field: str
    standard: str  # the clause, of MQTT 5.0 unless it says otherwise
    instead: str
    source: str


def _row(field: str, standard: str, instead: str, source: str) -> Deviation:
    return Deviation(field=field, standard=standard, instead=instead, source=source)


DEVIATIONS: Final = (
    _row("client_id", "3.1.3.1: up to 65,535 bytes", "at most 128 bytes", _QUOTAS),
    _row("topic", "4.7.3: up to 65,535 bytes", "at most 256 bytes", _QUOTAS),
    _row("slashes", "4.7.1.1: any number of levels", "at most 8 levels; 512 in the set `own`", f"{_QUOTAS}; our bound"),
    _row("payload", "3.3.3: as much as fits into a packet", "at most 128 KiB", _QUOTAS),
    _row("packet", "3.2.2.3.6: the server says its maximum", "146 KiB", _QUOTAS),
    _row("filters_per_packet", "3.8.3: any number of filters", "at most 8, else the connection ends", _QUOTAS),
    _row("subscriptions", "3.9.3: quota exceeded is a code", "at most 50 of a connection", _QUOTAS),
    _row("keep_alive_min", "3.1.2.10: the client chooses", "30 s at least, said as Server Keep Alive", _MQTT),
    _row("keep_alive_max", "3.1.2.10: the client chooses", "1,200 s at most, said as Server Keep Alive", _MQTT),
    _row("keep_alive_zero", "3.1.2.10: 0 turns it off", "0 is 1,200 s", _MQTT),
    _row("session_expiry_max", "3.2.2.3.2: the server may say another", "an hour", _QUOTAS),
    _row("expiry_3_1_1", "MQTT 3.1.1 section 4.1: kept as long as an administrator wants", "an hour", _QUOTAS),
    _row("message_expiry_min", "3.3.2.3.3: 0 expires at once", "0 is 1 s", _MQTT),
    _row("message_expiry_max", "3.3.2.3.3: up to 4,294,967,295 s", "7 days", _QUOTAS),
    _row("will_delay", "3.1.3.2.2: the will waits for its delay", "the will is sent at once", _MQTT),
    _row("client_packet_min", "3.1.2.11.4: any above 0", "512 bytes at least", _QUOTAS),
    _row("content_type", "3.3.2.3.9: up to 65,535 bytes", "at most 256 bytes", _QUOTAS),
    _row("correlation_data", "3.3.2.3.6: up to 65,535 bytes", "at most 8 KiB", _QUOTAS),
    _row("user_properties", "3.3.2.3.7: as many as fit", "at most 8 KiB of a packet", _QUOTAS),
    _row("retained_by_wildcard", "MQTT-3.8.4-4: every match", "none for filters with wildcards", _MQTT),
    _row("parent_of_hash", "4.7.1.2: a/# matches a", "it does not", _MQTT),
    _row(
        "maximum_qos",
        "3.2.2.3.4: the server says its maximum, and takes filters at QoS 2 nevertheless [MQTT-3.2.2-10]",
        "QoS 1; a filter at QoS 2 ends the connection with 0x9B, in MQTT 3.1.1 it gets 0x80",
        _MQTT,
    ),
    _row("subscription_ids", "3.2.2.3.12: the server says whether", "none", _MQTT),
    _row("resends", "MQTT-4.4.0-1: the same identifier, with DUP", "another identifier, without DUP", _MQTT),
    _row(
        "refusals_3_1_1",
        "MQTT 3.1.1 section 3.2.2.3: a return code",
        "the connection closes",
        _CLOSED,
    ),
    _row("publishes_per_s", "4.9: receive maximum alone", "100 in a second, the rest is discarded (`aws`)", _QUOTAS),
    _row("connects_per_client_s", "3.1.4: no bound", "one in a second of a client id (`aws`)", _QUOTAS),
    _row("shadow_requests", "no bound", "10 under way about one thing, then 429 (`aws`)", _QUOTAS),
    _row(
        "refused_filter_closes",
        "MQTT 3.1.1 section 3.9.3: 0x80",
        "a filter that a policy refuses ends the connection (`aws`)",
        "aws-iot-device-sdk-js #125, #191",
    ),
    _row("", "3.1.3.1: any client id", "none that begins with $: no API can name it", "iot-data model, ClientId"),
    _row("", "4.7.2: topics with $ are the server's", "those that nobody takes are refused", _MQTT),
    _row("", "3.1.2.11.9: enhanced authentication", "refused: CONNACK 0x8C; AUTH ends the connection", _SDK),
    _row("", "4.13: server redirection", "never", _MQTT),
    _row("", "4.1: a session goes on with another version", "it begins anew", _MQTT),
)
