"""Reads the records of a JSON API, page by page, into JSON lines that can be read again without it."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from mlworkflow.core.errors import ProjectError, ended, nearest
from mlworkflow.core.problem import Api
from mlworkflow.origins import addresses

if TYPE_CHECKING:
    import requests

TRIES = 5
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds between tries
PATIENCE = 30  # seconds for an answer to begin
AGAIN = (429, 500, 502, 503, 504)  # what may be better a little later
MEND = "Mend the address or the options, then run again."


class ApiError(ProjectError):
    """An API refused, failed too often, or answered something else than records."""

    def __init__(self, address: str, reason: str, next_step: str = MEND) -> None:
        told = addresses.censored(reason, address)
        super().__init__(f"{addresses.without_secrets(address)} must give records, but {ended(told)} {next_step}")


def take(address: str, options: Api, out: Path, say: Callable[[str], object] = print) -> None:
    """Write every record of the API to `out` as gzipped JSON lines; the same records give the same bytes.

    Raises:
        ApiError: the API refuses or fails, an answer is cut too often, or what it holds are no records.
    """
    from tqdm import tqdm

    count = 0
    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        tqdm(unit=" records", disable=None, leave=False) as progress,
    ):
        for page in pages(address, options, say):
            for record in page:
                count += 1
                if not isinstance(record, dict):
                    raise ApiError(address, f"record {count} is no object: {json.dumps(record)[:80]}")
                packed.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            progress.update(len(page))
    if not count:
        raise ApiError(address, "there are none")


def pages(address: str, options: Api, say: Callable[[str], object]) -> Iterator[list[Any]]:
    """Yield the records of each page."""
    import requests

    url = addresses.filled(address.removeprefix("api+"))
    counted = options.page or options.offset
    seen, got, number = set[str](), 0, options.first
    before: list[Any] = []
    with requests.Session() as session:
        session.headers.update(_token(address, options) | {"Accept": "application/json"})
        while url:
            answer, body = _answer(session, url, _place(options, number, got), address, say)
            found = _records(body, options.records, address)
            if counted and found and found == before:
                raise ApiError(address, f"page {number} is the one before again: it does not know {counted!r}")
            yield found
            before = found
            got, number = got + len(found), number + 1
            seen.add(url)
            if counted:
                url = url if found else ""
            elif (url := _next(body, answer, options.next, address, url)) in seen:
                raise ApiError(address, "a page names one as its next that was read before")


def _place(options: Api, number: int, got: int) -> dict[str, int]:
    return {options.page: number} if options.page else {options.offset: got} if options.offset else {}


def _token(address: str, options: Api) -> dict[str, str]:
    if options.token is None:
        return {}
    if not (word := os.environ.get(options.token)):
        told = f"the environment lacks {options.token}, which holds its token"
        raise ApiError(address, told, f"Type `export {options.token}=...`, then run again.")
    return {"Authorization": f"Bearer {word}"}


def _answer(
    session: requests.Session, url: str, place: dict[str, int], address: str, say: Callable[[str], object]
) -> tuple[requests.Response, Any]:
    """Return the answer and the JSON in it; what may pass is tried again, later each time."""
    import requests

    for attempt in range(1, TRIES + 1):
        told, asked = "", None
        try:
            answer = session.get(url, params=place, timeout=PATIENCE)
            if answer.ok:
                return answer, answer.json()
            told, asked = f"it answers {answer.status_code} {answer.reason}", answer.headers.get("Retry-After")
            if answer.status_code not in AGAIN:
                raise ApiError(address, told, _advice(answer.status_code))
        except requests.exceptions.JSONDecodeError as error:
            raise ApiError(address, f"an answer is no JSON ({error})") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise ApiError(address, str(error)) from None
        except requests.RequestException as error:
            told = f"the connection failed: {cause(error)}"
        if attempt < TRIES:
            wait = _wait(attempt, asked)
            say(f"{addresses.censored(told, address)}; try {attempt + 1} of {TRIES} in {wait:.1f} s")
            time.sleep(wait)
    raise ApiError(address, f"{told}, {TRIES} times", "Try again later; nothing was written.")


def _wait(attempt: int, asked: str | None) -> float:
    """Return the seconds until the next try: what the server asks for, else twice as long each time, never long."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    try:
        wait = Retry().parse_retry_after(asked) if asked else FIRST_WAIT * 2 ** (attempt - 1)
    except InvalidHeader:
        wait = FIRST_WAIT * 2 ** (attempt - 1)
    return min(max(wait, 0.0), LONGEST_WAIT)


def _advice(status: int) -> str:
    if status in (401, 403):
        return "Name the environment variable that holds a token that is allowed to read."
    return MEND


def cause(error: BaseException) -> str:
    """Return the innermost reason of a failed request: requests wraps them several deep."""
    while inner := getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, Exception)), None):
        error = inner
    return " ".join(str(error).split())[:200]


def pick(body: Any, name: str) -> Any:
    """Return what stands under a dotted name; None where there is nothing."""
    for key in name.split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _records(body: Any, name: str | None, address: str) -> list[Any]:
    """Return the list of records in an answer: the named one, the answer itself, or the only list in it."""
    if name:
        found = pick(body, name)
        if not isinstance(found, list):
            keys = list(body) if isinstance(body, dict) else []
            raise ApiError(
                address, f"an answer holds {_told(body)}, and no list is under {name!r}{nearest(name, keys)}"
            )
        return found
    lists = [value for value in body.values() if isinstance(value, list)] if isinstance(body, dict) else [body]
    if len(lists) != 1 or not isinstance(lists[0], list):
        raise ApiError(address, f"an answer holds {_told(body)}", "Say under which name the records are.")
    return lists[0]


def _told(body: Any) -> str:
    return f"{', '.join(map(repr, list(body)[:10])) or 'nothing'}" if isinstance(body, dict) else type(body).__name__


def _next(body: Any, answer: requests.Response, name: str | None, address: str, url: str) -> str:
    """Return the address of the next page, or nothing; the token goes to no other server."""
    link = pick(body, name or "next") or answer.links.get("next", {}).get("url") or ""
    if not isinstance(link, str):
        raise ApiError(address, f"the next page {name or 'next'!r} is no address: {json.dumps(link)[:80]}")
    whole = urljoin(url, link) if link else ""
    if whole and urlsplit(whole)[:2] != urlsplit(url)[:2]:
        raise ApiError(address, f"the next page is on another server: {urlsplit(whole).netloc}")
    return whole
