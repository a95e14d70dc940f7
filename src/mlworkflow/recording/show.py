"""What an operator asks the log: `mlworkflow log --last 5`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from mlworkflow.recording.errors import NoPredictionsError
from mlworkflow.recording.reading import Logged, newest, read
from mlworkflow.recording.tables import FOLDER

WIDTH = 80


def show(folder: Path = FOLDER, last: int = 10, *, as_json: bool = False) -> str:
    """Return the newest predictions and their outcomes, oldest first: some lines each, or a line of JSON.

    Raises:
        NoPredictionsError: the folder holds none.
    """
    number = newest(folder)
    if not number:
        raise NoPredictionsError(folder)
    found = read(folder, after=max(0, number - last), until=number)
    return "\n".join(json.dumps(asdict(one)) if as_json else _lines(one) for one in found)


def _lines(one: Logged) -> str:
    """Return a prediction in words: when, its id, who answered; what was asked, was answered, came of it."""
    record = one.record
    when = datetime.fromtimestamp(record.time).strftime("%Y-%m-%d %H:%M:%S")
    lines = [
        f"{when}  {record.id}  {record.version} {record.role}",
        f"  asked     {json.dumps(record.inputs, ensure_ascii=False)}",
        f"  answered  {json.dumps(record.output, ensure_ascii=False)} in {record.latency_ms:.3g} ms",
        *(f"  outcome   {json.dumps(told.outcome, ensure_ascii=False)}" for told in one.outcomes),
    ]
    return "\n".join(line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..." for line in lines)
