"""From what the user wrote to a checked configuration; errors say where, what is allowed and what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from spongiosa.config.root import Configuration

#: Keys of earlier versions, with what replaces them.
OUTDATED_KEYS: dict[str, str] = {}


class ConfigurationError(Exception):
    """The configuration cannot be used; the message lists every fault with the path of its key."""


def load_configuration(data: Mapping[str, Any]) -> Configuration:
    """The checked configuration.  Raises `ConfigurationError`."""
    if not data:
        raise ConfigurationError(
            "No configuration was given. Copy config/config.yaml, set cohort.manifest and output_dir in it, and start "
            "with: snakemake --configfile my_study.yaml"
        )
    try:
        return Configuration.model_validate(dict(data))
    except ValidationError as error:
        lines = [f"  - {_sentence(fault)}" for fault in error.errors()]
        count = "1 fault" if len(lines) == 1 else f"{len(lines)} faults"
        raise ConfigurationError(f"The configuration has {count}; nothing was run.\n" + "\n".join(lines)) from error


def known_keys(model: type[BaseModel] = Configuration, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of the configuration as a dotted path, with its field."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        yield path, field
        inner = section_model(field)
        if inner is not None:
            yield from known_keys(inner, f"{path}.")


def section_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a section of its own, else None."""
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _sentence(fault: ErrorDetails) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key; {_nearest(path)}"
    if fault["type"] == "missing":
        return f"{path}: this key is required."
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    field = dict(known_keys()).get(path)
    described = f" Meaning: {field.description}" if field is not None and field.description else ""
    return f"{path or 'configuration'}: {message}{shown}.{described}".replace("..", ".")


def _nearest(path: str) -> str:
    if path in OUTDATED_KEYS:
        return f"it was replaced by {OUTDATED_KEYS[path]}."
    keys = [key for key, _ in known_keys()]
    parent, _, name = path.rpartition(".")
    siblings = [key for key in keys if key.rpartition(".")[0] == parent]
    same_name = [key for key in keys if key.rpartition(".")[2] == name]
    nearest = (
        difflib.get_close_matches(path, siblings, n=1, cutoff=0.75)
        or same_name
        or difflib.get_close_matches(path, keys, n=1, cutoff=0.6)
    )
    place = f"under '{parent}'" if parent else "at the top level"
    allowed = f"known keys {place}: {', '.join(key.rpartition('.')[2] for key in siblings)}."
    return f"did you mean '{nearest[0]}'? {allowed[0].upper()}{allowed[1:]}" if nearest else allowed
