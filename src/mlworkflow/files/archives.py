"""Opens the file that a user brings, also inside gzip, zstd or a zip of one member."""

from __future__ import annotations

import contextlib
import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlworkflow.core.errors import UnreadableError, nearest

PACKED = (".gz", ".zst", ".zip")


def demand_file(path: Path) -> None:
    """Demand that the file is there. Raises UnreadableError with the nearest name in its folder."""
    if path.is_file():
        return
    near = nearest(path.name, [other.name for other in path.parent.glob("*")]) if path.parent.is_dir() else ""
    raise UnreadableError(path, f"there is no such file{near}", "Mend the path, or make the file.")


def inner_name(path: Path) -> str:
    """Return the name of the table inside: `customers.csv` for customers.csv.gz, the member's for a zip.

    Raises:
        UnreadableError: the zip is damaged, or has no or several members.
    """
    if path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                return Path(_member(archive, path)).name
        except zipfile.BadZipFile as error:
            raise UnreadableError(path, f"it is not: {error}", "Pack or fetch it again.") from error
    return path.stem if path.suffix.lower() in PACKED else path.name


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield a binary stream of what is in `path`, unpacked while it is read; damage shows as the stream is read."""
    suffix = path.suffix.lower()
    with contextlib.ExitStack() as stack:
        if suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            yield stack.enter_context(archive.open(_member(archive, path)))
        elif suffix == ".gz":
            yield stack.enter_context(gzip.open(path))
        elif suffix == ".zst":
            import pyarrow as pa

            yield stack.enter_context(pa.input_stream(str(path), compression="zstd"))
        else:
            yield stack.enter_context(path.open("rb"))


def lines(stream: Any) -> Iterator[bytes]:
    """Yield the lines of a binary stream, whatever kind of stream it is."""
    rest = b""
    while content := stream.read(1 << 20):
        *whole, rest = (rest + content).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _member(archive: zipfile.ZipFile, path: Path) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) != 1:
        raise UnreadableError(
            path,
            f"a zip must hold one table, and it holds {len(names)}: {', '.join(sorted(names)[:5]) or 'nothing'}",
            "Take the one that is meant out of it.",
        )
    return names[0]
