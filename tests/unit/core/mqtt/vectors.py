"""Golden wire vectors: a packet and its bytes, one field per line."""

from typing import NamedTuple

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    TO_CLIENT,
    TO_SERVER,
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Pingreq,
    Pingresp,
    Property,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)


class Vector(NamedTuple):
    name: str
    version: int
    side: frozenset[int]
    wire: bytes
    packet: Packet


VECTORS = (
    Vector(
        name="connect 3.1.1, short client id",
        version=MQTT_3_1_1,
        side=TO_SERVER,
        wire=(
            b"\x10\x0f"  # CONNECT, 15 bytes follow
            b"\x00\x04MQTT\x04"  # protocol, level
            b"\x02"  # clean session
            b"\x00\x1e"  # keep alive 30 s
            b"\x00\x03abc"  # client id
        ),
        packet=Connect("abc", True, 30),
    ),
    Vector(
        name="connect 3.1.1, will, user name and password, kept session",
        version=MQTT_3_1_1,
        side=TO_SERVER,
        wire=(
            b"\x10\x1d"
            b"\x00\x04MQTT\x04"
            b"\xec"  # user name, password, will retain, will QoS 1, will
            b"\x00\x00"
            b"\x00\x02id"
            b"\x00\x02w/"  # will topic
            b"\x00\x03off"  # will payload
            b"\x00\x01u"
            b"\x00\x01\xff"  # a password is bytes
        ),
        packet=Connect("id", False, 0, "u", b"\xff", Will("w/", b"off", 1, True)),
    ),
    Vector(
        name="connect 5, properties and will properties",
        version=MQTT_5,
        side=TO_SERVER,
        wire=(
            b"\x10\x2b"
            b"\x00\x04MQTT\x05"
            b"\x06"  # will, clean start
            b"\x04\xb0"  # keep alive 1200 s
            b"\x0d"  # 13 bytes of properties
            b"\x11\x00\x00\x0e\x10"  # session expiry 3600 s
            b"\x21\x00\x0a"  # receive maximum 10
            b"\x22\x00\x05"  # topic alias maximum 5
            b"\x17\x01"  # request problem information
            b"\x00\x01c"  # client id
            b"\x05"  # 5 bytes of will properties
            b"\x18\x00\x00\x00\x05"  # will delay 5 s
            b"\x00\x03w/x"
            b"\x00\x03bye"
        ),
        packet=Connect(
            "c",
            True,
            1200,
            None,
            None,
            Will("w/x", b"bye", 0, False, {Property.WILL_DELAY: 5}),
            MQTT_5,
            {
                Property.SESSION_EXPIRY: 3600,
                Property.RECEIVE_MAXIMUM: 10,
                Property.TOPIC_ALIAS_MAXIMUM: 5,
                Property.REQUEST_PROBLEM_INFORMATION: 1,
            },
        ),
    ),
    Vector("connack 3.1.1, session present", MQTT_3_1_1, TO_CLIENT, b"\x20\x02\x01\x00", Connack(True, 0)),
    Vector(
        name="connack 5, not authorised, with a reason",
        version=MQTT_5,
        side=TO_CLIENT,
        wire=(
            b"\x20\x08"
            b"\x00\x87"  # no session, not authorised
            b"\x05"
            b"\x1f\x00\x02no"  # reason string
        ),
        packet=Connack(False, 0x87, {Property.REASON_STRING: "no"}),
    ),
    Vector("publish QoS 0", MQTT_3_1_1, TO_SERVER, b"\x30\x06\x00\x03a/bx", Publish("a/b", b"x")),
    Vector(
        name="publish 3.1.1, QoS 1, retain, dup",
        version=MQTT_3_1_1,
        side=TO_SERVER,
        wire=(
            b"\x3b\x08"
            b"\x00\x03a/b"
            b"\x12\x34"  # packet identifier
            b"x"
        ),
        packet=Publish("a/b", b"x", 1, True, True, 0x1234),
    ),
    Vector(
        name="publish 5, QoS 1, alias, expiry, user properties in order",
        version=MQTT_5,
        side=TO_SERVER,
        wire=(
            b"\x32\x1e"
            b"\x00\x01t"
            b"\x00\x07"
            b"\x16"  # 22 bytes of properties
            b"\x23\x00\x02"  # topic alias 2
            b"\x02\x00\x00\x00\x3c"  # expires after 60 s
            b"\x26\x00\x01k\x00\x011"
            b"\x26\x00\x01k\x00\x012"
            b"!!"
        ),
        packet=Publish(
            "t",
            b"!!",
            1,
            False,
            False,
            7,
            {Property.TOPIC_ALIAS: 2, Property.MESSAGE_EXPIRY: 60, Property.USER_PROPERTY: [("k", "1"), ("k", "2")]},
        ),
    ),
    Vector("puback 3.1.1", MQTT_3_1_1, TO_SERVER, b"\x40\x02\x00\x01", Ack(Kind.PUBACK, 1)),
    Vector("puback 5, refused", MQTT_5, TO_CLIENT, b"\x40\x03\x00\x01\x87", Ack(Kind.PUBACK, 1, 0x87)),
    Vector("pubrec", MQTT_3_1_1, TO_SERVER, b"\x50\x02\x00\x01", Ack(Kind.PUBREC, 1)),
    Vector("pubrel", MQTT_5, TO_SERVER, b"\x62\x02\x00\x01", Ack(Kind.PUBREL, 1)),
    Vector("pubcomp", MQTT_5, TO_CLIENT, b"\x70\x02\xff\xff", Ack(Kind.PUBCOMP, 0xFFFF)),
    Vector(
        name="subscribe 3.1.1, two filters",
        version=MQTT_3_1_1,
        side=TO_SERVER,
        wire=(
            b"\x82\x0d"
            b"\x00\x0a"
            b"\x00\x03a/+\x01"  # QoS 1
            b"\x00\x02\xc3\xa4\x00"  # a letter of two bytes, QoS 0
        ),
        packet=Subscribe(10, (("a/+", 1), ("ä", 0))),
    ),
    Vector(
        name="subscribe 5, options and subscription identifier",
        version=MQTT_5,
        side=TO_SERVER,
        wire=(
            b"\x82\x0a"
            b"\x00\x0b"
            b"\x03"
            b"\x0b\x80\x01"  # subscription identifier 128
            b"\x00\x01#"
            b"\x2d"  # QoS 1, no local, retain as published, retained only never
        ),
        packet=Subscribe(11, (("#", 0x2D),), {Property.SUBSCRIPTION_ID: [128]}),
    ),
    Vector("suback", MQTT_3_1_1, TO_CLIENT, b"\x90\x04\x00\x0a\x01\x80", Suback(10, (1, 0x80))),
    Vector("suback 5", MQTT_5, TO_CLIENT, b"\x90\x05\x00\x0a\x00\x01\x87", Suback(10, (1, 0x87))),
    Vector("unsubscribe", MQTT_3_1_1, TO_SERVER, b"\xa2\x07\x00\x0c\x00\x03a/b", Unsubscribe(12, ("a/b",))),
    Vector("unsuback 3.1.1", MQTT_3_1_1, TO_CLIENT, b"\xb0\x02\x00\x0c", Unsuback(12)),
    Vector("unsuback 5", MQTT_5, TO_CLIENT, b"\xb0\x04\x00\x0c\x00\x11", Unsuback(12, (0x11,))),
    Vector("pingreq", MQTT_3_1_1, TO_SERVER, b"\xc0\x00", Pingreq()),
    Vector("pingresp", MQTT_5, TO_CLIENT, b"\xd0\x00", Pingresp()),
    Vector("disconnect", MQTT_3_1_1, TO_SERVER, b"\xe0\x00", Disconnect()),
    Vector(
        name="disconnect 5, keep the session for an hour",
        version=MQTT_5,
        side=TO_SERVER,
        wire=b"\xe0\x07\x04\x05\x11\x00\x00\x0e\x10",
        packet=Disconnect(4, {Property.SESSION_EXPIRY: 3600}),
    ),
    Vector("auth 5", MQTT_5, TO_CLIENT, b"\xf0\x06\x18\x04\x15\x00\x01m", Auth(0x18, {0x15: "m"})),
)
