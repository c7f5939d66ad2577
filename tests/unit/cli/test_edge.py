from pathlib import Path

import pytest
from typer.testing import CliRunner

from hedgerow.base.errors import Unavailable
from hedgerow.cli.edge import app
from hedgerow.edge import EdgeSettings, main


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no configuration file"),
        ("a: [", "is not YAML"),
        ("services: {}", "missing: "),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_line_and_status_2(
    tmp_path: Path, content: str | None, said: str
) -> None:
    config = tmp_path / "config.yaml"
    if content is not None:
        config.write_text(content)

    result = CliRunner().invoke(app, ["run", "--root", str(tmp_path / "edge"), "--init-config", str(config)])

    assert result.exit_code == 2
    assert result.stderr.startswith("edge: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_what_may_pass_has_a_status_with_which_the_service_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: EdgeSettings) -> None:
        raise Unavailable("cannot use state.db: database or disk is full")

    monkeypatch.setattr(main, "run", full)

    result = CliRunner().invoke(app, ["run", "--root", str(tmp_path)])

    assert (result.exit_code, result.stderr) == (1, "edge: cannot use state.db: database or disk is full\n")
