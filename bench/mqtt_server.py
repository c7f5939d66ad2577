"""The gateway alone, as a server for `bench/mqtt.py`: python bench/mqtt_server.py FOLDER; prints its port."""

import asyncio
import json
import resource
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from hedgerow.base.clock import SystemClock
from hedgerow.base.collector import collect_rarely
from hedgerow.base.ids import RandomIds
from hedgerow.core.tls import Hello, Port, way_for
from hedgerow.gateway.bus import DirectBus
from hedgerow.gateway.entry import Choose, Entry
from hedgerow.gateway.grants import policy_grants
from hedgerow.gateway.listener import listen
from hedgerow.gateway.ports import Admit, Admitted, Message, NotAdmitted, Question, Reply
from hedgerow.gateway.run import running
from hedgerow.gateway.tls import prepare
from hedgerow.store.journal import SqliteJournal

ARN = "arn:aws:iot:eu-central-1:123456789012"
# 20 statements, two variables; the one that allows is the last.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        *[
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{ARN}:topic/other/{number}/${{iot:ClientId}}"}
            for number in range(18)
        ],
        {"Effect": "Deny", "Action": "iot:*", "Resource": f"{ARN}:topic/secret/${{iot:Connection.Thing.ThingName}}"},
        {
            "Effect": "Allow",
            "Action": ["iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive"],
            "Resource": [f"{ARN}:client/${{iot:ClientId}}", f"{ARN}:topic/bench/*", f"{ARN}:topicfilter/bench/*"],
        },
    ],
}


DOCUMENT = json.dumps(POLICY)


class Control:
    async def ask(self, question: Question, *, deadline_s: float) -> Reply:
        return Admitted(
            account="123456789012",
            principal="bench",
            policies=(DOCUMENT,),
            variables={"iot:Connection.Thing.ThingName": "bench"},
        )

    async def ask_many(self, questions: Sequence[Admit], *, deadline_s: float) -> Sequence[Admitted | NotAdmitted]:
        raise NotImplementedError("nobody's rights change here")

    def wants(self, message: Message) -> bool:
        return False


def by_protocol(context: ssl.SSLContext) -> Choose:
    """Look at each ClientHello first, as the cloud's ports do."""
    prepare(context)

    async def choose(hello: Hello) -> Entry:
        return Entry(context=context, way=way_for(Port.MQTT, hello.protocols))

    return choose


async def main(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    context.load_verify_locations(folder / "device-ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    journal = SqliteJournal(folder / "journal.db", call=asyncio.get_running_loop().call_soon_threadsafe)
    hub = DirectBus()
    async with (
        running(
            name="bench",
            region="eu-central-1",
            control=Control(),
            hub=hub,
            journal=journal,
            clock=SystemClock(),
            ids=RandomIds(),
            compile_grants=policy_grants,
        ) as gateway,
        listen(gateway, by_protocol(context), host="127.0.0.1") as listener,
    ):
        collect_rarely()
        print(listener.ports[0], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(gateway.statistics()), file=sys.stderr)
    journal.close()


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if "--asyncio" in sys.argv:
        asyncio.run(main(Path(sys.argv[1])))
    else:
        import uvloop

        uvloop.run(main(Path(sys.argv[1])))
