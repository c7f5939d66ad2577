"""What an edge process is told on its command line, and where its configuration file is found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.base.errors import Unusable
from hedgerow.edge.layout import Layout

NAMES: Final = ("config/config.yaml", "config.yaml", "config.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """The edge's folder, and the file to configure it from (default: the one it was configured from before)."""

    root: Path
    init_config: Path | None = None


def configuration_text(settings: EdgeSettings, layout: Layout) -> tuple[str, str]:
    """Answer the configuration file's text and its name; raise Unusable when there is none. Blocks."""
    paths = [settings.init_config] if settings.init_config else [layout.root / name for name in NAMES]
    for path in paths:
        try:
            return path.read_text("utf-8"), str(path)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable(f"cannot read the configuration {path}: {error}") from error
    if settings.init_config:
        raise Unusable(f"there is no configuration file {settings.init_config}")
    raise Unusable(f"{layout.root} holds no config.yaml; say --init-config FILE at the first start")
