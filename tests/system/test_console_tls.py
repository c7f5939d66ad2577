"""The console on HTTPS, as an installer's phone opens it: a cloud with `--bind`, clients that trust its CA alone."""

import contextlib
import os
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import zxingcpp
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from hedgerow.cli.cloud import environment_lines
from hedgerow.testing import CloudProcess, TestCloud
from hedgerow.testing.cloud import start_cloud
from tests.support.openssl import OpenSsl
from tests.support.waiting import until
from tests.system.test_console import CHROMIUM, browser_page, link, shown, site_of
from tests.system.test_console_onboarding import PHONE, user
from tests.system.test_onboarding import set_up

pytestmark = pytest.mark.slow

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
CHUNKS = 200
HELLO = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """A cloud that listens on every address."""
    cloud = start_cloud(tmp_path_factory.mktemp("console"), "--bind=0.0.0.0", "--host=localhost")
    yield cloud
    cloud.stop()


@pytest.fixture
def cloud(process: CloudProcess, tmp_path: Path) -> TestCloud:
    return process.new_account(tmp_path)


def trusting(cloud: CloudProcess) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cloud.ready["ca_file"])


def port_of(cloud: CloudProcess) -> int:
    return urlsplit(cloud.ready["console_url"]).port or 0


def serial(cloud: CloudProcess, *, name: str | None = None) -> int:
    """Answer the serial number of the certificate that the console shows."""
    from cryptography import x509

    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port_of(cloud)), timeout=10) as plain,
        anyone.wrap_socket(plain, server_hostname=name) as secured,
    ):
        return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"").serial_number


@pytest.mark.spec("AL-28")
def test_a_link_opens_the_page_that_it_names_and_its_cookie_is_for_this_host_and_tls_alone(cloud: TestCloud) -> None:
    cloud.client("iot").create_thing(thingName="lamp")

    with httpx.Client(verify=trusting(cloud.process), timeout=20) as phone:
        opened = phone.get(f"{link(cloud)}&page=/onboarding")
        page = phone.get(f"{cloud.process.ready['console_url']}{opened.headers['location']}", follow_redirects=True)
        again = phone.get(page.url.copy_with(path="/"))

    assert cloud.process.ready["console_url"] == f"https://localhost:{port_of(cloud.process)}"
    name, _, flags = opened.headers["set-cookie"].partition("=")
    assert name == f"__Host-hedgerow-console-{port_of(cloud.process)}"
    assert flags.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]
    assert "strict-transport-security" not in opened.headers
    assert (page.status_code, page.url.path) == (200, "/onboarding")
    assert "lamp" in again.text  # what the console's own calls over TLS brought


@pytest.mark.parametrize(("origin", "status"), [("https://localhost", None), ("http://localhost", 403), ("", 403)])
def test_only_its_own_pages_over_tls_may_open_a_websocket(cloud: TestCloud, origin: str, status: int | None) -> None:
    trust, port = trusting(cloud.process), port_of(cloud.process)
    cookie = httpx.get(link(cloud), verify=trust, timeout=20).headers["set-cookie"].partition(";")[0]
    trust.maximum_version = ssl.TLSVersion.TLSv1_2  # the client's two threads: see unit/api/certificates.py
    named = {"Cookie": cookie} | ({"Origin": f"{origin}:{port}"} if origin else {})
    refused = None

    try:
        with connect(f"wss://localhost:{port}{SOCKET}", ssl=trust, additional_headers=named, open_timeout=20) as opened:
            assert opened.recv(timeout=10)
    except InvalidStatus as error:
        refused = error.response.status_code

    assert refused == status


def test_plain_http_on_its_port_is_closed_and_hurts_nobody(cloud: TestCloud) -> None:
    with socket.create_connection(("127.0.0.1", port_of(cloud.process)), timeout=10) as plain:
        plain.sendall(HELLO)
        answer = plain.recv(4096)

    assert not answer.startswith(b"HTTP")
    assert httpx.get(link(cloud), verify=trusting(cloud.process), timeout=20).status_code == 303
    assert "Traceback" not in cloud.process.log.read_text()


def test_a_head_without_end_is_cut_off(cloud: TestCloud) -> None:
    sent = 0
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port_of(cloud.process)), timeout=10) as plain,
        trusting(cloud.process).wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        while sent < CHUNKS:
            secured.sendall(b"x" * 65_536)
            sent += 1

    assert sent < CHUNKS


def test_tls_of_before_2008_is_refused(process: CloudProcess) -> None:
    old = ["-connect", f"127.0.0.1:{port_of(process)}", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]

    done = subprocess.run(["openssl", "s_client", *old], input="", capture_output=True, text=True, timeout=20)

    assert "Cipher is (NONE)" in done.stdout


def hedgerow(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    command = [sys.executable, "-m", "hedgerow", "console", *arguments]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.spec("AL-43")
def test_an_installers_own_link_is_drawn_for_a_phones_camera(cloud: TestCloud) -> None:
    lines = environment_lines(cloud.process.ready)
    words = (shlex.split(line)[1] for line in lines if line.startswith("export "))
    exported = dict(word.split("=", 1) for word in words)
    someone: Any = user(cloud, "installer").session.get_credentials()
    exported |= {"AWS_ACCESS_KEY_ID": someone.access_key, "AWS_SECRET_ACCESS_KEY": someone.secret_key}

    done = hedgerow("--page=onboarding", "--qr", **exported)

    address, *drawn = done.stdout.splitlines()
    assert address.startswith(f"{cloud.process.ready['console_url']}/sign-in?token=")
    assert address.endswith("&page=/onboarding")
    assert scanned(drawn) == address
    assert "this machine only" in done.stderr
    with httpx.Client(verify=trusting(cloud.process), timeout=20, follow_redirects=True) as phone:
        page = phone.get(address)
    assert "is not authorized to perform: iot:ListProvisioningTemplates" in page.text  # it is the installer's own


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--page=//evil.example"], "--page must be one of faults, onboarding"),
        (["--page=onboarding"], "AWS_ENDPOINT_URL is not set"),
        (["--data=/nowhere"], "no cloud has been started in /nowhere"),
    ],
)
def test_a_link_that_cannot_be_made_says_why(arguments: list[str], why: str) -> None:
    done = hedgerow(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr


def scanned(lines: list[str]) -> str:
    """Answer what a camera reads from a terminal: two rows a line, three pixels a module."""
    rows = []
    for line in (line.removeprefix("\033[97;40m").removesuffix("\033[0m") for line in lines):
        rows += [[each in "█▀" for each in line], [each in "█▄" for each in line]]
    pixels = b"".join(bytes(255 if light else 0 for light in row for _ in range(3)) * 3 for row in rows)
    (found,) = zxingcpp.read_barcodes(memoryview(pixels).cast("B", (len(rows) * 3, len(rows[0]) * 3)))
    return str(found.text)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium (Debian's package)")
@pytest.mark.spec("AL-28")
def test_an_installers_phone_makes_a_claim_and_sees_the_device_come(cloud: TestCloud) -> None:
    set_up(cloud)
    with browser_page(**PHONE, ignore_https_errors=True) as page:
        page.goto(f"{link(cloud)}&page=/onboarding")
        page.get_by_label("Provisioning template").select_option("fleet")
        page.get_by_role("button", name="Make a claim").click()
        page.get_by_role("img", name="QR code").wait_for()
        page.goto(f"{cloud.process.ready['console_url']}/")
        page.get_by_text("0 devices").wait_for()
        with site_of(cloud, "site-01"):
            shown(page, "tbody tr .state", "Online")


def test_on_every_address_there_are_hosts_that_certificates_name_and_the_console_may_have_its_own(
    tmp_path: Path,
) -> None:
    tool, folder = OpenSsl(tmp_path), tmp_path / "cloud"
    own = tool.ca("/CN=phones know it", "-addext", "subjectAltName=DNS:localhost")
    folder.mkdir()
    files = {"HEDGEROW_CONSOLE_CERTIFICATE": str(own.certificate), "HEDGEROW_CONSOLE_KEY": str(own.key)}
    cloud = start_cloud(folder, "--bind=::", "--host=localhost", **files)
    try:
        api, console = cloud.ready["api_url"], cloud.ready["console_url"]
        token = cloud.session().client("hedgerow").create_console_sign_in()["token"]
        phone = ssl.create_default_context(cafile=own.certificate)
        answer = httpx.get(f"{console}/sign-in?token={token}", verify=phone, timeout=20)
    finally:
        cloud.stop()

    assert (urlsplit(api).hostname, urlsplit(console).hostname) == ("127.0.0.1", "localhost")
    assert answer.status_code == 303


def test_a_renewed_certificate_is_shown_without_a_restart(process: CloudProcess, tmp_path: Path) -> None:
    pki, kept = process.data / "pki", tmp_path / "kept"
    kept.mkdir()
    for name in ("server.pem", "server.key"):
        shutil.copy2(pki / name, kept / name)
    first, made = serial(process), OpenSsl(tmp_path).alone("/CN=renewed")

    (pki / "server.key").write_bytes(made.key.read_bytes())  # until the certificate follows, the old pair is served
    between = serial(process)
    (pki / "server.pem").write_bytes(made.certificate.read_bytes())
    renewed = until("the new certificate", lambda: (found := serial(process)) != first and found)
    by_name = serial(process, name="localhost")
    for name in ("server.pem", "server.key"):
        shutil.copy2(kept / name, pki / name)
    until("the one of before", lambda: serial(process) == first)

    assert between == first
    assert by_name == renewed
