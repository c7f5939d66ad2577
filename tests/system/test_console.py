"""The console in a real browser, on a real cloud: it shows what happens without being reloaded.

HEDGEROW_SCREENSHOT=1 also writes docs/console.png.
"""

import json
import math
import os
import re
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.cli.demo import fleet
from hedgerow.testing import CloudProcess, TestCloud
from hedgerow.testing.cloud import Device, start_cloud
from tests.support.waiting import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHOWN_MS = 15_000
PICTURE = Path(__file__).parents[2] / "docs" / "console.png"

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
    """A fresh account, with the demo's rules."""
    made = process.new_account(tmp_path)
    role = made.client("iam").create_role(
        RoleName=fleet.RULE_ROLE, AssumeRolePolicyDocument=fleet.trust("iot.amazonaws.com")
    )["Role"]["Arn"]
    rights = fleet.rule_rights(made.region, made.account)
    made.client("iam").put_role_policy(RoleName=fleet.RULE_ROLE, PolicyName="rights", PolicyDocument=rights)
    iot = made.client("iot")
    iot.create_topic_rule(ruleName="telemetry", topicRulePayload=fleet.telemetry_rule(role))
    faults = {**fleet.fault_rule(role, ""), "actions": fleet.fault_rule(role, "")["actions"][:1]}
    iot.create_topic_rule(ruleName="faults", topicRulePayload=faults)
    return made


class Site:
    """A device that speaks as the demo's do."""

    def __init__(self, device: Device) -> None:
        self.name = device.name
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device.name)
        self._client.tls_set_context(device.tls())
        self._client.connect(device.host, device.mqtt_port)
        self._client.loop_start()
        until("the device connected", self._client.is_connected)

    def publish(self, topic: str, content: object) -> None:
        self._client.publish(topic, json.dumps(content), 1).wait_for_publish(10)

    def reports(self, **values: object) -> None:
        self.publish(f"sites/{self.name}/telemetry", {"site": self.name, "at": int(time.time() * 1000), **values})

    def fault(self, state: str) -> None:
        event = {"thing": self.name, "fault": "overheating", "state": state, "id": "f-1"}
        self.publish(f"sites/{self.name}/faults", {**event, "at": int(time.time() * 1000)})
        known = "f-1" if state == "raised" else None
        shadow = f"$aws/things/{self.name}/shadow/name/faults/update"
        self.publish(shadow, {"state": {"reported": {"open": {"overheating": known}}}})

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def site_of(cloud: TestCloud, name: str) -> Iterator[Site]:
    policy = json.loads(fleet.device_policy(cloud.region, cloud.account))
    site = Site(cloud.device(name, policy))
    try:
        yield site
    finally:
        site.leave()


@contextmanager
def browser_page(**context: Any) -> Iterator[Any]:
    """A page of headless Chromium; what it complains about fails the test."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context}).new_page()
            page.set_default_timeout(SHOWN_MS)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
            yield page
        finally:
            browser.close()
    assert [each for each in complaints if "ERR_ABORTED" not in each] == []


def link(cloud: TestCloud) -> str:
    token = cloud.client("hedgerow").create_console_sign_in()["token"]
    return f"{cloud.process.ready['console_url']}/sign-in?token={token}"


def shown(page: Any, selector: str, text: str) -> None:
    """Wait until an element with the text is there, on the page as it is: nothing is reloaded."""
    page.locator(selector, has_text=re.compile(f"^{re.escape(text)}")).first.wait_for()


@pytest.mark.spec("JB-04")
def test_the_page_follows_a_device_without_being_reloaded(cloud: TestCloud) -> None:
    with site_of(cloud, "site-01") as site, browser_page() as page:
        site.reports(signal_dbm=-61, temperature_c=40.5, fan_on=False)
        page.goto(link(cloud))
        page.evaluate("window.notReloaded = true")

        row = page.locator("tbody tr", has=page.get_by_role("link", name="site-01"))
        shown(row, ".state", "Online")
        site.reports(signal_dbm=-67, temperature_c=43.25, fan_on=True)
        shown(row, ".reading b", "−67")
        shown(row, ".reading b", "43.25")
        site.fault("raised")
        shown(page, "nav .count", "1 open")
        shown(row, ".count.bad", "1")
        site.fault("cleared")
        shown(row, ".count.zero", "0")
        site.leave()
        shown(row, ".state", "Offline")

        assert page.evaluate("window.notReloaded") is True


@pytest.mark.spec("JB-04")
def test_a_devices_page_shows_its_last_value_and_its_faults_open_and_closed(cloud: TestCloud) -> None:
    with site_of(cloud, "site-01") as site, browser_page() as page:
        page.goto(link(cloud))
        page.get_by_role("link", name="site-01").click()
        site.reports(signal_dbm=-67, temperature_c=81.5, fan_on=True)
        site.fault("raised")

        shown(page, ".card .latest", "81.5")
        page.locator(".card canvas").first.wait_for()
        shown(page, "td .state", "Open")
        site.fault("cleared")
        shown(page, "td .state", "Closed")
        shown(page, "td .state", "ACTIVE")


def test_a_reader_keeps_the_focus_while_values_change(cloud: TestCloud) -> None:
    with site_of(cloud, "site-01") as site, browser_page() as page:
        page.goto(link(cloud))
        name = page.get_by_role("link", name="site-01")
        name.focus()

        site.reports(signal_dbm=-68, temperature_c=40.0, fan_on=True)
        shown(page, ".reading b", "−68")

        assert name.evaluate("element => element === document.activeElement") is True


def test_the_past_is_there_when_the_page_is_opened_later(cloud: TestCloud) -> None:
    with site_of(cloud, "site-01") as site:
        for degrees in (41.0, 42.0, 43.0):
            site.reports(signal_dbm=-67, temperature_c=degrees, fan_on=True)
        site.fault("raised")
        metrics, logs = cloud.client("cloudwatch"), cloud.client("logs")
        until("telemetry stored", lambda: len(metrics.list_metrics(Namespace=fleet.NAMESPACE)["Metrics"]) == 3)
        until("the fault logged", lambda: logs.describe_log_groups()["logGroups"])
    with browser_page() as page:
        page.goto(link(cloud))

        shown(page, ".state", "Offline")
        shown(page, ".reading b", "−67")
        shown(page, ".count.bad", "1")


def test_a_fleet_of_three_hundred_is_shown_page_by_page(cloud: TestCloud) -> None:
    iot = cloud.client("iot")
    for number in range(300):
        iot.create_thing(thingName=f"t-{number:03d}")
    with browser_page() as page:
        page.goto(link(cloud))

        shown(page, "h1 + p, p.sub", "300 devices")
        assert page.locator("tbody tr").count() == 50
        page.get_by_role("button", name="Next").click()
        page.get_by_role("link", name="t-099").wait_for()
        page.get_by_label("Search").fill("t-299")
        page.get_by_role("link", name="t-299").wait_for()
        assert page.locator("tbody tr").count() == 1


def test_a_link_works_once_and_pages_need_it(cloud: TestCloud) -> None:
    cloud.client("iot").create_thing(thingName="site-01")
    address = link(cloud)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    with opener.open(address, timeout=20) as answer:
        page = answer.read().decode()
    with pytest.raises(urllib.error.HTTPError) as again:
        urllib.request.urlopen(address, timeout=20)
    with pytest.raises(urllib.error.HTTPError) as bare:
        urllib.request.urlopen(cloud.process.ready["console_url"], timeout=20)

    assert "site-01" in page
    assert (again.value.code, bare.value.code) == (403, 401)
    for error in (again.value, bare.value):
        assert b"create-console-sign-in" in error.read()
        error.close()


def test_people_see_their_own_account_only(cloud: TestCloud, process: CloudProcess, tmp_path: Path) -> None:
    cloud.client("iot").create_thing(thingName="secret-thing")
    folder = tmp_path / "other"
    folder.mkdir()
    other = process.new_account(folder)
    with browser_page() as page:
        page.goto(link(other))

        shown(page, "p.sub", "0 devices")
        assert page.get_by_text("secret-thing").count() == 0


def test_what_may_not_be_read_is_said_in_words(cloud: TestCloud) -> None:
    iam = cloud.client("iam")
    iam.create_user(UserName="reader")
    allowed = ["iot:ListThings", "iot:ListTopicRules", "iot:Connect", "hedgerow:CreateConsoleSignIn"]
    iam.put_user_policy(UserName="reader", PolicyName="few", PolicyDocument=fleet.document(fleet.allow(allowed, "*")))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    session = cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"])
    reader = TestCloud(process=cloud.process, account=cloud.account, session=session, folder=cloud.folder)
    cloud.client("iot").create_thing(thingName="site-01")
    with browser_page() as page:
        page.goto(link(reader))

        page.get_by_role("link", name="site-01").wait_for()
        page.get_by_role("alert").get_by_text("is not authorized to perform: iot:ListThingGroups").wait_for()


def test_signing_out_ends_the_session_in_every_tab(cloud: TestCloud) -> None:
    with browser_page() as page:
        page.goto(link(cloud))
        other = page.context.new_page()
        other.goto(cloud.process.ready["console_url"])
        other.get_by_role("heading", name="Fleet").wait_for()

        page.get_by_role("button", name="Sign out").click()

        page.get_by_role("heading", name="Signed out").wait_for()
        other.get_by_role("heading", name="Not signed in").wait_for()


def test_nothing_is_loaded_from_elsewhere(cloud: TestCloud) -> None:
    asked: list[str] = []
    with browser_page() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(link(cloud))
        page.get_by_role("heading", name="Fleet").wait_for()

    origin = cloud.process.ready["console_url"]
    assert asked
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []


def test_the_console_ends_with_a_cloud_that_is_killed(tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path, "--host=localhost")
    console = console_of(cloud)

    cloud.kill()

    until("the console is gone", lambda: not alive(console))


def test_a_console_that_is_killed_comes_back_where_it_was(tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path, "--host=localhost")
    try:
        first = console_of(cloud)
        os.kill(first, signal.SIGKILL)

        until("another console", lambda: (found := console_of(cloud)) and found != first)
        until("it answers", lambda: answers(cloud.ready["console_url"]))
    finally:
        cloud.stop()


@pytest.mark.skipif("HEDGEROW_SCREENSHOT" not in os.environ, reason="HEDGEROW_SCREENSHOT is not set")
def test_a_picture_for_the_documentation(cloud: TestCloud) -> None:
    with site_of(cloud, "site-01") as site, site_of(cloud, "site-02") as other, browser_page() as page:
        cloud.client("iot").create_thing_group(thingGroupName=fleet.GROUP)
        for name in ("site-01", "site-02"):
            cloud.client("iot").add_thing_to_thing_group(thingGroupName=fleet.GROUP, thingName=name)
        page.goto(link(cloud))
        page.get_by_role("link", name="site-01").click()
        for step in range(60):
            hot = step >= 40
            warm = round(44 + math.sin(step / 5) + (34 if hot else 0), 1)
            site.reports(signal_dbm=round(-64 + 4 * math.sin(step / 9)), temperature_c=warm, fan_on=hot)
            other.reports(signal_dbm=-70, temperature_c=41.0, fan_on=False)
            if step == 40:
                site.fault("raised")
            page.wait_for_timeout(1000)
        page.screenshot(path=str(PICTURE), full_page=True)

    assert PICTURE.stat().st_size > 10_000


def console_of(cloud: CloudProcess) -> int:
    """Answer the process id of a cloud's console, 0 while there is none."""
    assert cloud.process is not None
    for task in Path(f"/proc/{cloud.process.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if "hedgerow.console" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
    return 0


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 401
    except OSError:
        return False
    return False
