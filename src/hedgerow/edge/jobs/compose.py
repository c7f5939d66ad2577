"""The jobs of a device, composed."""

from collections.abc import Mapping

from hedgerow.base.ids import Ids
from hedgerow.edge import tls
from hedgerow.edge.components.leftovers import Leftovers
from hedgerow.edge.configuration import JOBS, Configuration
from hedgerow.edge.connection import Connection
from hedgerow.edge.identity import Identity
from hedgerow.edge.jobs.actions import Actions, Rotate, boot_id, restart_command
from hedgerow.edge.jobs.channel import JobChannel
from hedgerow.edge.jobs.execution import Executions
from hedgerow.edge.jobs.process import OnLine, Processes
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console
from hedgerow.edge.state import State


def job_channel_of(
    *,
    settings: Configuration,
    identity: Identity,
    layout: Layout,
    state: State,
    ids: Ids,
    console: Console,
    connection: Connection,
    attributes: Mapping[str, str],
    on_line: OnLine,
    rotate: Rotate,
) -> JobChannel:
    """Answer the channel of a device's jobs; ends what an earlier life left running. Blocks for a moment."""
    leftovers = Leftovers(layout.work / ".jobs")
    leftovers.end()
    actions = Actions(
        processes=Processes(leftovers=leftovers, ids=ids, on_line=on_line),
        folder=layout.work / JOBS,
        handlers_folder=settings.jobs.handlers or layout.root / "jobs",
        logs=settings.logging.folder or layout.logs,
        reboot=settings.jobs.reboot_command or restart_command(),
        thing_name=identity.thing_name,
        context=lambda: tls.trusting(settings.root_ca, also_public=True),
        boot_id=boot_id,
        rotate=rotate,
    )
    executions = Executions(state=state, actions=actions, attributes=attributes)
    return JobChannel(connection=connection, executions=executions, console=console, thing_name=identity.thing_name)
