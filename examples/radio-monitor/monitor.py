"""Watches the radio of one site and tells the cloud. Runs as a long-lived (pinned) function."""

import asyncio
import json
import os
import threading
import time

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from faults import Faults
from radio import Radio, Unreachable
from release import RELEASE

SITE = os.environ["AWS_IOT_THING_NAME"]
ADDRESS = json.loads(os.environ["RADIOS"])[SITE]
PERIOD_S = float(os.environ.get("PERIOD_S", "1"))
RAISE_AT = float(os.environ.get("RAISE_AT", "70"))
CLEAR_AT = float(os.environ.get("CLEAR_AT", "60"))
MISSED_POLLS = 3

SHADOW = f"$aws/things/{SITE}/shadow/name/faults"
LATEST = {}


def publish(ipc, topic, payload):
    """Hand a message to the core; it keeps it while the site is offline."""
    ipc.publish_to_iot_core(topic_name=topic, qos="1", payload=json.dumps(payload).encode())


def open_faults(ipc):
    """Ask the thing's shadow which faults were open before this start; none when it does not answer in time."""
    answered = threading.Event()
    found = {}

    def on_answer(event):
        if event.message.topic_name.endswith("/accepted"):
            document = json.loads(event.message.payload)
            found.update(document.get("state", {}).get("reported", {}).get("open") or {})
        answered.set()

    subscriptions = [
        ipc.subscribe_to_iot_core(topic_name=f"{SHADOW}/get/{answer}", qos="1", on_stream_event=on_answer)
        for answer in ("accepted", "rejected")
    ]
    publish(ipc, f"{SHADOW}/get", {})
    answered.wait(10)
    for _, operation in subscriptions:
        operation.close()
    return found


async def watch(ipc):
    """Poll for ever."""
    radio = Radio(ADDRESS, os.environ.get("COMMUNITY", "public"))
    faults = Faults(SITE)
    faults.adopt(await asyncio.to_thread(open_faults, ipc))
    missed = 0
    due = time.monotonic()
    while True:
        at = int(time.time() * 1000)
        try:
            reading = await radio.read()
        except Unreachable as error:
            missed += 1
            print(f"the radio at {ADDRESS} did not answer: {error}", flush=True)
            reading = None
        else:
            missed = 0
            LATEST.update(reading, at=at)
            publish(ipc, f"sites/{SITE}/telemetry", {"site": SITE, **reading, "release": RELEASE, "at": at})
        events = [faults.observe("unreachable", missed >= MISSED_POLLS, cleared=missed == 0, at=at)]
        if reading is not None:
            warm = reading["temperature_c"]
            events.append(faults.observe("overheating", warm > RAISE_AT, cleared=warm < CLEAR_AT, at=at))
        for event in filter(None, events):
            publish(ipc, f"sites/{SITE}/faults", event)
            known = faults.open.get(event["fault"])
            publish(ipc, f"{SHADOW}/update", {"state": {"reported": {"open": {event["fault"]: known}}}})
            print(f"fault {event['fault']} {event['state']}", flush=True)
        due = max(due + PERIOD_S, time.monotonic())
        await asyncio.sleep(due - time.monotonic())


def run():
    """Watch until the process ends; an error ends the process, and the core starts it again."""
    try:
        asyncio.run(watch(GreengrassCoreIPCClientV2()))
    except BaseException as error:
        print(f"the monitor stops: {error!r}", flush=True)
        os._exit(1)


threading.Thread(target=run, name="monitor", daemon=True).start()


def handler(event, context):
    """Answer the latest reading."""
    return {"site": SITE, "release": RELEASE, **LATEST}
