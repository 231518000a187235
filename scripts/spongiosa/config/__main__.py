"""Write config/config.yaml and config/config.schema.json: `python -m spongiosa.config config`."""

from __future__ import annotations

import sys
from pathlib import Path

from spongiosa.config.documents import configuration_schema, configuration_yaml


def main(folder: Path) -> None:
    """Write both documents into `folder`."""
    (folder / "config.yaml").write_text(configuration_yaml(), encoding="utf-8")
    (folder / "config.schema.json").write_text(configuration_schema(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
