"""What a Lambda component's containerMode and containerParams open, and what is refused by name."""

from pathlib import Path
from typing import Any

import pytest

from hedgerow.edge.components.container import container_view
from hedgerow.edge.deployments.failure import DeploymentFailed

CONTAINER = {"containerMode": "GreengrassContainer"}


def test_without_a_container_a_function_sees_everything() -> None:
    assert container_view("radio", {"containerMode": "NoContainer"}, sees=[Path("/ca.pem")]) is None
    assert container_view("radio", {}, sees=[]) is None


@pytest.mark.spec("JB-82", "KO-25")
def test_a_container_shows_the_system_what_all_need_and_what_is_named(tmp_path: Path) -> None:
    parameters = {
        "volumes": {"0": {"sourcePath": str(tmp_path), "destinationPath": str(tmp_path), "permission": "rw"}},
        "devices": {"0": {"path": "/dev/null", "permission": "ro"}},
    }

    view = container_view("radio", {**CONTAINER, "containerParams": parameters}, sees=[Path("/ca.pem")])

    assert view is not None
    assert {Path("/usr"), Path("/ca.pem"), Path("/dev/null")} <= set(view.read)
    assert {Path("/tmp"), tmp_path} <= set(view.write)
    assert not {Path("/"), Path("/home"), Path("/var"), Path("/dev")} & {*view.read, *view.write}


@pytest.mark.spec("KO-23")
@pytest.mark.parametrize(("wanted", "shown"), [(True, True), (False, False), ("true", True), (None, False)])
def test_sys_is_shown_when_asked_for(wanted: Any, shown: bool) -> None:
    view = container_view("radio", {**CONTAINER, "containerParams": {"mountROSysfs": wanted}}, sees=[])

    assert view is not None
    assert (Path("/sys") in view.read) is shown


def place(**changes: Any) -> dict[str, Any]:
    return {"sourcePath": "/etc", "destinationPath": "/etc", "permission": "ro", **changes}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        (
            {"volumes": {"0": place(destinationPath="/data")}},
            r"volumes .*give '/etc' as destinationPath",
        ),
        ({"volumes": {"0": {"sourcePath": "/etc"}}}, "containerParams.volumes"),
        ({"volumes": [place(sourcePath="/gone", destinationPath="/gone")]}, "there is no '/gone' on this device"),
        ({"volumes": [place(sourcePath="etc", destinationPath="etc")]}, "there is no 'etc' on this device"),
        ({"volumes": [place(addGroupOwner=True)]}, r"volumes \(addGroupOwner\)"),
        ({"volumes": [place(permission="rx")]}, r"volumes \(permission\).*'rx'"),
        ({"volumes": ["/etc"]}, "each of them is an object"),
        ({"devices": {"0": {"path": "/dev/nothing"}}}, "there is no '/dev/nothing'"),
        ({"devices": {"0": {}}}, "containerParams.devices"),
        ({"devices": "/dev/null"}, "each of them is an object"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(DeploymentFailed, match=named):
        container_view("radio", {**CONTAINER, "containerParams": parameters}, sees=[])


def test_what_a_container_opens_is_refused_without_one() -> None:
    with pytest.raises(DeploymentFailed, match="containerMode GreengrassContainer only"):
        container_view("radio", {"containerMode": "NoContainer", "containerParams": {"volumes": [place()]}}, sees=[])
