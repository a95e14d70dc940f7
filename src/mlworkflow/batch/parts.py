"""Finished chunks, each a file beside the output, so that a run that was stopped goes on; joined in the end."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io

if TYPE_CHECKING:
    import pandas as pd

STATE = "state.json"
SUFFIXES = (".csv", ".parquet", ".jsonl")


class Parts:
    """The finished chunks of one output, in a hidden folder beside it."""

    def __init__(self, out: Path) -> None:
        self.out, self.suffix = out, out.suffix.lower()
        self.folder = out.with_name(f".{out.name}.parts")
        self.rejects = out.with_name(f"{out.name}.rejects.csv")

    def begin(self, asked: Any) -> int:
        """Return how many chunks are finished; none, and the old ones gone, where something else was asked for."""
        state = {"asked": hashlib.sha256(io.as_json({"asked": asked})).hexdigest()}
        place = self.folder / STATE
        if place.exists() and io.read_json(place) == state:
            return self.finished()
        for old in self.folder.glob("part-*") if self.folder.exists() else []:
            old.unlink()
        io.write_json(state, place)
        return 0

    def finished(self) -> int:
        """Return how many chunks are finished: those from the first on, without a gap."""
        number = 0
        while self._place(number, "rejects.csv").exists():
            number += 1
        return number

    def rejected(self, number: int) -> int:
        """Return how many rows of a finished chunk were rejected."""
        return len(_read_rejects(self._place(number, "rejects.csv")))

    def add(self, number: int, said: pd.DataFrame, rejects: pd.DataFrame) -> None:
        """Keep a chunk; its rejects come last, and say that it is whole."""
        place = self._place(number, "said" + self.suffix)
        if self.suffix == ".parquet":
            io.write_table(said, place)
        else:
            io.write_text(self._text(said, header=False), place)
        io.write_text(rejects.to_csv(index=False, lineterminator="\n"), self._place(number, "rejects.csv"))

    def join(self, count: int, like: pd.DataFrame) -> int:
        """Write the output and the rejects of all chunks, whole or not at all; return how many rows were rejected.

        `like`: predictions of no row, for the header of an output without any.
        """
        places = [self._place(number, "said" + self.suffix) for number in range(count)]
        with io.replacing(self.out) as temporary:
            if self.suffix == ".parquet":
                _join_parquet(places, temporary)
            else:
                with temporary.open("wb") as file:
                    file.write(self._text(like, header=True).encode())
                    for place in places:
                        with place.open("rb") as part:
                            shutil.copyfileobj(part, file)
        rejected = self._join_rejects(count)
        shutil.rmtree(self.folder, ignore_errors=True)
        return rejected

    def _join_rejects(self, count: int) -> int:
        import pandas as pd

        found = [_read_rejects(self._place(number, "rejects.csv")) for number in range(count)]
        rejects = pd.concat(found) if found else pd.DataFrame()
        if len(rejects):
            io.write_text(rejects.to_csv(index=False, lineterminator="\n"), self.rejects)
        else:
            self.rejects.unlink(missing_ok=True)  # of a run before
        return len(rejects[["file", "row"]].drop_duplicates()) if len(rejects) else 0

    def _text(self, said: pd.DataFrame, *, header: bool) -> str:
        if self.suffix == ".csv":
            return str(said.to_csv(index=False, lineterminator="\n", header=header))
        return str(said.to_json(orient="records", lines=True, double_precision=15)) if len(said) else ""

    def _place(self, number: int, kind: str) -> Path:
        return self.folder / f"part-{number:06}-{kind}"


def _read_rejects(place: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(place, dtype={"column": "str", "value": "str", "values": "str"}, keep_default_na=False)


def _join_parquet(places: list[Path], out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.unify_schemas([pq.read_schema(place) for place in places], promote_options="permissive")
    with pq.ParquetWriter(out, schema) as writer:
        for table in _tables(places):
            writer.write_table(table.cast(schema))


def _tables(places: list[Path]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    for place in places:
        yield pq.read_table(place)
