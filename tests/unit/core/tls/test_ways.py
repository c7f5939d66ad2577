"""Which way in a port and an ALPN name open: AWS's table."""

import pytest

from hedgerow.core.tls import Port, Proof, Speech, names_for, way_for

X509, SIGV4, CUSTOM = Proof.X509, Proof.SIGV4, Proof.CUSTOM
AWS_TABLE = [
    (Port.ALPN, ["x-amzn-mqtt-ca"], Speech.MQTT, {X509}),
    (Port.ALPN, ["mqtt"], Speech.MQTT, {CUSTOM}),
    (Port.ALPN, ["x-amzn-http-ca"], Speech.HTTP, {X509}),
    (Port.ALPN, ["http/1.1"], Speech.HTTP, {SIGV4, CUSTOM}),
    (Port.ALPN, [], Speech.HTTP, {SIGV4, CUSTOM}),
    (Port.MQTT, [], Speech.MQTT, {X509}),
    (Port.MQTT, ["x-amzn-mqtt-ca"], Speech.MQTT, {X509}),
    (Port.HTTPS, [], Speech.HTTP, {X509}),
    (Port.HTTPS, ["x-amzn-http-ca"], Speech.HTTP, {X509}),
]


@pytest.mark.parametrize(("port", "offered", "speech", "proofs"), AWS_TABLE)
def test_aws_ways_are_open(port: Port, offered: list[str], speech: Speech, proofs: set[Proof]) -> None:
    way = way_for(port, offered)

    assert way.speech is speech
    assert way.proofs >= proofs


@pytest.mark.parametrize("name", ["x-amzn-mqtt-ca", "x-amzn-http-ca"])
def test_a_name_for_certificates_is_for_nothing_else(name: str) -> None:
    assert way_for(Port.ALPN, [name]).proofs == {X509}


def test_nobody_is_asked_for_a_certificate_where_an_authorizer_decides() -> None:
    assert not way_for(Port.ALPN, ["mqtt"]).certificates
    assert way_for(Port.ALPN, ["x-amzn-mqtt-ca"]).certificates


@pytest.mark.parametrize("port", list(Port))
def test_names_that_nobody_knows_are_as_none(port: Port) -> None:
    assert way_for(port, ["h2", "spdy/1"]) == way_for(port, [])


def test_of_several_names_the_same_one_is_chosen_as_the_server_acknowledges() -> None:
    assert names_for(Port.ALPN)[0] == "x-amzn-mqtt-ca"
    assert way_for(Port.ALPN, ["mqtt", "x-amzn-mqtt-ca"]).proofs == {X509}


def test_each_port_acknowledges_what_it_speaks() -> None:
    assert names_for(Port.MQTT) == ("x-amzn-mqtt-ca", "mqtt")
    assert names_for(Port.HTTPS) == ("x-amzn-http-ca", "http/1.1")
    assert names_for(Port.ALPN, Speech.HTTP) == ("x-amzn-http-ca", "http/1.1")
