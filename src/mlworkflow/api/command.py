"""`mlworkflow serve`: which bundle, where, for whom; and `mlworkflow key`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.api.keys import VARIABLE, Keys
from mlworkflow.api.limits import Limits
from mlworkflow.api.settings import LogMode, Settings
from mlworkflow.core.errors import ProjectError, listed

if TYPE_CHECKING:
    from mlworkflow.runtime.model import Model

LOOPBACK = ("127.0.0.1", "::1", "localhost")
EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # all addresses of a machine, which nobody can type: its own name


class ServeError(ProjectError):
    """The server cannot be started as it was asked for."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(f"a server must be safe and have a model, but:\n{listed(found)}")


@dataclass(frozen=True)
class Wanted:
    """What `mlworkflow serve` was asked for; see its --help."""

    bundle: Path | None = None
    stage: str = "prod"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    keys: Path | None = None
    log: LogMode = "batched"
    log_folder: Path = Path("data/predictions")
    keep_days: float | None = None
    challenger: str | None = None
    share: float | None = None
    shadow: bool = False
    rate: float = Limits.rate
    most_rows: int = Limits.rows
    most_bytes: int = Limits.body
    seconds: float = Limits.seconds


def serve(wanted: Wanted) -> int:
    """Serve until it is stopped; return the exit code.

    Raises:
        ServeError: it would not be safe, or there is nothing to serve; all that is wrong.
        ProjectError: the bundle cannot be used, the address is taken.
    """
    keys = Keys(wanted.keys)
    if found := _mistakes(wanted, keys):
        raise ServeError(found)
    version, folder = _champion(wanted)
    challenger = _challenger(wanted)
    if challenger is not None and challenger[0] == version:
        raise ServeError([f"the challenger must be another version than what serves, but both are {version}"])
    name = _demand_usable(folder, challenger)
    with _running() as pointer:
        from mlworkflow.api import server

        server.point(pointer, version, folder)
        settings = _settings(wanted, pointer, challenger)

        def ready(port: int) -> None:
            told = [f"{name} {version}{_source(wanted)}", *_second(wanted, challenger)]
            print("\n".join([*told, *_told(wanted, _address(wanted.host, port), bool(keys))]), flush=True)

        follow = None if wanted.bundle else _follower(wanted.stage, pointer, version)
        return server.run(settings, wanted.host, wanted.port, follow, ready)


def _mistakes(wanted: Wanted, keys: Keys) -> list[str]:
    found = []
    if wanted.host not in LOOPBACK and not keys:
        found.append(
            f"{wanted.host} can be reached from elsewhere, so keys must be asked for: "
            f"`mlworkflow key NAME`, then --keys FILE or the variable {VARIABLE}"
        )
    if not 1 <= wanted.workers <= 64:
        found.append(f"--workers must be 1 to 64, but is {wanted.workers}")
    if not 0 <= wanted.port <= 65535:
        found.append(f"--port must be 0 to 65535, but is {wanted.port}")
    if (wanted.share is not None or wanted.shadow) and wanted.challenger is None:
        found.append("--share and --shadow need a --challenger")
    if wanted.challenger is not None and (wanted.share is None) != wanted.shadow:
        found.append("a --challenger needs one of --share and --shadow")
    if wanted.share is not None and not 0 < wanted.share < 1:
        found.append(f"--share must be between 0 and 1, but is {wanted.share:g}")
    if wanted.keep_days is not None and not wanted.keep_days > 0:
        found.append(f"--keep-days must be more than 0, but is {wanted.keep_days:g}")
    limits = {"--most-rows": wanted.most_rows, "--most-bytes": wanted.most_bytes, "--seconds": wanted.seconds}
    found += [f"{option} must be more than 0, but is {value:g}" for option, value in limits.items() if value <= 0]
    return found + ([f"--rate must be 0 (no limit) or more, but is {wanted.rate:g}"] if wanted.rate < 0 else [])


def _champion(wanted: Wanted) -> tuple[str, Path]:
    """Return (version, folder) of what serves."""
    if wanted.bundle is not None:
        return version_of(wanted.bundle), wanted.bundle
    return released(wanted.stage)


def released(stage: str) -> tuple[str, Path]:
    """Return (version, folder) of what a stage is at; raises what `releasing.bundles.fetch` does."""
    from mlworkflow.releasing.bundles import current, fetch

    release = current(stage)
    return release.version, fetch(release, say=print)


def version_of(folder: Path) -> str:
    """Return what a bundle that is no release is known by: the beginning of its manifest's SHA-256."""
    from mlworkflow.core import io
    from mlworkflow.serving.folder import MANIFEST, read

    read(folder)
    return f"bundle-{io.sha256(folder / MANIFEST)[:12]}"


def _challenger(wanted: Wanted) -> tuple[str, Path] | None:
    """Return (version, folder) of a challenger: a folder, or a released version."""
    if wanted.challenger is None:
        return None
    if Path(wanted.challenger).is_dir():
        return version_of(Path(wanted.challenger)), Path(wanted.challenger)
    from mlworkflow.releasing.bundles import fetch, named

    release = named(wanted.challenger)
    return release.version, fetch(release, say=print)


def _demand_usable(folder: Path, challenger: tuple[str, Path] | None) -> str:
    """Load the bundles once, so that a mistake is told before anything listens; return the name of the model."""
    from mlworkflow.runtime.loading import load

    model = load(folder)
    if challenger is not None and (found := _unlike(model, load(challenger[1]))):
        raise ServeError(found)
    return model.name


def _unlike(champion: Model, challenger: Model) -> list[str]:
    """Return why a challenger cannot be asked what the champion is."""
    found = [
        f"{name!r} is a {there} to the challenger, but a {here} to the champion"
        for name, here, there in champion.fields.otherwise(challenger.fields)
    ]
    if challenger.classes != champion.classes:
        found.append(f"the challenger's classes are {challenger.classes}, the champion's {champion.classes}")
    return found


@contextmanager
def _running() -> Iterator[Path]:
    """Yield the place of the pointer, in a folder of its own that goes when the server ends."""
    folder = Path(tempfile.mkdtemp(prefix="mlworkflow-serve-"))
    try:
        yield folder / "bundle.json"
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)


def _settings(wanted: Wanted, pointer: Path, challenger: tuple[str, Path] | None) -> Settings:
    import os

    limits = Limits(body=wanted.most_bytes, rows=wanted.most_rows, seconds=wanted.seconds, rate=wanted.rate)
    return Settings(
        pointer,
        log=wanted.log,
        log_folder=wanted.log_folder.resolve(),
        keep_days=wanted.keep_days,
        keys=wanted.keys.resolve() if wanted.keys else None,
        challenger=(challenger[0], challenger[1].resolve()) if challenger else None,
        share=wanted.share or 0.0,
        shadow=wanted.shadow,
        workers=wanted.workers,
        parent=os.getpid(),
        limits=limits,
    )


def _follower(stage: str, pointer: Path, version: str) -> Callable[[], None]:
    """Return what looks whether the stage is at another version, and says so to the workers."""
    last = version

    def follow() -> None:
        nonlocal last
        from mlworkflow.api import server
        from mlworkflow.releasing.bundles import current, fetch

        release = current(stage)
        if release.version != last:
            server.point(pointer, release.version, fetch(release))
            last = release.version
            print(f"{stage} is at {last} now", flush=True)

    return follow


def _address(host: str, port: int) -> str:
    """Return what a person on this machine can type."""
    here = EVERY.get(host, host)
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


def _source(wanted: Wanted) -> str:
    return "" if wanted.bundle else f" ({wanted.stage}; another release is taken up as it comes)"


def _second(wanted: Wanted, challenger: tuple[str, Path] | None) -> list[str]:
    """Return the line of the challenger, if there is one."""
    if challenger is None:
        return []
    does = "in shadow: asked and recorded, answers none" if wanted.shadow else f"answers {wanted.share:.0%} of the rows"
    return [f"  challenger  {challenger[0]}, {does}"]


def _told(wanted: Wanted, address: str, keys: bool) -> list[str]:
    recorded = {"off": "not recorded"}.get(wanted.log, f"recorded in {wanted.log_folder} ({wanted.log})")
    return [
        f"  page        {address}/",
        f"  predict     POST {address}/predict",
        f"  described   {address}/openapi.json",
        f"  keys        {'asked for' if keys else 'none: reachable from this machine alone'}",
        f"  predictions {recorded}",
        *([f"  reached     at every address of this machine ({wanted.host})"] if wanted.host in EVERY else []),
        "Ctrl-C ends it.",
    ]
