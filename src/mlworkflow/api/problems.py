"""What a client is told when a request is refused: a problem document (RFC 9457) with field, rule and value."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from mlworkflow.core.io import plain
from mlworkflow.runtime.fields import LONGEST, Mistake, RowsError

MEDIA_TYPE = "application/problem+json"


class RefusedError(Exception):
    """A request that is not carried out: the status, one sentence, and what is wrong with each field."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[Mapping[str, Any]] = (),
        *,
        retry_after: int | None = None,
        close: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, list(errors)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)
        if close:  # what is left of the body is not read
            self.headers["connection"] = "close"


def report(text: str) -> None:
    """Tell the operator; where standard error is a file on a full disk, clients are answered all the same."""
    with contextlib.suppress(OSError):
        print(f"mlworkflow: {text}", file=sys.stderr, flush=True)


def document(refused: RefusedError) -> bytes:
    """Return the problem document."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": refused.detail,
    }
    return msgspec.json.encode(told | ({"errors": plain(refused.errors)} if refused.errors else {}))


def of_rows(error: RowsError) -> RefusedError:
    """Return the refusal of rows that do not fit the schema."""
    more = f", and {error.more} more" if error.more else ""
    count = "a value does not" if len(error.mistakes) == 1 else f"{len(error.mistakes)} values do not"
    detail = f"Every row must fit the schema of the model (GET /model), but {count}{more}."
    return RefusedError(422, detail, told(error.mistakes))


def told(mistakes: Iterable[Mistake]) -> list[dict[str, Any]]:
    """Return mistakes as JSON; long values are cut."""
    return [
        {"row": one.row, "field": short(one.field), "rule": one.rule + one.hint, "value": short(one.value)}
        for one in mistakes
    ]


def short(value: Any) -> Any:
    """Return a value as it can be shown in JSON: long ones are cut, halves of characters replaced."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53):
        return value if value == value and abs(value) != float("inf") else str(value)
    text = value if isinstance(value, str) else f"{value}" if not isinstance(value, int) else "a number of many digits"
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
