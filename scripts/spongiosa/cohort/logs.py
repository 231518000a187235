"""The log of a job: a file and the terminal, without anything that identifies a person."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

logger = logging.getLogger("spongiosa")


def open_log(path: Path | None) -> logging.Logger:
    """Send messages to the job's log file and warnings to the terminal."""
    logger.setLevel(logging.INFO)
    logger.handlers.clear()
    form = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
        to_file.setFormatter(form)
        logger.addHandler(to_file)
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.WARNING)
    to_terminal.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(to_terminal)
    return logger


def without_paths(text: str, paths: list[str]) -> str:
    """`text` with every given input path, and what it says of the files below, replaced.

    Folder and file names of a clinic can hold names of people.
    """
    for path in sorted(filter(None, paths), key=len, reverse=True):
        text = re.sub(re.escape(path) + r"(?:[/\\][^'\"\n]*)?", "<input>", text)
    return text
