"""The page at /: a row is typed, its prediction and reasons are seen, and the model card; all of it in one file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from mlworkflow.api.cards import as_html
from mlworkflow.api.served import Served

POLICY = (
    "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src data:"
)


@lru_cache(maxsize=4)
def page(served: Served) -> tuple[str, str]:
    """Return (the page, its content security policy: the style and the script by their hashes, no other)."""
    told = json.dumps(_told(served)).replace("<", "\\u003c")
    text = (files("mlworkflow.api") / "page.html").read_text(encoding="utf-8")
    name = html.escape(served.model.name.replace("_", " "))
    parts = {"NAME": name, "VERSION": html.escape(served.version), "TOLD": told, "CARD": as_html(served.model.card)}
    for key, value in parts.items():
        text = text.replace("{{" + key + "}}", value)
    hashes = {
        kind: _hashed(match[1]) if (match := re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)) else "'none'"
        for kind in ("style", "script")
    }
    return text, f"{POLICY}; style-src {hashes['style']}; script-src {hashes['script']}"


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _told(served: Served) -> dict[str, Any]:
    model = served.model
    fields = [
        {
            "name": one.name,
            "kind": one.kind,
            "required": one.required,
            "categories": one.categories if len(one.categories) <= 50 else [],
            "low": one.low,
            "high": one.high,
            "usual": one.usual,
        }
        for one in model.fields.all
    ]
    decision = model.threshold.words if model.threshold else ""
    return {"fields": fields, "classes": [str(one) for one in model.classes], "decision": decision}
