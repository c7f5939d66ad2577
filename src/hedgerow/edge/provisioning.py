"""Enrolment by claim: a key made here, a CSR, a certificate, a thing; then never again.

The topics of fleet provisioning, on one connection with the claim certificate (MQTT 3.1.1, clean session). What has
been got is remembered at once, so that a crash at any point continues where it was: the key first, then certificate and
ownership token, then the identity. Leaves to others: waiting and trying again (`enrolment.py`).
Spec: AWS IoT Core, "Device provisioning MQTT API"; Greengrass V2, "Fleet provisioning plugin".
"""

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.files import Files
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.packets import MQTT_3_1_1, Connect, Publish
from hedgerow.edge import tls
from hedgerow.edge.configuration import Claim, Configuration
from hedgerow.edge.enrolment import PENDING, keep, make_room
from hedgerow.edge.identity import Identity, expired_on, fits, key_of, request_for
from hedgerow.edge.keys import Keys
from hedgerow.edge.link import Link, opened
from hedgerow.edge.pkcs11.uri import KeyPlace
from hedgerow.edge.state import State, forget, recall, remember
from hedgerow.edge.trouble import NotLetIn, Trouble, ungrouped
from hedgerow.edge.used_claim import sign_of

if TYPE_CHECKING:
    from hedgerow.edge.identity import Key

CREATE: Final = "$aws/certificates/create-from-csr/json"
CREATE_KEYS: Final = "$aws/certificates/create/json"
_MOST_ANSWERS: Final = 16
_TAKEN: Final = ("already", "existing", "taken", "conflict")
_MADE: Final = "key made in a file"
_WHY: Final = "the cloud's operator sees why: hedgerow onboarding list --failed"
_log = get_logger("edge.provisioning")


class TokenRefused(Trouble):
    """The ownership token is too old: the certificate must be asked for again."""


class Enrolment:
    """Tries to enrol. One object per process; one try at a time."""

    def __init__(
        self,
        *,
        configuration: Configuration,
        claim: Claim,
        state: State,
        keys: Keys,
        files: Files,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._configuration = configuration
        self._claim = claim
        self._state = state
        self._keys = keys
        self._files = files
        self._clock = clock
        self._ids = ids
        self._answers: asyncio.Queue[Publish] = asyncio.Queue(maxsize=_MOST_ANSWERS)  # when full it drops: we ask again
        self._asked = ""
        self._by_own_id = False

    def __str__(self) -> str:
        return f"by claim at {self._claim.endpoint} with the template {self._claim.template}"

    async def attempt(self) -> Identity:
        claim = self._claim
        if claim.csr_private_key is not None:
            key = await self._keys.key(claim.csr_private_key, make=False)
        else:
            key = await self._own_key(claim.new_private_key)
        await asyncio.to_thread(_check_own, claim, key)
        await asyncio.to_thread(make_room, claim.new_certificate, self._files)
        try:
            return await self._with_claim(key)
        except NotLetIn as error:
            day = await asyncio.to_thread(expired_on, claim.certificate, self._clock.now())
            why = f"; the claim certificate {claim.certificate} expired on {day}" if day else f" ({_WHY})"
            self._by_own_id = not self._by_own_id and claim.device_id in claim.parameters.values()
            raise NotLetIn(
                f"the claim was refused: {error}{why}", permanent=error.permanent or day is not None
            ) from error

    async def _own_key(self, place: KeyPlace) -> "Key":
        """Answer the device's key; that its file is made here is written down first: others' are never replaced."""
        if isinstance(place, Path) and not await asyncio.to_thread(place.exists):
            spot = self._spot(place)
            await self._state.write(lambda c: remember(c, _MADE, spot))
        return await self._keys.key(place)

    def _spot(self, place: Path) -> str:
        """Answer what a file in the edge's folder is known by, wherever that folder is."""
        return os.path.relpath(place, self._configuration.root)

    async def _with_claim(self, key: "Key") -> Identity:
        claim = self._claim
        context = await asyncio.to_thread(
            tls.mutual,
            root_ca=self._configuration.root_ca,
            certificate=claim.certificate,
            private_key=claim.private_key,
            token=self._keys.token,
            alpn="x-amzn-mqtt-ca" if claim.endpoint.port == 443 else None,
        )
        self._answers = asyncio.Queue(maxsize=_MOST_ANSWERS)  # what an earlier try was told late is not for this one
        connect = Connect(await self._client_id(), clean_start=True, keep_alive=30, version=MQTT_3_1_1)
        with ungrouped():
            async with (
                opened(
                    claim.endpoint,
                    context,
                    connect,
                    on_message=self._arrived,
                    root_ca=str(self._configuration.root_ca),
                    certificate=str(claim.certificate),
                    operation_timeout_s=self._configuration.mqtt.operation_timeout_s,
                ) as link,
                asyncio.TaskGroup() as tasks,
            ):
                pump = tasks.create_task(self._pump(link))
                try:
                    return await self._enrolled(link, key)
                finally:
                    pump.cancel()
        raise AssertionError("a task group ends with a result or an error")  # for the type checker

    async def _pump(self, link: Link) -> None:
        ended = await link.run()
        raise NotLetIn(
            f"the cloud ended the connection when asked on {self._asked} ({ended}); is the claim allowed this?"
        )

    async def _enrolled(self, link: Link, key: "Key") -> Identity:
        pending = await self._state.read(lambda c: recall(c, PENDING))
        if pending is None or not fits(pending["certificatePem"], key):
            pending = await self._certificate(link, key)
            await self._state.write(lambda c: remember(c, PENDING, pending))
        topic = f"$aws/provisioning-templates/{self._claim.template}/provision/json"
        body = {
            "certificateOwnershipToken": pending["certificateOwnershipToken"],
            "parameters": self._claim.parameters,
        }
        try:
            answer = await self._ask(link, topic, body)
        except TokenRefused:
            await self._state.write(lambda c: forget(c, PENDING))
            raise
        return await self._keep(pending, answer)

    async def _certificate(self, link: Link, key: "Key") -> dict[str, Any]:
        if self._claim.csr is not None:
            request = await asyncio.to_thread(_ready_request, self._claim.csr, key)
        else:
            request = await asyncio.to_thread(request_for, key)
        try:
            answer = _whole(await self._ask(link, CREATE, {"certificateSigningRequest": request}), CREATE)
        except NotLetIn as refusal:
            return await self._made_by_the_cloud(link, refusal)
        if not fits(answer["certificatePem"], key):
            raise Trouble("the cloud sent a certificate that is not for this device's key", permanent=True)
        return answer

    async def _made_by_the_cloud(self, link: Link, refusal: NotLetIn) -> dict[str, Any]:
        """Have key and certificate, where the claim may not have a request signed: AWS's documented policy is such.

        The key is on the medium before anything is remembered: without it the certificate is of no use, and ends.
        """
        place, made = self._claim.new_private_key, await self._state.read(lambda c: recall(c, _MADE))
        if self._claim.csr_private_key is not None or not isinstance(place, Path) or made != self._spot(place):
            raise refusal
        fields = {"cause": str(refusal), "topic": CREATE_KEYS}
        _log.warning("the key is made by the cloud", extra={"fields": fields})
        said = await self._ask(link, CREATE_KEYS, {})
        answer, pem = _whole(said, CREATE_KEYS), str(said.get("privateKey", "")).encode()
        if not fits(answer["certificatePem"], await asyncio.to_thread(key_of, pem, f"the answer on {CREATE_KEYS}")):
            raise Trouble("the cloud sent a certificate that is not for the key that it made", permanent=True)
        await asyncio.to_thread(self._files.write_durably, place, pem, mode=0o600)
        return answer

    async def _keep(self, pending: dict[str, Any], answer: dict[str, Any]) -> Identity:
        claim = self._claim
        thing_name = answer.get("thingName")
        if not isinstance(thing_name, str) or not thing_name:
            raise Trouble(f"the provisioning template {claim.template} makes no thing for this device", permanent=True)
        identity = Identity(
            thing_name=thing_name,
            certificate=claim.new_certificate,
            private_key=claim.csr_private_key or claim.new_private_key,
            certificate_id=pending["certificateId"],
        )
        return await keep(
            identity,
            pending["certificatePem"],
            answer.get("deviceConfiguration") or {},
            state=self._state,
            files=self._files,
            claim=await asyncio.to_thread(sign_of, claim),
        )

    async def _client_id(self) -> str:
        """Answer deviceId, in turn with one of our own when it is to be the thing's name, which no claim may use."""
        if self._claim.device_id and not self._by_own_id:
            return self._claim.device_id
        known: str | None = await self._state.read(lambda c: recall(c, "claim client id"))
        if known is None:
            known = self._ids.uuid()
            chosen = known
            await self._state.write(lambda c: remember(c, "claim client id", chosen))
        return known

    def _arrived(self, message: Publish) -> None:
        if not self._answers.full():
            self._answers.put_nowait(message)

    async def _ask(self, link: Link, topic: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask on the topic and answer what came on …/accepted; raise Trouble for …/rejected and for silence."""
        self._asked = topic
        await link.subscribe([(f"{topic}/accepted", 1), (f"{topic}/rejected", 1)])
        await link.publish(topic, json.dumps(body).encode())
        timeout = self._configuration.mqtt.operation_timeout_s
        try:
            async with asyncio.timeout(timeout):
                while True:
                    message = await self._answers.get()
                    if message.topic == f"{topic}/accepted":
                        return _object(message)
                    if message.topic == f"{topic}/rejected":
                        raise self._rejection(_object(message))
        except TimeoutError:
            raise Trouble(f"the cloud did not answer on {topic} within {timeout:g} s") from None

    def _rejection(self, answer: dict[str, Any]) -> Trouble:
        """Answer what a rejection means, in words. The codes are those of the provisioning MQTT API."""
        code, text = str(answer.get("errorCode", "")), str(answer.get("errorMessage", ""))
        status = answer.get("statusCode", 400)
        template = self._claim.template
        if code == "InvalidCertificateOwnershipToken":
            return TokenRefused(f"the cloud no longer knows the certificate that it gave: {text}")
        if code == "InvalidTemplate" and "not enabled" in text:
            return Trouble(f"the provisioning template {template} is disabled; enable it in the cloud", permanent=True)
        if code == "InvalidTemplate" and "not exist" in text:
            return Trouble(f"the provisioning template {template} does not exist in the cloud", permanent=True)
        if any(word in text.lower() for word in _TAKEN):
            name = self._claim.parameters.get("ThingName", "of this device")
            return Trouble(f"the thing name {name} is taken: {text}", permanent=True)
        if isinstance(status, int) and (status == 429 or status >= 500):
            return Trouble(f"the cloud cannot enrol this device now: {code} {text}".rstrip())
        return Trouble(f"the cloud refuses to enrol this device: {code}: {text}", permanent=True)


def _whole(answer: dict[str, Any], topic: str) -> dict[str, Any]:
    """Answer what is to be remembered of an answer with a certificate; raise Trouble when something is missing."""
    wanted = ("certificateId", "certificatePem", "certificateOwnershipToken")
    if not all(isinstance(answer.get(name), str) for name in wanted):
        raise Trouble(f"the cloud's answer on {topic} lacks one of {', '.join(wanted)}")
    _log.info("certificate received", extra={"fields": {"certificate": answer["certificateId"]}})
    return {name: answer[name] for name in wanted}


def _check_own(claim: Claim, key: "Key") -> None:
    """Raise Trouble when the key is the claim's: whoever has the claim would be this device. Blocks."""
    try:
        shared = fits(claim.certificate.read_text("utf-8", "replace"), key)
    except OSError:
        return  # that is said when it is to be used
    if shared:
        place = claim.csr_private_key or claim.new_private_key
        raise Trouble(f"the key {place} is the claim's; the device needs one of its own", permanent=True)


def _ready_request(path: Path, key: "Key") -> str:
    """Answer the signing request that was made before, for this key; raise Trouble, naming the file. Blocks."""
    from cryptography import x509

    try:
        text = path.read_text("ascii")
        request = x509.load_pem_x509_csr(text.encode())
    except OSError as error:
        raise Trouble(f"cannot read {path}: {error.strerror}", permanent=True) from error
    except ValueError as error:
        raise Trouble(f"{path} holds no certificate signing request", permanent=True) from error
    if request.public_key() != key.public_key():
        raise Trouble(f"the request in {path} is for another key than the one in csrPrivateKeyPath", permanent=True)
    return text


def _object(message: Publish) -> dict[str, Any]:
    try:
        value = json.loads(message.payload)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Trouble(f"the cloud's answer on {message.topic} is not a JSON object")
    return value
