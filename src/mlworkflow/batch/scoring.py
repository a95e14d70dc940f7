"""One chunk of rows scored: predictions of those that can be read, and why the others cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.batch.sources import Chunk
from mlworkflow.core.io import plain
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.cast import read, told_form
from mlworkflow.rows.reading import as_word
from mlworkflow.runtime.reasons import Reason, reasons
from mlworkflow.serving.bundle import Bundle, load

if TYPE_CHECKING:
    import pandas as pd

REJECTS = ["file", "row", "column", "value", "reason", "values"]


@dataclass(frozen=True)
class How:
    """How chunks are scored: by which bundle and backend, with how many reasons, and whether files are named."""

    bundle: Path
    backend: str = "auto"
    reasons: int = 0
    named: bool = False


@lru_cache(maxsize=1)
def loaded(bundle: Path, backend: str) -> Bundle:
    """Return a bundle, loaded once in a process."""
    return load(bundle, backend=backend)


def score(chunk: Chunk, how: How) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (predictions of the rows that can be read, rejects): key or number first, then what the model says.

    Raises:
        TableError: columns are missing.
    """
    import pandas as pd

    bundle = loaded(how.bundle, how.backend)
    bundle.demand_columns(chunk.rows, chunk.file or "the rows")
    typed, rejects = _typed(bundle, chunk)
    good = np.ones(len(chunk.rows), dtype=bool)
    good[[place for place, _ in rejects]] = False
    columns = {name: values[good] if rejects else values for name, values in Arrays(typed).items()}
    said = bundle.told(bundle.model.score(columns), pd.RangeIndex(int(good.sum())))
    if how.reasons:
        said = pd.concat([said, _reasons(reasons(bundle.model, columns, how.reasons), how.reasons)], axis=1)
    head = _head(bundle, chunk, good, how)
    lines = [*chunk.ragged, *(line for _, line in rejects)]
    return pd.concat([head, said], axis=1), pd.DataFrame(lines, columns=REJECTS)


def _typed(bundle: Bundle, chunk: Chunk) -> tuple[pd.DataFrame, list[tuple[int, dict[str, Any]]]]:
    """Return the typed columns, and (place, reject) of each value that cannot be read."""
    import pandas as pd

    schema, known = bundle.schema, {one.name for one in bundle.model.fields.all}
    typed, rejects = {}, []
    for column in schema.columns:
        if column.name not in known or column.name not in chunk.rows:
            continue
        typed[column.name], bad = read(chunk.rows[column.name], column, schema.blanks)
        for place in np.flatnonzero(bad).tolist():
            value = as_word(chunk.rows[column.name].iloc[place])
            rejects.append((place, _reject(chunk, place, column.name, value, f"it is no {told_form(column)}")))
    return pd.DataFrame(typed, index=chunk.rows.index), sorted(rejects, key=lambda pair: pair[0])


def _reject(chunk: Chunk, place: int, column: str, value: str, reason: str) -> dict[str, Any]:
    row = json.dumps(plain(chunk.rows.iloc[place].to_dict()), ensure_ascii=False, default=str)
    number = int(chunk.numbers[place])
    return {"file": chunk.file, "row": number, "column": column, "value": value, "reason": reason, "values": row}


def has_key(bundle: Bundle, chunk: Chunk) -> bool:
    """Return whether rows are known by the key of the schema, not by their number."""
    keys = bundle.schema.with_role("key")
    return bool(keys) and all(name in chunk.rows for name in keys)


def _head(bundle: Bundle, chunk: Chunk, good: np.ndarray, how: How) -> pd.DataFrame:
    """Return the file, where several are scored, and the key of each row, or its number where there is no key."""
    import pandas as pd

    keys = bundle.schema.with_role("key")
    head = (
        chunk.rows.loc[good, keys]
        if has_key(bundle, chunk)
        else pd.DataFrame({"row": chunk.numbers[good].astype("int64")})
    )
    head = head.reset_index(drop=True)
    if how.named:
        head.insert(0, "file", chunk.file)
    return head


def _reasons(found: Sequence[Sequence[Reason]], most: int) -> pd.DataFrame:
    """Return columns reason_1, ...: `age=63 (+0.82)`."""
    import pandas as pd

    words = [[_in_words(one) for one in line] + [None] * (most - len(line)) for line in found]
    names = [f"reason_{number}" for number in range(1, most + 1)]
    return pd.DataFrame(words, columns=names, dtype="str")


def _in_words(one: Reason) -> str:
    value = f"{one.value:.6g}" if isinstance(one.value, float) else "missing" if one.value is None else one.value
    return f"{one.field}={value} ({one.effect:+.3g})"
