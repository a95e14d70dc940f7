"""Opens and saves files; no other module does. A file is written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import SuffixError, UnreadableError, UnwritableError, first_line

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")
RERUN = "Type `dvc repro` to make it again, or `dvc checkout` to fetch it from the cache."


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path` that replaces it on success and vanishes on failure.

    Raises:
        UnwritableError: the disk is full, the folder is read-only, ...; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UnwritableError(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(content: bytes, path: Path) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(text: str, path: Path) -> None:
    """Write `text` as UTF-8 with Unix line ends, whatever the locale."""
    write_bytes(text.encode("utf-8"), path)


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write `value` as indented JSON; see `as_json`."""
    write_bytes(as_json(value), path)


def write_yaml(value: Mapping[str, Any], path: Path) -> None:
    """Write `value` as YAML in the order of its keys."""
    import yaml

    write_text(yaml.safe_dump(plain(value), sort_keys=False, allow_unicode=True), path)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet (or CSV by its suffix), without its index."""
    with replacing(path) as temporary:
        if path.suffix.lower() == ".csv":
            table.to_csv(temporary, index=False, lineterminator="\n")
        else:
            table.to_parquet(temporary, index=False)


def read_bytes(path: Path) -> bytes:
    """Return the content of `path`.

    Raises:
        UnreadableError: the file is missing or cannot be opened.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(path, f"it is not: {error.strerror}", RERUN) from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`."""
    try:
        value = json.loads(read_bytes(path))
    except ValueError as error:
        raise UnreadableError(path, f"it is no JSON ({error})", RERUN) from error
    if not isinstance(value, dict):
        raise UnreadableError(path, "it holds no keys", RERUN)
    return value


def read_yaml(path: Path) -> Any:
    """Return the YAML in `path`."""
    import yaml

    try:
        return yaml.load(read_bytes(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableError(path, f"it is no YAML ({reason})", "Mend that line.") from error


def lock_of(content: str | bytes) -> Any:
    """Return what dvc.lock says, by the library that DVC writes it with: YAML 1.2, where yes, no, on and off are words.

    Raises:
        ruamel.yaml.error.YAMLError: it is no YAML.
    """
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(content)


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return the Parquet (or CSV) table in `path`."""
    import pandas as pd

    try:
        if path.suffix == ".csv":
            return pd.read_csv(path, usecols=columns)
        return pd.read_parquet(path, columns=columns)
    except (OSError, ValueError) as error:
        raise UnreadableError(path, f"it is not: {first_line(error)}", RERUN) from error


def table_of(content: bytes) -> pd.DataFrame:
    """Return the Parquet table in `content`."""
    from io import BytesIO

    import pandas as pd

    return pd.read_parquet(BytesIO(content))


def parquet(table: pd.DataFrame) -> bytes:
    """Return a table as Parquet, without its index."""
    content: bytes = table.to_parquet(None, index=False)
    return content


class Columns:
    """A Parquet table whose columns are read one by one, so that a large one needs the memory of a column."""

    def __init__(self, path: Path) -> None:
        """Read the names of the columns and the number of rows."""
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        try:
            self._rows = int(pq.read_metadata(path).num_rows)
            self.columns = pd.Index(pq.read_schema(path).names)
        except (OSError, pa.ArrowException) as error:
            raise UnreadableError(path, f"it is not: {first_line(error)}", RERUN) from error

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def __getitem__(self, name: str) -> pd.Series:
        """Return one column."""
        return read_table(self._path, [name])[name]

    def sample(self, most: int, block: int = 1000) -> pd.DataFrame:
        """Return at most `most` rows: blocks of neighbours, evenly spaced; all rows where there are no more."""
        import numpy as np
        import pandas as pd

        if len(self) <= most:
            return read_table(self._path)
        starts = np.linspace(0, len(self) - block, most // block).round().astype("int64")
        places = np.unique(starts[:, None] + np.arange(block)[None, :])
        return pd.DataFrame({name: self[name].iloc[places].reset_index(drop=True) for name in self.columns})


def demand_suffix(path: Path) -> None:
    """Demand that a table can be written to `path`: CSV or Parquet, as its suffix says. Raises SuffixError."""
    if path.suffix.lower() not in SUFFIXES:
        raise SuffixError(path, SUFFIXES)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableError(path, f"it is not: {error.strerror}", RERUN) from error


def as_json(value: Mapping[str, Any]) -> bytes:
    """Return `value` as indented JSON in UTF-8; numbers are as they are, NaN becomes null."""
    return (json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def plain(value: Any) -> Any:
    """Return `value` as plain JSON types: NumPy scalars as Python's, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and value - value != 0:
        return None
    return value
