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
        while self._place(number, "said" + self.suffix).exists():
            number += 1
        return number

    def _rejected(self, number: int) -> int:
        """Return how many rows of a finished chunk were rejected; a row may have several values that are wrong."""
        import pandas as pd

        place = self._place(number, "rejects.csv")
        if not place.exists():
            return 0
        rejects = pd.read_csv(place, usecols=["file", "row"], keep_default_na=False)
        return len(rejects.drop_duplicates())

    def add(self, number: int, said: pd.DataFrame, rejects: pd.DataFrame) -> None:
        """Keep a chunk: its rejects first, where there are any; once its predictions are there too, it is finished."""
        if len(rejects):
            io.write_bytes(_quoted(rejects), self._place(number, "rejects.csv"))
        place = self._place(number, "said" + self.suffix)
        if self.suffix == ".parquet":
            _write_arrow(said, place)
        else:
            io.write_bytes(_json_lines(said) if self.suffix == ".jsonl" else _csv(said), place)

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
                    file.write(b"" if self.suffix == ".jsonl" else like[:0].to_csv(index=False).encode())
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
        places = [self._place(number, "rejects.csv") for number in range(count)]
        with io.replacing(self.rejects) as temporary, temporary.open("wb") as file:
            for place in filter(Path.exists, places):
                with place.open("rb") as part:
                    header = part.readline()
                    file.write(b"" if file.tell() else header)
                    shutil.copyfileobj(part, file)
        return rejected

    def _place(self, number: int, kind: str) -> Path:
        return self.folder / f"part-{number:06}-{kind}"


def _quoted(table: pd.DataFrame) -> bytes:
    """Return CSV with all words in quotes: without, to_csv leaves a carriage return bare, which would end the row."""
    quoting: Literal[2] = csv.QUOTE_NONNUMERIC
    return str(table.to_csv(index=False, lineterminator="\n", quoting=quoting)).encode()


def _csv(table: pd.DataFrame) -> bytes:
    """Return rows of CSV without a header, by Arrow, in a tenth of the time of to_csv; numbers to the last bit.

    Words are in quotes where one of them needs them.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow

    plain = (pd.api.types.is_numeric_dtype, pd.api.types.is_string_dtype)
    others = {name: "str" for name in table if not any(kind(table[name]) for kind in plain)}
    made = pa.Table.from_pandas(table.astype(others), preserve_index=False)
    for quoting in ("none", "needed"):
        stream = pa.BufferOutputStream()
        try:
            arrow.write_csv(made, stream, arrow.WriteOptions(include_header=False, quoting_style=quoting))
        except pa.ArrowInvalid:  # a word with a comma, a quote, the end of a line
            continue
        break
    return bytes(stream.getvalue())


def _json_lines(table: pd.DataFrame) -> bytes:
    """Return a JSON object a row, numbers to the last bit (to_json rounds them), null for what is missing."""
    columns = [values.astype("object").where(values.notna(), None).tolist() for _, values in table.items()]
    names = list(table)
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows).encode()


def _write_arrow(said: pd.DataFrame, place: Path) -> None:
    import pyarrow as pa
    from pyarrow import feather

    with io.replacing(place) as temporary:
        feather.write_feather(pa.Table.from_pandas(said, preserve_index=False), str(temporary), "uncompressed")


def _join_parquet(places: list[Path], out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import feather

    schema = common([pa.ipc.open_file(place).schema.remove_metadata() for place in places])
    words = [field.name for field in schema if pa.types.is_large_string(field.type) or pa.types.is_string(field.type)]
    with pq.ParquetWriter(out, schema, use_dictionary=words) as writer:  # probabilities hardly repeat
        for place in places:
            writer.write_table(of_schema(feather.read_table(place), schema))
