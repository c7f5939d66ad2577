"""What a domain configuration makes of a way in."""

from dataclasses import replace

import pytest

from hedgerow.core.tls import SECURITY_POLICIES, Application, Domain, Port, Proof, Speech, way_for

DOMAIN = Domain(account="123456789012", configuration="mine", name="iot.acme.example")
MQTT = replace(DOMAIN, proof=Proof.X509, application=Application.SECURE_MQTT)
HTTPS = replace(DOMAIN, proof=Proof.SIGV4, application=Application.HTTPS)
WEBSOCKET = replace(DOMAIN, proof=Proof.CUSTOM, application=Application.MQTT_WSS)


@pytest.mark.parametrize("port", list(Port))
@pytest.mark.parametrize("offered", [[], ["x-amzn-mqtt-ca"], ["mqtt"]])
def test_the_default_type_goes_by_port_and_alpn(port: Port, offered: list[str]) -> None:
    expected = replace(way_for(port, offered), domain="mine", account="123456789012")

    assert DOMAIN.way(port, offered) == expected


@pytest.mark.parametrize(
    ("domain", "open_at"),
    [(MQTT, {Port.MQTT, Port.ALPN}), (HTTPS, {Port.HTTPS, Port.ALPN}), (WEBSOCKET, {Port.HTTPS, Port.ALPN})],
)
def test_a_protocol_is_spoken_on_each_port_that_speaks_it_without_alpn(domain: Domain, open_at: set[Port]) -> None:
    ways = {port: domain.way(port, []) for port in Port}

    assert {port for port, way in ways.items() if way is not None} == open_at
    assert {way.proofs for way in ways.values() if way is not None} == {frozenset({domain.proof})}


def test_what_is_spoken_is_what_the_configuration_says() -> None:
    mqtt, https, websocket = (domain.way(Port.ALPN, []) for domain in (MQTT, HTTPS, WEBSOCKET))

    assert mqtt is not None
    assert https is not None
    assert websocket is not None
    assert (mqtt.speech, mqtt.certificates) == (Speech.MQTT, True)
    assert (https.speech, https.plain, https.upgrade, https.certificates) == (Speech.HTTP, True, False, False)
    assert (websocket.speech, websocket.plain, websocket.upgrade) == (Speech.HTTP, False, True)


def test_an_alpn_name_that_contradicts_closes_the_door() -> None:
    assert MQTT.way(Port.ALPN, ["http/1.1"]) is None
    assert MQTT.way(Port.ALPN, ["h2", "http/1.1", "mqtt"]) is not None
    assert WEBSOCKET.way(Port.ALPN, ["x-amzn-mqtt-ca"]) is None
    assert WEBSOCKET.way(Port.ALPN, ["h2"]) is not None


@pytest.mark.parametrize("domain", [DOMAIN, MQTT, HTTPS])
def test_nobody_comes_in_by_a_configuration_that_is_disabled(domain: Domain) -> None:
    assert {replace(domain, enabled=False).way(port, []) for port in Port} == {None}


def test_no_policy_allows_less_than_tls_1_2() -> None:
    assert {policy.lowest for policy in SECURITY_POLICIES.values()} == {(1, 2), (1, 3)}
