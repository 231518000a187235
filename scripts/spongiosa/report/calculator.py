"""The risk calculator of a fitted model as one HTML page: it holds the coefficients and asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from spongiosa.report.html import environment, policy_for, template_text

#: Names of a calculator's files in the folder of a study: what it says and knows, and its page.
DOCUMENT_NAME, PAGE_NAME = "calculator.json", "calculator.html"
SCRIPT = "calculator.js"


def calculator_page(document: Mapping[str, Any]) -> str:
    """The page of a calculator; the same document gives the same page.

    `document` is what `studies.calculator.calculator_document` describes: title, outcome, coefficients with their
    covariance, fields with units and ranges, and the figures by which the model is judged.
    """
    behaviour = template_text(SCRIPT)
    return (
        environment()
        .get_template("calculator.html")
        .render(
            model=document,
            style=Markup(template_text("style.css")),
            behaviour=Markup(behaviour),
            policy=policy_for(behaviour),
        )
    )


def calculator_json(document: Mapping[str, Any]) -> str:
    """The document as JSON text, numbers in full."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
