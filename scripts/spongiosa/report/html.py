"""What every page of ours shares: the templates, escaping, and the policy that forbids every request."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from spongiosa.report.formatting import whole

TEMPLATES = Path(__file__).parent / "templates"


def template_text(name: str) -> str:
    """A file of the templates as it is: a style sheet or a script."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def environment() -> jinja2.Environment:
    """Templates in which all text is escaped and an unknown name is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["json_in_page"] = json_in_page
    made.filters["thousands"] = whole
    return made


def policy_for(*scripts: str) -> str:
    """The content security policy of a page that may run these scripts and load nothing but pictures within it."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'" for script in scripts
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}; base-uri 'none'; "
        "form-action 'none'"
    )


def json_in_page(value: Any) -> Markup:
    """JSON that can stand inside a script element: no text in it can close the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
