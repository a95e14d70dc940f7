"""Checks of where data are: the cache, the space on its disk, the remote, the outputs that dvc.lock records."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, first_line
from mlworkflow.core.processes import git
from mlworkflow.doctoring.hashing import path_md5
from mlworkflow.doctoring.symptom import Found, Symptom, some

LEAST_FREE = 500_000_000  # bytes
PORTS = {"http": 80, "https": 443, "webdav": 80, "webdavs": 443, "ssh": 22}
PATIENCE = 10.0  # seconds that a remote may take to answer


def _config(root: Path) -> Any:
    """Return DVC's configuration of all its levels.

    Raises:
        ProjectError: there is none, or DVC does not understand it.
    """
    from dvc.config import Config, ConfigError

    if not (root / ".dvc").is_dir():
        raise ProjectError("there is no .dvc, so this is no repository of DVC. Type `git restore .dvc`.")
    try:
        return Config(str(root / ".dvc"))
    except ConfigError as error:
        raise ProjectError(f"DVC's configuration is broken: {first_line(error)}. Mend .dvc/config.") from error


def _cache(root: Path) -> Path:
    """Return the folder of the cache."""
    return Path(root / ".dvc", _config(root)["cache"].get("dir") or "cache")


def cache(root: Path) -> Found:
    """The cache can be written."""
    path, default = _cache(root), root / ".dvc/cache"
    if not path.exists() and path != default:
        yield Symptom(f"its folder {path} is not there", "Mount it, or type `dvc cache dir FOLDER`.")
    elif not os.access(path if path.exists() else root / ".dvc", os.W_OK):
        yield Symptom(f"{path} cannot be written", "Allow writing there, or type `dvc cache dir --local FOLDER`.")


def space(root: Path) -> Found:
    """The cache's disk has room for the outputs once more, and some."""
    path = next(folder for folder in (_cache(root), *_cache(root).parents) if folder.exists())
    free = shutil.disk_usage(path).free
    wanted = max(LEAST_FREE, 2 * sum(int(out.get("size") or 0) for out, _ in _recorded(root)))
    if free < wanted:
        yield Symptom(
            f"{free / 1e9:.1f} GB are free at {path}, a run may need {wanted / 1e9:.1f}",
            "Make room; `dvc gc --workspace --all-commits` removes what no commit needs.",
        )


def remote(root: Path) -> Found:
    """The default remote answers."""
    config = _config(root)
    name = config["core"].get("remote")
    if not name:
        yield Symptom(
            "none: others and other machines make the outputs again", "Type `dvc remote add -d NAME URL`.", hint=True
        )
    elif name not in config["remote"]:
        yield Symptom(f"{name} is the default, but has no address", f"Type `dvc remote add {name} URL`.")
    elif why := _unreachable(root, name, config["remote"][name]["url"]):
        yield Symptom(f"{name} cannot be reached: {why}", f"Mend that, or type `dvc remote modify {name} url URL`.")


def _unreachable(root: Path, name: str, url: str) -> str:
    """Return why a remote does not answer, nothing where it does."""
    if "://" not in url:
        folder = Path(root / ".dvc", url)
        return "" if folder.is_dir() else f"there is no folder {folder}"
    address = urlsplit(url)
    if address.scheme in PORTS:
        try:
            host = address.hostname or ""
            socket.create_connection((host, address.port or PORTS[address.scheme]), PATIENCE).close()
        except OSError as error:
            return f"{address.hostname} does not answer ({error.strerror or error})"
        return ""
    return _asked(root, name)


def _asked(root: Path, name: str) -> str:
    """Return why DVC cannot look into a remote, nothing where it can."""
    told = [f"no answer within {PATIENCE:.0f} seconds"]

    def ask() -> None:
        try:
            from dvc.repo import Repo

            storage = Repo(str(root)).cloud.get_remote(name)
            storage.fs.exists(storage.path)
            told[0] = ""
        except Exception as error:  # each kind of storage has its own
            told[0] = first_line(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return told[0]


def outputs(root: Path) -> Found:
    """What dvc.lock and .dvc files record is there, and nobody changed it by hand."""
    lost, changed = [], []
    for out, path in _recorded(root):
        if not (root / path).exists():
            lost.append(path)
        elif out.get("md5") and _changed(root, path, out):
            changed.append(path)
    if lost:
        yield Symptom(f"{some(lost)} {_are(lost)} missing", "Type `dvc checkout`, then `dvc repro` for what it lacks.")
    if changed:
        tracked = [path for path in changed if git(root, "ls-files", "--", path).stdout]
        back = " ".join(["git restore", *tracked]) if tracked else f"dvc checkout {changed[0]}"
        yield Symptom(
            f"{some(changed)} {_are(changed)} not what the run left",
            f"Type `dvc repro` to make it again, or `{back}` to take the recorded one.",
        )


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _changed(root: Path, name: str, out: dict[str, Any]) -> bool:
    """Return whether an output has another content than recorded; another size says so without reading it."""
    path = root / name
    if path.is_file() and "size" in out and path.stat().st_size != out["size"]:
        return True
    return path_md5(root, name) != str(out["md5"])


def _recorded(root: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield (what is recorded, its path) of each output; none where dvc.lock is broken, another check says so."""
    try:
        lock = io.read_yaml(root / paths.LOCK)
        stages = dict(lock["stages"])
    except (ProjectError, KeyError, TypeError, ValueError):
        stages = {}
    for stage in stages.values():
        yield from ((out, out["path"]) for out in stage.get("outs", []))
    for file in sorted(root.glob("data/**/*.dvc")):
        outs = (io.read_yaml(file) or {}).get("outs", [])
        yield from ((out, (file.parent / out["path"]).relative_to(root).as_posix()) for out in outs)
