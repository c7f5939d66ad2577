"""Rotation of a device's certificate, with the device killed at each of its steps: it must never be locked out."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hedgerow.base.errors import Unavailable
from hedgerow.base.files import RealFiles
from hedgerow.edge import keys
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.https import Answered
from hedgerow.edge.identity import Identity
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console
from hedgerow.edge.pkcs11.uri import KeyPlace, Pkcs11Uri
from hedgerow.edge.rotation import NotRotated, Place, Rotation, current
from hedgerow.edge.state import State, recall, remember
from hedgerow.edge.trouble import Trouble
from tests.support.clock import FakeClock
from tests.unit.edge.pki import Authority, Pki

WITHIN_S = 20.0


class Killed(Exception):
    """The process is gone: nothing that it does from here on has an effect."""


class Life:
    """One life of the process, which ends at its `at`-th step; a step may be done or not when it ends there."""

    def __init__(self, at: int = 0, *, full_at: int = 0) -> None:
        self._at = at
        self._steps = 0
        self._writes = 0
        self._full_at = full_at
        self.over = False
        self.full = False  # the disk was, once

    def write(self) -> None:
        self._writes += 1
        if self._writes == self._full_at:
            self.full = True
            raise Unavailable("the disk is full")

    def step(self) -> None:
        self._steps += 1
        self.over = self.over or 0 < self._at == self._steps
        if self.over:
            raise Killed

    def mortal(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **named: Any) -> Any:
            self.step()
            result = do(*args, **named)
            self.step()
            return result

        return step


class MortalState:
    def __init__(self, state: State, life: Life) -> None:
        self._state = state
        self._life = life
        self.read = state.read

    async def write(self, step: Any) -> Any:
        self._life.step()
        self._life.write()
        result = await self._state.write(step)
        self._life.step()
        return result


class MortalFiles:
    def __init__(self, life: Life) -> None:
        files = RealFiles()
        self.write_durably = life.mortal(files.write_durably)
        self.make_folder = life.mortal(files.make_folder)
        self.remove_folder = life.mortal(files.remove_folder)


class Cloud:
    """Signs, confirms and lets in as the real one does, by the text of the certificate."""

    def __init__(self, devices: Authority, first: str) -> None:
        self._devices = devices
        self.active = {first: True}
        self._pending: tuple[str, str, str] | None = None  # the old one, the new one, the request
        self.busy = 0  # so many connections, and all requests until then, are refused whatever they show
        self.on_signing: Callable[[], None] = lambda: None

    def lets_in(self, identity: Identity) -> bool:
        if self.busy:
            self.busy -= 1
            return False
        return self.active[identity.certificate.read_text()]

    def ask(self, _: Endpoint, identity: Any, method: str, path: str, *, body: bytes, **__: Any) -> Answered:
        shown = identity.certificate.read_text()
        if self.busy:
            return Answered(status=503, headers={}, body=b"{}")
        if not self.active[shown]:
            return Answered(status=403, headers={}, body=b"{}")
        if path.endswith("/confirmation"):
            if self._pending is not None and self._pending[1] == shown:
                self._end(self._pending[0])
            return Answered(status=200, headers={}, body=b"{}")
        new = self._signed(shown, json.loads(body)["certificateSigningRequest"])
        self.on_signing()
        return Answered(status=200, headers={}, body=json.dumps({"certificatePem": new, "certificateId": "c"}).encode())

    def a_day_passes(self) -> None:
        if self._pending is not None:
            self._end(self._pending[1])

    def _signed(self, old: str, request: str) -> str:
        if self._pending is not None and (self._pending[0], self._pending[2]) == (old, request):
            return self._pending[1]
        self.a_day_passes()
        new = self._devices.sign_request(request)
        self.active[new] = True
        self._pending = old, new, request
        return new

    def _end(self, certificate: str) -> None:
        self.active[certificate] = False
        self._pending = None


class Line:
    """Connects as whoever it is told to, again and again."""

    def __init__(self, cloud: Cloud, identity: Identity) -> None:
        self.cloud = cloud
        self._identity = identity
        self._news = asyncio.Event()
        self.up = asyncio.Event()

    def use(self, identity: Identity) -> None:
        self._identity = identity
        self.up.clear()
        self._news.set()

    def cut(self) -> None:
        self.use(self._identity)

    async def run(self, rotation: Rotation) -> None:
        while True:
            self._news.clear()
            if await asyncio.to_thread(self.cloud.lets_in, self._identity):
                if not self._news.is_set():
                    self.up.set()
                    rotation.online()
                    await self._news.wait()
            else:
                rotation.refused()
                await asyncio.sleep(0.001)


class MemoryToken:
    """A token whose keys are there at once, by their labels; it outlives the device's processes."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.life = Life()

    def maybe_key(self, uri: Pkcs11Uri) -> Any:
        return self.keys.get(uri.object)

    def made(self, uri: Pkcs11Uri) -> Any:
        assert uri.object not in self.keys, "a second key of this name"
        self.life.step()
        self.keys[uri.object] = ec.generate_private_key(ec.SECP256R1())
        self.life.step()
        return self.keys[uri.object]

    def remove(self, uri: Pkcs11Uri) -> None:
        self.life.step()
        self.keys.pop(uri.object, None)
        self.life.step()


class Site:
    """One device's folder, and the cloud."""

    def __init__(self, folder: Path, pki: Pki, patch: pytest.MonkeyPatch, token: MemoryToken | None = None) -> None:
        self.folder = folder
        self.token = token
        folder.mkdir()
        certificate, key = pki.device.issue(folder, "first")
        place: KeyPlace = key
        if token is not None:
            key.unlink()
            place = Pkcs11Uri(object="pump-key")
            signed = pki.device.signed(token.made(place).public_key(), "first")
            certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
            self._remember_that_it_was_made(place)
        self.clock = FakeClock()
        self.first = Identity(thing_name="pump", certificate=certificate, private_key=place, certificate_id="first")
        self.cloud = Cloud(pki.device, certificate.read_text())
        self._patch = patch

    def _remember_that_it_was_made(self, place: Pkcs11Uri) -> None:
        state = State(self.folder / "state.db")
        state.now(lambda c: remember(c, keys._MADE, [str(place)]))
        state.close()

    def switched(self) -> bool:
        state = State(self.folder / "state.db")
        under_way = state.now(lambda c: recall(c, "rotation"))
        state.close()
        return under_way is not None and under_way["phase"] == "confirming"

    async def live(self, life: Life, then: "Callable[[Rotation, Line], Any]") -> bool:
        """Run the device until `then` is done (True) or the life is over."""
        self._patch.setattr("hedgerow.edge.rotation.ask", life.mortal(self.cloud.ask))
        state = State(self.folder / "state.db")
        try:
            identity = await current(state, self.first)
            line = Line(self.cloud, identity)
            rotation = self._rotation(identity, line, state, life)
            async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(steadily(rotation)), tasks.create_task(line.run(rotation))]
                await then(rotation, line)
                for task in running:
                    task.cancel()
        except* Killed:
            assert life.over
        finally:
            state.close()
        return not life.over

    def _rotation(self, identity: Identity, line: Line, state: State, life: Life) -> Rotation:
        mortal, files = cast("Any", MortalState(state, life)), cast("Any", MortalFiles(life))
        if self.token is not None:
            self.token.life = life
        return Rotation(
            first=self.first,
            identity=identity,
            connection=cast("Any", line),
            state=mortal,
            keys=keys.Keys(files=files, state=mortal, folder=self.folder / "identity", token=cast("Any", self.token)),
            files=files,
            layout=Layout(self.folder),
            clock=self.clock,
            console=Console(None),
            place=Place(endpoint=Endpoint("cloud", 8443), root_ca=""),
            context=cast("Any", lambda identity: identity),
        )


def fit(identity: Identity, cloud: Cloud, token: MemoryToken | None) -> bool:
    """Tell whether the device has a key (in a token: no other one), and the one certificate that is good."""
    good = [certificate for certificate, active in cloud.active.items() if active]
    if isinstance(identity.private_key, Path):
        has_key = identity.private_key.exists()
    else:
        assert token is not None
        has_key = list(token.keys) == [identity.private_key.object]
    return has_key and good == [identity.certificate.read_text()]


async def steadily(rotation: Rotation) -> None:
    while True:
        with suppress(Unavailable):
            await rotation.run()


async def rotated(rotation: Rotation, line: Line, order: str = "order") -> None:
    """Come in, and rotate for the order, however often that is refused at first."""
    await line.up.wait()
    while True:
        try:
            await rotation.rotate(order)
        except (NotRotated, Trouble):
            await asyncio.sleep(0.001)
        else:
            break
    await until_fit(rotation, line)


async def until_fit(rotation: Rotation, line: Line) -> None:
    while not fit(rotation.identity, line.cloud, cast("Any", rotation._keys.token)):
        await asyncio.sleep(0.001)
    await line.up.wait()


@pytest.mark.parametrize("kept", [lambda: None, MemoryToken], ids=["key in a file", "key in a token"])
@pytest.mark.parametrize("meanwhile", [lambda _: None, Cloud.a_day_passes], ids=["at once", "a day later"])
def test_a_device_that_is_killed_at_any_step_comes_back_and_ends_with_one_good_certificate(
    tmp_path: Path,
    pki: Pki,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[Cloud], None],
    kept: Callable[[], MemoryToken | None],
) -> None:
    kills = 0
    for at in count(1):
        site = Site(tmp_path / str(at), pki, monkeypatch, kept())
        if asyncio.run(site.live(Life(at), rotated)):
            break
        kills += 1
        meanwhile(site.cloud)
        assert asyncio.run(site.live(Life(), rotated)), f"killed at step {at}"
        assert not site.cloud.active[site.first.certificate.read_text()]

    assert kills > 15  # each write, file and request, before and after


def test_a_device_whose_disk_is_full_at_any_write_stays_with_what_the_cloud_lets_in(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in count(1):
        site, life = Site(tmp_path / str(at), pki, monkeypatch), Life(full_at=at)

        async def full(rotation: Rotation, line: Line, cloud: Cloud = site.cloud) -> None:
            await line.up.wait()
            with suppress(Unavailable):
                await rotation.rotate("order")
            cloud.a_day_passes()
            line.cut()
            await until_fit(rotation, line)

        assert asyncio.run(site.live(life, full))
        if not life.full:
            break

    assert at > 2


@pytest.mark.parametrize("refusals", [1, 2, 3, 4])
def test_a_device_that_never_heard_of_its_confirmation_survives_refusals(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    """The old certificate is over, and nothing on the device says so: going back to it for good would lock it out."""
    site = Site(tmp_path / "site", pki, monkeypatch)
    for at in count(1):
        site = Site(tmp_path / str(at), pki, monkeypatch)
        assert not asyncio.run(site.live(Life(at), rotated))
        if not site.cloud.active[site.first.certificate.read_text()]:
            break
    site.cloud.busy = refusals

    assert asyncio.run(site.live(Life(), until_fit))


def test_a_refusal_from_before_the_rotation_does_not_undo_it(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site", pki, monkeypatch)

    async def refused_meanwhile(rotation: Rotation, line: Line) -> None:
        loop = asyncio.get_running_loop()

        def refuse() -> None:
            loop.call_soon_threadsafe(rotation.refused)

        site.cloud.on_signing = refuse
        await rotated(rotation, line)

    assert asyncio.run(site.live(Life(), refused_meanwhile))
    assert site.cloud.active[site.first.certificate.read_text()] is False


def test_a_certificate_that_is_put_in_the_first_ones_place_is_used(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device was lost to the cloud, and somebody gave it another certificate by hand."""
    site = Site(tmp_path / "site", pki, monkeypatch)
    assert asyncio.run(site.live(Life(), rotated))
    site.cloud.active = dict.fromkeys(site.cloud.active, False)
    pki.device.issue(site.folder, "first")
    site.cloud.active[site.first.certificate.read_text()] = True

    assert asyncio.run(site.live(Life(), until_fit))


def test_a_new_certificate_that_is_refused_leaves_no_key_in_the_token(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in count(1):  # killed after the switch, before its confirmation
        token = MemoryToken()
        site = Site(tmp_path / str(at), pki, monkeypatch, token)
        assert not asyncio.run(site.live(Life(at), rotated))
        if site.switched():
            break
    site.cloud.a_day_passes()

    assert asyncio.run(site.live(Life(), until_fit))
    assert list(token.keys) == ["pump-key"]
