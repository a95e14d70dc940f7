"""A JSON API with pages, kept as JSON lines that can be read again without the API.

A page that fails for a passing reason (429, 5xx, a cut connection) is asked for again after a while that doubles; a
`Retry-After` is kept to. The token comes from the environment and goes into no file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from mlworkflow.sources.errors import SourceError

if TYPE_CHECKING:
    import requests

PREFIX = "api+"
TRIES = 5  # of one page
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds
TIMEOUT = 30  # seconds without an answer
MOST_PAGES = 100_000
PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Pages:
    """How an API is read.

    Attributes:
        records: the dotted key of the list of rows; none: the answer is the list, or holds only one.
        next: the dotted key of the next page's address.
        page: the parameter that counts the pages from 1; reading ends at an empty one. It goes before `next`.
        token: the environment variable with the token, sent as `Authorization: Bearer`.
    """

    records: str | None = None
    next: str = "next"
    page: str | None = None
    token: str | None = None


def fetch(address: str, pages: Pages) -> Iterator[list[Any]]:
    """Yield the rows of each page.

    Raises:
        SourceError: the API refuses, gives no JSON or no list of rows, or the environment lacks the token.
    """
    import requests

    url: str | None = address.removeprefix(PREFIX)
    with requests.Session() as session:
        session.headers.update(_headers(address, pages))
        for number in range(1, MOST_PAGES + 1):
            body = _page(session, str(url), {pages.page: number} if pages.page else {})
            rows = _rows(str(url), body, pages.records)
            if pages.page and not rows:
                return
            yield rows
            following = None if pages.page else _inside(body, pages.next)
            if not pages.page and not following:
                return
            url = _next(str(url), following) if following else url
    raise SourceError(address, f"it had more than {MOST_PAGES:,} pages", "Does its last page name no next one?")


def _next(url: str, following: Any) -> str:
    """Return the next page's address; one on another host would be handed the token."""
    found = urljoin(url, str(following))
    if urlsplit(found)[:2] != urlsplit(url)[:2]:
        raise SourceError(url, f"its next page is elsewhere: {found}", "Ask the API's owner; nothing was written.")
    return found


def _headers(address: str, pages: Pages) -> dict[str, str]:
    if pages.token is None:
        return {"Accept": "application/json"}
    if not os.environ.get(pages.token):
        raise SourceError(address, f"the environment has no {pages.token}", f"Type `export {pages.token}=...`.")
    return {"Accept": "application/json", "Authorization": f"Bearer {os.environ[pages.token]}"}


def _page(session: requests.Session, url: str, parameters: dict[str, Any]) -> Any:
    """Return the JSON of one page, asked for again while it fails for a passing reason."""
    import requests

    wait, reason = FIRST_WAIT, ""
    for attempt in range(TRIES):
        asked: float | None = None
        try:
            answer = session.get(url, params=parameters, timeout=TIMEOUT)
            if answer.ok:
                return answer.json()
            reason = f"it answered {answer.status_code} {answer.reason}"
            if answer.status_code not in PASSING:
                break
            asked = _seconds(answer.headers.get("Retry-After"))
        except requests.JSONDecodeError as error:
            raise SourceError(url, f"its answer is no JSON ({error})", "Is this the address of the API?") from error
        except requests.RequestException as error:
            reason = f"it cannot be reached ({type(error).__name__})"
        if attempt < TRIES - 1:
            time.sleep(min(asked if asked is not None else wait, LONGEST_WAIT))
            wait *= 2
    raise SourceError(url, reason, "Nothing was written; try again later, or mend the address or the token.")


def _seconds(told: str | None) -> float | None:
    return float(told) if told and told.replace(".", "", 1).isdigit() else None


def _inside(body: Any, key: str) -> Any:
    for part in key.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body


def _rows(url: str, body: Any, key: str | None) -> list[Any]:
    """Return the list of rows in an answer."""
    if key:
        rows = _inside(body, key)
    elif isinstance(body, list):
        rows = body
    else:
        lists = [value for value in body.values() if isinstance(value, list)] if isinstance(body, dict) else []
        rows = lists[0] if len(lists) == 1 else None
    if not isinstance(rows, list):
        keys = f" (it has: {', '.join(map(str, body))})" if isinstance(body, dict) else ""
        where = f" at {key!r}" if key else ""
        raise SourceError(url, f"its answer has no list of rows{where}{keys}", "Name it by --records.")
    return rows
