"""The console's pages that let devices in, in a real browser: claims as QR codes, who waits, and the record."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zxingcpp

from hedgerow.cli.demo import fleet
from hedgerow.testing import CloudProcess, TestCloud
from hedgerow.testing.cloud import start_cloud
from tests.support.mqtt import ask, connected
from tests.support.openssl import OpenSsl
from tests.support.png import greys
from tests.support.sites import Edge
from tests.support.waiting import until
from tests.system.test_console import CHROMIUM, browser_page, link
from tests.system.test_onboarding import PROVISION, body, device, hedgerow, set_up, vend

HOSTILE = "<img src=x onerror='window.hacked=1'>"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium (Debian's package)"),
]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """A cloud with its console."""
    cloud = start_cloud(tmp_path_factory.mktemp("console"), "--host=localhost", "--host=127.0.0.1")
    yield cloud
    cloud.stop()


@pytest.fixture
def cloud(process: CloudProcess, tmp_path: Path) -> TestCloud:
    """A fresh account with a provisioning template."""
    made = process.new_account(tmp_path)
    set_up(made)
    return made


def page_of(cloud: TestCloud, name: str = "") -> str:
    return f"{cloud.process.ready['console_url']}/onboarding{name}"


def user(cloud: TestCloud, name: str, *statements: dict[str, Any]) -> TestCloud:
    """Answer the account as one of its users sees it, who may sign in to the console and what the statements say."""
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    may = fleet.document(fleet.allow(["hedgerow:CreateConsoleSignIn"], "*"), *statements)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=may)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"])
    return TestCloud(process=cloud.process, account=cloud.account, session=session, folder=cloud.folder)


def allow_more(cloud: TestCloud, name: str, *statements: dict[str, Any]) -> None:
    document = fleet.document(*statements)
    cloud.client("iam").put_user_policy(UserName=name, PolicyName="more", PolicyDocument=document)


def scanned(page: Any) -> str:
    """Answer what a camera reads from the page's QR code."""
    width, height, pixels = greys(page.get_by_role("img", name="QR code").screenshot())
    (found,) = zxingcpp.read_barcodes(memoryview(pixels).cast("B", (height, width)))
    return str(found.text)


@pytest.mark.spec("AL-28", "AL-43", "AL-46", "AL-47", "AL-48")
def test_an_installers_phone_shows_a_claim_with_which_a_device_enrols(cloud: TestCloud, tmp_path: Path) -> None:
    arn = f"arn:aws:iot:{cloud.region}:{cloud.account}:provisioningtemplate/fleet"
    installer = user(cloud, "installer", fleet.allow(["iot:CreateProvisioningClaim"], arn))
    root, read = tmp_path / "edge", tmp_path / "read.txt"

    with browser_page(**PHONE) as page:
        page.clock.install()
        page.goto(link(installer))
        answer = page.goto(page_of(cloud))
        page.get_by_label("Provisioning template").fill("other")
        page.get_by_role("button", name="Make a claim").click()
        page.get_by_text("is not authorized to perform: iot:CreateProvisioningClaim").wait_for()
        page.get_by_label("Provisioning template").fill("fleet")
        page.get_by_role("button", name="Make a claim").click()
        page.get_by_role("timer").wait_for()
        read.write_text(scanned(page))
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        file = json.loads(Path(download.value.path()).read_text())
        hedgerow(cloud, "edge", "install", f"--root={root}", f"--claim={read}", "--parameter=ThingName=lamp")
        brought = {name: (root / "claim" / name).read_text() for name in ("claim.pem", "claim.key", "ca.pem")}
        (root / "config.yaml").symlink_to("config/config.yaml")
        edge = Edge("lamp", root)
        edge.start()
        try:
            until("it enrolled", lambda: cloud.client("iot").list_things()["things"])
        finally:
            edge.stop()
        page.get_by_role("button", name="Cancel the claim").click()
        page.get_by_text("is not authorized to perform: hedgerow:DeleteClaim").wait_for()
        allow_more(cloud, "installer", fleet.allow(["hedgerow:DeleteClaim"], "*"))
        page.get_by_role("button", name="Cancel the claim").click()
        page.get_by_text("It lets nobody in any more.").wait_for()
        left = cloud.client("hedgerow").list_claims()["claims"]
        page.get_by_role("button", name="Make a claim").click()
        page.get_by_role("timer").wait_for()
        page.clock.fast_forward("05:00")
        page.get_by_text("The claim is over.").wait_for()

        assert page.get_by_role("img", name="QR code").count() == 0
        assert "PRIVATE KEY" not in page.content()

    assert answer.headers["cache-control"] == "no-store"
    assert left == []
    assert brought == {"claim.pem": file["certificatePem"], "claim.key": file["privateKey"], "ca.pem": file["caPem"]}
    assert file["privateKey"].splitlines()[1] not in cloud.process.log.read_text()
    (attempt,) = cloud.client("hedgerow").list_onboarding_attempts()["attempts"]
    assert (attempt["way"], attempt["device"]) == ("TRUSTED_USER", "lamp")


@pytest.mark.spec("AL-59", "AL-60", "AL-62")
def test_waiting_devices_appear_and_are_decided_about(cloud: TestCloud, tmp_path: Path) -> None:
    tool, listed = OpenSsl(tmp_path), tmp_path / "devices.csv"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    request = tool.run("req", "-new", *curve, "-nodes", "-keyout", tmp_path / "k", "-subj", "/CN=4711")
    listed.write_text("serial,token,ThingName\n4713,known,bulb\n")
    looker = user(cloud, "looker", fleet.allow(["hedgerow:ListVendingRequests", "iot:ListProvisioningTemplates"], "*"))

    with browser_page() as page:
        page.goto(link(cloud))
        page.goto(page_of(cloud, "/waiting"))
        page.get_by_text("No device waits.").wait_for()
        for serial in ("4711", "4712"):
            vend(cloud, serial, "printed", request)
        page.get_by_label("Thing name for 4711").fill("lamp")
        page.get_by_role("button", name="Approve 4711").click()
        page.get_by_text("4711 may have a certificate.").wait_for()
        page.get_by_role("button", name="Deny 4712").focus()
        page.keyboard.press("Enter")
        page.get_by_text("4712 is denied.").wait_for()
        page.get_by_text("No device waits.").wait_for()
        page.get_by_label("CSV file").set_input_files(listed)
        page.get_by_role("button", name="Import").click()
        page.get_by_text("1 device may have a certificate.").wait_for()
        page.get_by_label("Devices").select_option("Approved")
        page.get_by_role("button", name="Deny 4713").wait_for()
        answers = [vend(cloud, "4711", "printed", request), vend(cloud, "4712", "printed", request)]
        known = vend(cloud, "4713", "known", request)
        vend(cloud, "4714", "printed", request)
        page.get_by_label("Devices").select_option("With a certificate")
        page.get_by_role("button", name="Another one 4711").click()
        page.get_by_text("Device 4711 has its certificate already: deactivate that one").wait_for()
    with browser_page() as page:
        page.goto(link(looker))
        page.goto(page_of(cloud, "/waiting"))
        page.get_by_role("button", name="Approve 4714").click()
        page.get_by_text("is not authorized to perform: hedgerow:ApproveVendingRequest").wait_for()

    assert [status for status, _ in answers] == [200, 403]
    assert (answers[0][1]["thingName"], known[1]["thingName"]) == ("lamp", "bulb")
    (waits,) = cloud.client("hedgerow").list_vending_requests(state="PENDING")["devices"]
    assert waits["serialNumber"] == "4714"


@pytest.mark.spec("AL-41")
def test_the_record_shows_who_came_in_and_who_did_not_whatever_they_call_themselves(
    cloud: TestCloud, tmp_path: Path
) -> None:
    request = OpenSsl(tmp_path).run(
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "k", "-subj", "/CN=l"
    )
    template = body({"CertificateSigningRequest": {"Ref": "Request"}}, "Request")
    given = {"ThingName": "lamp", "Request": request}
    cloud.client("iot").register_thing(templateBody=template, parameters=given)
    made = cloud.client("iot").create_provisioning_claim(templateName="fleet")
    with connected(device(cloud, tmp_path, "claim", made["certificatePem"], made["keyPair"]["PrivateKey"])) as asking:
        for _ in range(25):
            said = {"certificateOwnershipToken": "stolen", "parameters": {"ThingName": HOSTILE}}
            ask(asking, PROVISION, said)

    with browser_page(color_scheme="dark") as page:
        page.goto(link(cloud))
        page.goto(page_of(cloud, "/record"))
        page.get_by_text(HOSTILE).first.wait_for()
        page.get_by_role("button", name="Older").click()
        page.get_by_text("Operator").wait_for()
        page.get_by_text("Only refused ones").click()
        page.get_by_text("Operator").wait_for(state="detached")
        page.get_by_text("Only refused ones").click()
        page.get_by_label("Device").fill("lamp")
        page.get_by_text("Accepted").wait_for()

        assert page.locator("tbody tr").count() == 1
        assert page.evaluate("window.hacked") is None
