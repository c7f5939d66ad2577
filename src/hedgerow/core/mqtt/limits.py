"""What a broker allows, as named sets of numbers.

`aws-shapes` (default) has the sizes, counts and refusals that code written for AWS meets (no QoS 2, no subscription
identifiers), and no rates; `aws` adds the rates of a connection and a client id, and closes where AWS closes; `own` is
MQTT 3.1.1 and 5 with wide bounds.
"""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One set. Lengths in bytes, times in seconds."""

    name: str = "aws-shapes"
    client_id: int = 128
    topic: int = 256  # without `$aws/rules/<rule>/`; filters without `$share/<name>/`
    slashes: int = 7
    payload: int = 131_072
    packet: int = 149_504
    filters_per_packet: int = 8
    subscriptions: int = 50  # per connection
    receive_maximum: int = 100  # QoS 1 under way to us, and from us to the client
    topic_alias_maximum: int = 8
    keep_alive_min: int = 30
    keep_alive_max: int = 1200
    keep_alive_zero: int = 1200  # what 0 means; 0 is "never"
    session_expiry_max: int = 3600
    expiry_3_1_1: int = 3600  # of a session that MQTT 3.1.1 keeps
    message_expiry_min: int = 1
    message_expiry_max: int = 604_800
    will_delay: bool = False  # else the delay is taken as 0
    client_packet_min: int = 512  # a client's own Maximum Packet Size below this is refused
    content_type: int = 256
    correlation_data: int = 8192
    user_properties: int = 8192
    retained: int = 500_000  # per account
    retained_by_wildcard: bool = False
    parent_of_hash: bool = False  # does `a/#` match `a`?
    queued: int = 10_000  # messages that one session holds while it cannot take them; the newest are dropped
    queued_bytes: int = 64 * 1024 * 1024  # of one session
    publishes_per_s: int = 0  # of one connection; 0 is no limit
    connects_per_client_s: int = 0  # of one client id; 0 is no limit
    shadow_requests: int = 0  # of one client about one thing, under way at once; 0 is no limit
    refusals_3_1_1: bool = False  # MQTT 3.1.1: say in the CONNACK why; else the connection closes without a word
    refused_filter_closes: bool = False  # MQTT 3.1.1: close, as AWS does, instead of SUBACK 0x80
    maximum_qos: int = 1
    subscription_ids: bool = False
    resends: bool = False  # on a new connection the same identifier and DUP [MQTT-4.4.0-1]; AWS sends anew


AWS_SHAPES: Final = Limits()
AWS: Final = replace(
    AWS_SHAPES,
    name="aws",
    publishes_per_s=100,
    connects_per_client_s=1,
    shadow_requests=10,
    refused_filter_closes=True,
)
OWN: Final = Limits(
    name="own",
    client_id=65_535,
    topic=65_535,
    slashes=511,  # a level costs 300 bytes in the tree of filters: 65,535 of them in one packet would be 20 MB
    payload=64 * 1024 * 1024,
    packet=64 * 1024 * 1024 + 65_536 * 3,
    filters_per_packet=65_535,
    subscriptions=100_000,
    keep_alive_min=0,
    keep_alive_max=65_535,
    keep_alive_zero=0,
    session_expiry_max=0xFFFFFFFF,
    expiry_3_1_1=7 * 86_400,
    message_expiry_min=0,
    message_expiry_max=0xFFFFFFFF,
    will_delay=True,
    client_packet_min=1,
    content_type=65_535,
    correlation_data=65_535,
    user_properties=1024 * 1024,
    retained_by_wildcard=True,
    parent_of_hash=True,
    maximum_qos=2,
    subscription_ids=True,
    resends=True,
    refusals_3_1_1=True,
)
SETS: Final = {one.name: one for one in (AWS_SHAPES, AWS, OWN)}
