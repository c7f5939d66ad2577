"""CONNECT: ask control who this is, ask the policy, take over, resume or begin a session, answer.

Spec: MQTT 5.0 sections 3.1 and 3.2, AWS's keep alive, will and client id rules.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hedgerow.base.errors import Unavailable
from hedgerow.core.mqtt.aliases import Aliases
from hedgerow.core.mqtt.codec import encode_connack
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.forwarding import forwarded, kept
from hedgerow.core.mqtt.packets import MQTT_3_1_1, MQTT_5, Connect, Will
from hedgerow.core.mqtt.properties import Properties, Property
from hedgerow.core.mqtt.reasons import CONNACK_V3, Reason
from hedgerow.core.mqtt.session import Session
from hedgerow.core.mqtt.topics import is_name
from hedgerow.core.tls import Proof
from hedgerow.gateway import presence, recovery
from hedgerow.gateway.account import Account
from hedgerow.gateway.connection import Connection, Peer, State
from hedgerow.gateway.explaining import reason
from hedgerow.gateway.grants import Permissions
from hedgerow.gateway.ports import Admit, Admitted, Cut, Message, NotAdmitted, Way

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

DEADLINE_S: Final = 10.0
SAID_BY_AWS: Final = (Reason.CLIENT_ID_NOT_VALID, Reason.SERVER_UNAVAILABLE)  # to a client of MQTT 3.1.1
DUPLICATE: Final = "DUPLICATE_CLIENTID"


def objection(gateway: "Gateway", connect: Connect) -> tuple[Reason, str] | None:
    """What is wrong with this CONNECT whoever sends it."""
    limits, will = gateway.limits, connect.will
    if len(connect.client_id.encode()) > limits.client_id or connect.client_id.startswith("$"):
        return Reason.CLIENT_ID_NOT_VALID, "the client id is too long or begins with $"
    if not connect.client_id and connect.version == MQTT_3_1_1 and not connect.clean_start:
        return Reason.CLIENT_ID_NOT_VALID, "a kept session needs a client id"  # [MQTT-3.1.3-8]
    if will is not None:
        if will.qos > limits.maximum_qos:
            return Reason.QOS_NOT_SUPPORTED, f"QoS {will.qos} is not supported"
        if not is_name(will.topic, limits) or (will.topic.startswith("$") and not _to_a_shadow(will)):
            return Reason.TOPIC_NAME_INVALID, "the will's topic is not valid"
        try:
            forwarded(will.properties, limits, 0.0)
        except BadPacket as error:
            return error.code, f"the will: {error}"
    if Property.AUTHENTICATION_METHOD in connect.properties:
        return Reason.BAD_AUTHENTICATION_METHOD, "enhanced authentication is not supported"
    if connect.properties.get(Property.MAXIMUM_PACKET_SIZE, 0xFFFFFFFF) < limits.client_packet_min:
        return Reason.PACKET_TOO_LARGE, "the client's maximum packet size is too small"
    return None


def _to_a_shadow(will: Will) -> bool:
    """Such a will is sent like any other, and the shadow service takes no notice of it."""
    return will.topic.startswith("$aws/things/") and "/shadow/" in will.topic and not will.retain


async def admit(gateway: "Gateway", connection: Connection, connect: Connect) -> None:
    """Answer the CONNECT. Runs as a task of its own; the connection reads nothing meanwhile."""
    try:
        await _admit(gateway, connection, connect)
    except Exception:
        refuse(gateway, connection, Reason.SERVER_UNAVAILABLE, "our own fault; the log has more")
        gateway.sessions.leave(connection)
        raise


async def _admit(gateway: "Gateway", connection: Connection, connect: Connect) -> None:
    connection.max_packet = connect.properties.get(Property.MAXIMUM_PACKET_SIZE, 0xFFFFFFFF)
    connection.explains = connect.properties.get(Property.REQUEST_PROBLEM_INFORMATION, 1) == 1
    wrong = objection(gateway, connect)
    if wrong is not None:
        refuse(gateway, connection, *wrong)
        return
    client_id = connect.client_id or gateway.ids.uuid()
    peer = connection.peer
    connection.question = Admit(
        client_id=client_id,
        peer=peer.address,
        server_name=peer.server_name,
        certificate=peer.certificate,
        username=connect.username,
        password=connect.password,
        signed_by=peer.signed_by,
        signed_account=peer.signed_account,
        signed_key=peer.signed_key,
        secure=peer.secure,
        way=peer.way,
        upgrade=peer.upgrade,
        way_in=peer.way_in,
        assigned=not connect.client_id,
        connection_id=gateway.ids.uuid() if _may_ask_authorizers(peer) else "",
    )
    connection.asked = gateway.commands.obeyed
    try:
        reply = await gateway.control.ask(connection.question, deadline_s=DEADLINE_S)
    except Unavailable as error:
        refuse(gateway, connection, Reason.SERVER_UNAVAILABLE, str(error))
        return
    if isinstance(reply, NotAdmitted):
        refuse(gateway, connection, Reason.NOT_AUTHORIZED, reply.detail, word=reply.reason)
    elif isinstance(reply, Admitted) and connection.state is State.ADMITTING:
        if peer.way_in is not None and peer.way_in.domain is not None:
            connection.question = replace(connection.question, checked=True)
        await _enter(gateway, connection, connect, client_id, reply)


def _may_ask_authorizers(peer: Peer) -> bool:
    by_domain = peer.way_in is not None and peer.way_in.domain is not None
    beside = peer.way_in is not None and Proof.X509_AND_CUSTOM in peer.way_in.proofs
    return by_domain or beside or peer.way is not Way.CERTIFICATE


async def _enter(
    gateway: "Gateway", connection: Connection, connect: Connect, client_id: str, admitted: Admitted
) -> None:
    connection.account = account = gateway.account(admitted.account)
    permissions = Permissions(gateway.compile_grants(admitted, client_id), region=gateway.region, account=account.name)
    connection.regrant(admitted, permissions)
    connection.announced = admitted.thing or ""
    connection.session_id = gateway.ids.uuid()
    if not _may_connect(connection, connect, client_id):
        now = gateway.clock.now()
        gateway.lifecycle.announce(account, client_id, *presence.connect_failed(client_id, connection, now))
        gateway.refusals.tell(connection, f"may not connect: {permissions.last_refusal}")
        refuse(gateway, connection, Reason.NOT_AUTHORIZED, permissions.last_refusal, word="AUTHORIZATION_FAILED")
        return
    if _too_soon(gateway, account, client_id):
        refuse(gateway, connection, Reason.QUOTA_EXCEEDED, "this client id connects too often", word="THROTTLED")
        return
    epoch = gateway.sessions.next_epoch(account, client_id, admitted.epoch)
    if gateway.bus.others():
        reason = Cut(account=account.name, client_id=client_id, reason=DUPLICATE, before_epoch=epoch)
        gateway.bus.tell("*", reason)
        held = await gateway.journal.take(account.name, client_id, epoch=epoch, gateway=gateway.name)
        if connection.state is not State.ADMITTING:
            return
        recovery.adopt(gateway, held)
    older = account.connections.get(client_id)
    if older is not None:
        older.fail(Reason.SESSION_TAKEN_OVER, DUPLICATE, "another connection has this client id")
    _begin(gateway, connection, connect, client_id, epoch)


def _too_soon(gateway: "Gateway", account: Account, client_id: str) -> bool:
    allowed = gateway.limits.connects_per_client_s
    if not allowed:
        return False
    there, past = account.connections.get(client_id), account.past.get(client_id)
    since = there.since if there is not None else past.since if past is not None else 0.0
    return gateway.clock.now() - since < 1.0 / allowed


def _may_connect(connection: Connection, connect: Connect, client_id: str) -> bool:
    permissions, will = connection.permissions, connect.will
    attributes = []
    if _expiry(connect, 1, 1):
        attributes.append("PersistentConnect")
    context: dict[str, Any] = {}
    if will is not None:
        attributes.append("LastWill")
        context["iot:LastWillTopic"] = permissions.topic_arn(will.topic)
    context["iot:ConnectAttributes"] = attributes
    if not permissions.may_connect(client_id, context):
        return False
    if will is None:
        return True
    resource = "topic/" + will.topic
    return permissions.may("iot:Publish", resource) and (
        not will.retain or permissions.may("iot:RetainPublish", resource)
    )


def _expiry(connect: Connect, longest: int, in_3_1_1: int) -> int:
    """How long the session is kept after the connection; 0 is not at all."""
    if connect.version == MQTT_3_1_1:
        return 0 if connect.clean_start else in_3_1_1
    asked: int = connect.properties.get(Property.SESSION_EXPIRY, 0)
    return min(asked, longest)


def _begin(gateway: "Gateway", connection: Connection, connect: Connect, client_id: str, epoch: int) -> None:
    account, limits = connection.account, gateway.limits
    session = account.sessions.get(client_id)
    present = session is not None and not connect.clean_start and session.version == connect.version
    if session is not None and not present:
        gateway.sessions.end(account, session)
    if session is None or not present:
        session = Session(
            client_id,
            connect.version,
            max_queued=limits.queued,
            max_queued_bytes=limits.queued_bytes,
            resends=limits.resends,
        )
        account.sessions[client_id] = session
    session.epoch = epoch
    session.expires_at = None
    session.expiry_s = _expiry(connect, limits.session_expiry_max, limits.expiry_3_1_1)
    session.persistent = session.expiry_s > 0
    session.window = min(connect.properties.get(Property.RECEIVE_MAXIMUM, 65_535), limits.receive_maximum)
    _note(gateway, connection, connect, session, epoch)
    account.enter(client_id, connection)
    gateway.lifecycle.cancel_will(account, client_id)

    def answer(stored: bool) -> None:
        if connection.state is not State.ADMITTING:
            return
        if not stored:
            refuse(gateway, connection, Reason.SERVER_UNAVAILABLE, "the session could not be stored")
            gateway.sessions.leave(connection)
            return
        _welcome(gateway, connection, connect, present)

    gateway.sessions.save(connection, answer)


def _note(gateway: "Gateway", connection: Connection, connect: Connect, session: Session, epoch: int) -> None:
    limits = gateway.limits
    connection.session = session
    connection.epoch = epoch
    connection.since = gateway.clock.now()
    aliases = min(connect.properties.get(Property.TOPIC_ALIAS_MAXIMUM, 0), limits.topic_alias_maximum)
    connection.aliases = Aliases(aliases) if aliases else None
    asked = connect.keep_alive
    connection.keep_alive = (
        limits.keep_alive_zero if not asked else min(max(asked, limits.keep_alive_min), limits.keep_alive_max)
    )
    will = connect.will
    if will is None:
        return
    expiry = will.properties.get(Property.MESSAGE_EXPIRY)
    connection.will = Message(
        account=connection.account.name,
        topic=will.topic,
        payload=will.payload,
        qos=will.qos,
        retain=will.retain,
        properties=kept(will.properties),
        expires_at=None if expiry is None else float(expiry),  # made a time when it is sent
        client_id=session.client_id,
        principal=connection.admitted.principal,
    )
    connection.will_delay = will.properties.get(Property.WILL_DELAY, 0) if limits.will_delay else 0


def _welcome(gateway: "Gateway", connection: Connection, connect: Connect, present: bool) -> None:
    session, account = connection.session, connection.account
    properties = _connack(gateway, connection, connect) if connect.version == MQTT_5 else {}
    connection.state = State.OPEN
    connection.send(encode_connack(present, 0, connect.version, properties))
    session.link = connection
    if session.subscriptions:
        account.changed()
    gateway.lifecycle.entered(connection)
    session.resume(gateway.clock.now())
    gateway.router.settle(account, session)
    gateway.commands.review(connection)
    connection.transport.resume_reading()
    connection.receive(b"")


def _connack(gateway: "Gateway", connection: Connection, connect: Connect) -> Properties:
    limits = gateway.limits
    properties: dict[int, Any] = {}
    asked = connect.properties.get(Property.SESSION_EXPIRY, 0)
    if asked > limits.session_expiry_max:
        properties[Property.SESSION_EXPIRY] = connection.session.expiry_s
    properties[Property.RECEIVE_MAXIMUM] = limits.receive_maximum
    if limits.maximum_qos < 2:  # [MQTT-3.2.2-9]: 2 is said by leaving it out
        properties[Property.MAXIMUM_QOS] = limits.maximum_qos
    properties[Property.RETAIN_AVAILABLE] = 1
    properties[Property.MAXIMUM_PACKET_SIZE] = limits.packet
    if not connect.client_id:
        properties[Property.ASSIGNED_CLIENT_ID] = connection.session.client_id
    properties[Property.TOPIC_ALIAS_MAXIMUM] = limits.topic_alias_maximum
    properties[Property.WILDCARD_AVAILABLE] = 1
    properties[Property.SUBSCRIPTION_IDS_AVAILABLE] = int(limits.subscription_ids)
    properties[Property.SHARED_AVAILABLE] = 1
    properties[Property.SERVER_KEEP_ALIVE] = connection.keep_alive
    return properties


def refuse(gateway: "Gateway", connection: Connection, code: Reason, why: str, word: str = "CLIENT_ERROR") -> None:
    """Not let in: MQTT 5 is told why; MQTT 3.1.1 sees the connection close, as with AWS, unless the set says so."""
    if connection.state is State.CLOSED:
        return
    gateway.lifecycle.not_admitted(connection, code, word, why)
    if connection.version == MQTT_5:
        said = why if word == "CLIENT_ERROR" and code != Reason.SERVER_UNAVAILABLE else word
        connection.send(encode_connack(False, code, MQTT_5, reason(said, connection.max_packet)))
    elif code in CONNACK_V3 and (code in SAID_BY_AWS or gateway.limits.refusals_3_1_1):
        connection.send(encode_connack(False, CONNACK_V3[code], MQTT_3_1_1))
    connection.close()
