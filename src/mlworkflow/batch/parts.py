"""Finished chunks, each a file beside the output, so that a run that was stopped goes on; joined in the end."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlworkflow.core import io
from mlworkflow.origins.databases import common, of_schema

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

    def owns(self, path: Path) -> bool:
        """Return whether a file is the output or its rejects: no input."""
        return path.resolve() in (self.out.resolve(), self.rejects.resolve())

    def begin(self, asked: Any) -> tuple[int, bool]:
        """Return (how many chunks are finished, whether those of a run that was asked for something else are gone)."""
        state = {"asked": hashlib.sha256(io.as_json({"asked": asked})).hexdigest()}
        place = self.folder / STATE
        anew = place.exists() and io.read_bytes(place) != io.as_json(state)
        if anew or not place.exists():
            self.forget()
            io.write_json(state, place)
        return self._finished(), anew

    def forget(self) -> None:
        """Remove all that is finished; its state first, without which the rest counts for nothing."""
        (self.folder / STATE).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _finished(self) -> int:
        """Return how many chunks are finished: those from the first on, without a gap."""
        number = 0
        while self._place(number, "rejects.csv").exists():
            number += 1
        return number

    def _rejected(self, number: int) -> int:
        """Return how many rows of a finished chunk were rejected; a row may have several values that are wrong."""
        import pandas as pd

        rejects = pd.read_csv(self._place(number, "rejects.csv"), usecols=["file", "row"], keep_default_na=False)
        return len(rejects.drop_duplicates())

    def add(self, number: int, said: pd.DataFrame, rejects: pd.DataFrame) -> None:
        """Keep a chunk; its rejects come last, and say that it is whole."""
        place = self._place(number, "said" + self.suffix)
        if self.suffix == ".parquet":
            io.write_table(said, place)
        else:
            io.write_text(self._text(said, header=False), place)
        io.write_text(_quoted(rejects), self._place(number, "rejects.csv"))

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
        self.forget()
        return rejected

    def _join_rejects(self, count: int) -> int:
        rejected = sum(self._rejected(number) for number in range(count))
        if not rejected:
            self.rejects.unlink(missing_ok=True)  # of a run before
            return 0
        with io.replacing(self.rejects) as temporary, temporary.open("wb") as file:
            for number in range(count):
                with self._place(number, "rejects.csv").open("rb") as part:
                    header = part.readline()
                    file.write(b"" if number else header)
                    shutil.copyfileobj(part, file)
        return rejected

    def _text(self, said: pd.DataFrame, *, header: bool) -> str:
        if self.suffix == ".jsonl":
            return _json_lines(said)
        text = str(said.to_csv(index=False, lineterminator="\n", header=header))
        return _quoted(said, header=header) if "\r" in text else text

    def _place(self, number: int, kind: str) -> Path:
        return self.folder / f"part-{number:06}-{kind}"


def _quoted(table: pd.DataFrame, *, header: bool = True) -> str:
    """Return CSV with all words in quotes: to_csv leaves a carriage return bare, which would end the row."""
    quoting: Literal[2] = csv.QUOTE_NONNUMERIC
    return str(table.to_csv(index=False, lineterminator="\n", header=header, quoting=quoting))


def _json_lines(table: pd.DataFrame) -> str:
    """Return a JSON object a row, numbers to the last bit (to_json rounds them), null for what is missing."""
    columns = [values.astype("object").where(values.notna(), None).tolist() for _, values in table.items()]
    names = list(table)
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _join_parquet(places: list[Path], out: Path) -> None:
    import pyarrow.parquet as pq

    schema = common([pq.read_schema(place).remove_metadata() for place in places])
    with pq.ParquetWriter(out, schema) as writer:
        for place in places:
            writer.write_table(of_schema(pq.read_table(place), schema))
