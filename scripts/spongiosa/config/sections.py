"""The parts of the configuration that a rule reads, so that a changed key re-runs only what depends on it."""

from __future__ import annotations

from typing import Any

from spongiosa.config.root import Configuration
from spongiosa.provenance import digest

#: Sections that decide what is measured; their hash stands in every row of the measurements.
MEASURING_SECTIONS = (
    *("series", "convert", "localise", "regions"),
    *("calibration", "internal_calibration", "contrast", "quality", "extract"),
)

#: Keys that name a table whose rows are passed to the rules that need them.
TABLE_KEYS = {"review": {"overrides"}, "calibration": {"scanner_table"}}

#: Keys that act when everything is measured: they change no measurement.
LATER_KEYS = {"convert": {"keep"}}


def section_of(configuration: Configuration, *names: str) -> dict[str, Any]:
    """The named sections as plain data; a dotted name (`studies.x`) reaches into a section."""
    parts: dict[str, Any] = {}
    for name in names:
        section: Any = configuration
        for part in name.split("."):
            section = getattr(section, part)
        parts[name.rpartition(".")[2]] = section.model_dump(mode="json", exclude=(TABLE_KEYS | LATER_KEYS).get(name))
    return parts


def measuring_hash(configuration: Configuration) -> str:
    """Hash over the sections that decide what is measured; it holds no path."""
    return digest(section_of(configuration, *MEASURING_SECTIONS))


def enabled_studies(configuration: Configuration) -> list[str]:
    """Names of the studies to make, in the order of the configuration."""
    studies = configuration.studies
    return [name for name in type(studies).model_fields if getattr(studies, name).enabled]
