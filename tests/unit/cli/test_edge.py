from pathlib import Path

import pytest
from typer.testing import CliRunner

from hedgerow.cli.edge import app


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
