"""Everything again from nothing: clone a revision, run it with an empty cache, compare every output with dvc.lock.

`verify` clones, runs and compares; `VARIATIONS` are the surroundings that must change no bit; `difference` says where
two contents part. A map for the next reader:

    verify -> attempt (one clone) -> prepare_clone -> run_stages -> compare_stage -> where -> difference
"""

from __future__ import annotations

import contextlib
import io as streams
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any

from mlworkflow import io, paths
from mlworkflow.errors import ProjectError, nearest

IDENTICAL, DIFFERS, FAILED = 0, 1, 2
RUNNING = "Running stage '"
REMOTE = "verify"
MOST_FILES = 5  # of a folder, named with their place
WIDTH = 80
DVC = (sys.executable, "-P", "-m", "dvc")  # -P: no module of the clone's root in place of a library
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# time.sleep waits for a moment of the monotonic clock, which libfaketime 0.9.10 moves though told not to: EINVAL
SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
Say = Callable[[str], None]


class RevisionError(ProjectError):
    """The revision cannot be verified."""

    def __init__(self, revision: str, reason: str, next_step: str) -> None:
        super().__init__(f"verify needs a commit with its dvc.lock, but {revision!r} {reason}. {next_step}")


@dataclass(frozen=True)
class Variation:
    """Surroundings that must change no bit of any output; `needs` says what is missing here to try them."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = "clone"
    prefix: Sequence[str] = ()
    umask: int = -1
    home: bool = False  # an empty HOME
    code: str | None = None  # run by each Python before anything else
    needs: str | None = None

    def __add__(self, other: Variation) -> Variation:
        """Return both at once."""
        return Variation(
            f"{self.name} + {other.name}",
            {**self.env, **other.env},
            other.folder if other.folder != "clone" else self.folder,
            [*self.prefix, *other.prefix],
            max(self.umask, other.umask),
            self.home or other.home,
            other.code or self.code,
        )


@dataclass
class Outcome:
    """What one run of the pipeline showed: the outputs that differ, or why it could not run."""

    name: str
    outputs: int = 0
    differing: list[str] = field(default_factory=list)
    failure: str | None = None
    skipped: str | None = None

    @property
    def code(self) -> int:
        """The exit code that this outcome asks for."""
        if self.failure is not None:
            return FAILED
        return DIFFERS if self.differing else IDENTICAL

    @property
    def words(self) -> str:
        """The outcome in a few words."""
        if self.skipped:
            return f"skipped: {self.skipped}"
        if self.failure is not None:
            return f"could not run: {self.failure}"
        if self.differing:
            return f"{len(self.differing)} of {self.outputs} differ: {', '.join(self.differing)}"
        return f"identical, {self.outputs} output{'s' if self.outputs != 1 else ''}"


def verify(
    revision: str = "HEAD", vary: bool | Sequence[str] = False, *, root: Path | None = None, say: Say | None = None
) -> int:
    """Run `revision` again from nothing and compare every output with its dvc.lock; return the exit code.

    Args:
        revision: any name of a commit.
        vary: also under each variation; or the names of those to try alone, `together` for all of them in one run.
        root: the repository; the current folder by default.
        say: where lines of progress go; printed by default.

    Returns:
        0 identical, 1 an output differs, 2 the pipeline could not be run.

    Raises:
        RevisionError: no such commit, or it has no dvc.lock.
        ProjectError: a variation of no known name.
    """
    where, tell = (root or Path.cwd()).resolve(), say or _print
    commit = _commit(where, revision)
    recorded = _recorded(where, commit, revision)
    chosen = _chosen(vary)
    _note_workspace(where, commit, revision, tell)
    outcomes = []
    with _stoppable():
        for variation in chosen:
            outcomes.append(attempt(where, commit, recorded, variation, tell))
            tell(f"{variation.name}: {outcomes[-1].words}")
    if len(outcomes) > 1:
        tell("\n" + table_of(outcomes))
    return max(outcome.code for outcome in outcomes)


def table_of(outcomes: Sequence[Outcome]) -> str:
    """Return variation and result as a table of at most 80 columns."""
    wide = max(len("variation"), *(len(outcome.name) for outcome in outcomes))
    lines = [("variation", "result"), *((outcome.name, outcome.words) for outcome in outcomes)]
    return "\n".join(_shorten(f"{name:<{wide}}  {words}", WIDTH) for name, words in lines)


def variations() -> dict[str, Variation]:
    """Return every variation by its name, as far as this machine can try it."""
    turkish = "tr_TR.UTF-8" if "tr_TR.utf8" in _locales() else "C"
    clock = None if shutil.which("faketime") else "libfaketime is not installed"
    pinned = None if shutil.which("taskset") else "taskset is not installed"
    found = [
        Variation("path", folder="a/much deeper/földer with spaces/than/before"),
        Variation("timezone", {"TZ": "Pacific/Kiritimati"}),
        Variation(f"locale {turkish}", {"LANG": turkish, "LC_ALL": turkish, "LANGUAGE": turkish}),
        Variation("umask 077", umask=0o077),
        Variation("hash seed", {"PYTHONHASHSEED": "123"}),
        Variation("home", home=True),
        Variation("1 thread", dict.fromkeys(THREADS, "1")),
        Variation("2 threads", dict.fromkeys(THREADS, "2")),
        Variation("1 core", prefix=["taskset", "-c", _first_core()], needs=pinned),
        Variation(
            "clock",
            {"FAKETIME_DONT_FAKE_MONOTONIC": "1"},
            prefix=["faketime", "-f", "+365d"],
            code=SLEEP,
            needs=clock,
        ),
    ]
    return {variation.name: variation for variation in found}


def together() -> Variation:
    """Return all variations that this machine can try, in one."""
    able = [variation for variation in variations().values() if variation.needs is None]
    whole = able[0]
    for variation in able[1:]:
        whole = whole + variation
    return Variation("together", whole.env, whole.folder, whole.prefix, whole.umask, whole.home, whole.code)


def _chosen(vary: bool | Sequence[str]) -> list[Variation]:
    plain, known = Variation("as it is"), variations()
    if isinstance(vary, bool):
        return [plain, *known.values()] if vary else [plain]
    names = [*known, "together"]
    if wrong := [name for name in vary if name not in names]:
        told = "; ".join(f"{name!r}{nearest(name, names)}" for name in wrong)
        raise ProjectError(f"a variation must be one of {', '.join(names)}, but there is no {told}.")
    return [together() if name == "together" else known[name] for name in vary]


def _locales() -> str:
    with contextlib.suppress(OSError):
        return subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout
    return ""


def _first_core() -> str:
    return str(min(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "0"


def attempt(root: Path, commit: str, recorded: dict[str, Any], variation: Variation, say: Say) -> Outcome:
    """Clone, run and compare once, in a temporary folder that is removed after."""
    outcome = Outcome(variation.name, sum(len(stage.get("outs", [])) for stage in recorded.values()))
    if variation.needs:
        outcome.skipped = variation.needs
        return outcome
    say(f"\n{variation.name}: a clone of {commit[:10]} with an empty cache")
    with tempfile.TemporaryDirectory(prefix="verify-", ignore_cleanup_errors=True) as folder:
        try:
            clone = Path(folder).resolve() / variation.folder / "clone"
            env = _environment(Path(folder).resolve(), clone, variation)
            work = prepare_clone(root, clone, commit, recorded, env, variation, say)
            run_stages(root, commit, work, recorded, env, variation, outcome, say)
        except ProjectError as error:
            outcome.failure = str(error).splitlines()[0]
            say(str(error))
    return outcome


def _environment(folder: Path, clone: Path, variation: Variation) -> dict[str, str]:
    """Return the surroundings of a run: this Python first, the clone's code before any other, nothing of Git or DVC."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    env["PYTHONPATH"] = str(clone / "src")
    if variation.code:
        io.write_text(variation.code, folder / "first/sitecustomize.py")
        env["PYTHONPATH"] += f"{os.pathsep}{folder / 'first'}"
    env["PYTHONUNBUFFERED"] = "1"
    env["DVC_SITE_CACHE_DIR"] = str(folder / "site")
    env["DVC_NO_ANALYTICS"] = "1"
    if variation.home:
        env |= {"HOME": str(folder / "home"), "USERPROFILE": str(folder / "home")}
        (folder / "home").mkdir()
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR"):
            env.pop(name, None)
    return env | dict(variation.env)


def prepare_clone(
    root: Path, clone: Path, commit: str, recorded: dict[str, Any], env: dict[str, str], variation: Variation, say: Say
) -> Path:
    """Clone the commit, with an empty cache, without dvc.lock and outputs; fetch what .dvc files track.

    Returns:
        the folder in the clone that `root` is in its repository.

    Raises:
        ProjectError: Git or DVC failed.
    """
    clone.parent.mkdir(parents=True)
    umask, top = variation.umask, _git(root, "rev-parse", "--show-toplevel").stdout.rstrip("\n")
    work = clone / _git(root, "rev-parse", "--show-prefix").stdout.rstrip("\n")
    _run(["git", "clone", "--quiet", "--no-checkout", top, str(clone)], clone.parent, env, umask, say)
    _run(["git", "checkout", "--quiet", "--detach", commit], clone, env, umask, say)
    tracked = _run(["git", "ls-files", "-z", "*.dvc"], work, env, umask).split("\0")[:-1]
    remote = f"['remote \"{REMOTE}\"']\n    url = {cache_of(root)}\n" if tracked else ""
    io.write_text(f"[cache]\n    dir = cache\n{remote}", work / ".dvc/config.local")
    if tracked:
        _run([*DVC, "pull", "--quiet", "--remote", REMOTE, *tracked], work, env, umask, say)
    for path in [paths.LOCK.as_posix(), *(out["path"] for stage in recorded.values() for out in stage.get("outs", []))]:
        _remove(work / path)
    return work


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run_stages(
    root: Path,
    commit: str,
    clone: Path,
    recorded: dict[str, Any],
    env: dict[str, str],
    variation: Variation,
    outcome: Outcome,
    say: Say,
) -> None:
    """Run `dvc repro` in the clone and compare each stage when it has finished.

    Raises:
        ProjectError: a stage failed; its last lines are told.
    """
    say("$ " + " ".join([*variation.prefix, "dvc repro"]))
    original, waiting = Recorded(root, commit, recorded), dict(recorded)
    wide = max(map(len, recorded), default=0)

    def finished(name: str, seconds: float) -> None:
        found = compare_stage(original, clone, name, waiting.pop(name, None), outcome)
        say(f"  {name:<{wide}} {seconds:7.1f} s  {'identical' if not found else 'differs'}")
        for line in found:
            say(f"    {line}")

    command = [*variation.prefix, *DVC, "repro"]
    last: deque[str] = deque(maxlen=20)
    with _process(command, clone, env, variation.umask) as process:
        assert process.stdout is not None
        name, started = None, time.monotonic()
        for line in process.stdout:
            last.append(line.rstrip())
            if line.startswith(RUNNING):
                if name is not None:
                    finished(name, time.monotonic() - started)
                name, started = line.removeprefix(RUNNING).partition("'")[0], time.monotonic()
        code = process.wait()
    if code:
        raise ProjectError(f"`dvc repro` ended with exit code {code} in the stage {name}:\n" + "\n".join(last))
    if name is not None:
        finished(name, time.monotonic() - started)
    frozen = _frozen(clone)
    for left in list(waiting):
        if left in frozen:
            say(f"  {left:<{wide}}            frozen: it was not run")
        else:
            outcome.differing += [out["path"] for out in waiting[left].get("outs", [])]
            say(f"  {left:<{wide}}            differs: it is in dvc.lock, but was not run")


def _frozen(clone: Path) -> set[str]:
    stages = (io.read_yaml(clone / paths.PIPELINE) or {}).get("stages", {})
    return {name for name, stage in stages.items() if stage.get("frozen")}


class Recorded:
    """Finds what an output held when dvc.lock was written: in Git, in the cache, or in the workspace."""

    def __init__(self, root: Path, commit: str, stages: dict[str, Any]) -> None:
        self.root, self.commit = root, commit
        self.outputs = {out["path"] for stage in stages.values() for out in stage.get("outs", [])}
        self._cache: Path | None = None

    def content(self, path: str, digest: str) -> bytes | None:
        """Return the content with the MD5 `digest`, or None where it is not to be found."""
        shown = subprocess.run(
            ["git", "show", f"{self.commit}:./{path}"],
            cwd=self.root,
            env=_git_environment(),
            capture_output=True,
            check=False,
        )
        if shown.returncode == 0 and _md5(shown.stdout) == digest:
            return shown.stdout
        for place in (self._cached(digest), self.root / path):
            if place.is_file() and _md5(content := io.read_bytes(place)) == digest.removesuffix(".dir"):
                return content
        return None

    def listing(self, digest: str) -> dict[str, str] | None:
        """Return {file: MD5} of a folder, or None where the cache does not know it."""
        place = self._cached(digest)
        if not place.is_file():
            return None
        return {item["relpath"]: item["md5"] for item in json.loads(io.read_bytes(place))}

    def _cached(self, digest: str) -> Path:
        if self._cache is None:
            self._cache = cache_of(self.root)
        return self._cache / "files/md5" / digest[:2] / digest[2:]


def cache_of(root: Path) -> Path:
    """Return the folder of the repository's DVC cache, as `dvc cache dir` says."""
    env = _git_environment()
    said = subprocess.run([*DVC, "cache", "dir"], cwd=root, env=env, capture_output=True, text=True, check=False)
    return Path(said.stdout.strip().splitlines()[-1]) if said.stdout.strip() else root / ".dvc/cache"


def compare_stage(
    original: Recorded, clone: Path, name: str, before: dict[str, Any] | None, outcome: Outcome
) -> list[str]:
    """Return a line for each way in which a stage's new entry in dvc.lock is not the recorded one; note the outputs."""
    after = _stages(io.read_yaml(clone / paths.LOCK)).get(name, {}) if (clone / paths.LOCK).exists() else {}
    if before is None:
        outcome.differing.append(name)
        return ["dvc.lock does not know this stage: type `dvc repro`, and commit dvc.lock"]
    old, new = (_hashes(stage.get("outs", [])) for stage in (before, after))
    lines = []
    for path in dict.fromkeys([*old, *new]):
        if old.get(path) != new.get(path):
            outcome.differing.append(path)
            lines.append(f"{path}: {where(original, clone, path, old.get(path), new.get(path))}")
    if stale := _stale(original, before, after):
        outcome.differing += [] if lines else [f"dvc.lock of {name}"]
        lines.append(f"dvc.lock was not written by this commit's {', '.join(stale)}")
    return lines


def _stale(original: Recorded, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the inputs that are others than those recorded, but for outputs of other stages: these are told there."""
    old, new = (_hashes(stage.get("deps", [])) for stage in (before, after))
    changed = [path for path in dict.fromkeys([*old, *new]) if old.get(path) != new.get(path)]
    found = [path for path in changed if path not in original.outputs]
    found += ["parameters"] if before.get("params") != after.get("params") else []
    return found + (["command"] if before.get("cmd") != after.get("cmd") else [])


def where(original: Recorded, clone: Path, path: str, old: str | None, new: str | None) -> str:
    """Return where the new content of an output parts from the recorded one."""
    if old is None or new is None:
        return "it is not in dvc.lock" if old is None else "it was not written"
    if old.endswith(".dir") and new.endswith(".dir"):
        return _where_in_folder(original, clone, path, old)
    before = original.content(path, old)
    if before is None or not (clone / path).is_file():
        return f"MD5 {old[:10]} before, {new[:10]} now (the old content is not here; `dvc pull` fetches it)"
    return difference(before, io.read_bytes(clone / path), path)


def _where_in_folder(original: Recorded, clone: Path, path: str, digest: str) -> str:
    before = original.listing(digest)
    if before is None:
        return f"MD5 {digest[:10]} before (the old folder is not here; `dvc pull` fetches it)"
    folder = clone / path
    now = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    found = [f"{name} is missing" for name in before if name not in now]
    found += [f"{name} is new" for name in now if name not in before]
    for name, file in now.items():
        content = io.read_bytes(file)
        if name in before and _md5(content) != before[name]:
            old = original.content(f"{path}/{name}", before[name])
            found.append(f"{name}: {difference(old, content, name) if old is not None else 'differs'}")
    more = [f"and {len(found) - MOST_FILES} more"] if len(found) > MOST_FILES else []
    return "; ".join([*found[:MOST_FILES], *more])


def difference(before: bytes, after: bytes, name: str) -> str:
    """Return where two contents part: the JSON path, table cell, member of an archive, line of a text, or byte."""
    with contextlib.suppress(Exception):  # damaged content is compared as text or bytes
        told = _PLACES.get(Path(name).suffix, _place_in_text)(before, after)
        if told is not None:
            return told
    with contextlib.suppress(UnicodeDecodeError):
        if told := _place_in_text(before, after):
            return told
    at = next(
        (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    return f"byte {at + 1}: {before[at : at + 8].hex(' ')} before, {after[at : at + 8].hex(' ')} now"


def _place_in_text(before: bytes, after: bytes) -> str | None:
    old, new = before.decode("utf-8").splitlines(), after.decode("utf-8").splitlines()
    for number, (a, b) in enumerate(zip(old, new, strict=False), 1):
        if a != b:
            at = next((at for at, (c, d) in enumerate(zip(a, b, strict=False)) if c != d), min(len(a), len(b)))
            start = max(0, at - 20)
            return f"line {number}, column {at + 1}: {_quote(a[start:])} before, {_quote(b[start:])} now"
    return f"{len(old)} lines before, {len(new)} now" if len(old) != len(new) else None


def _place_in_json(before: bytes, after: bytes) -> str | None:
    found = next(_json_places(json.loads(before), json.loads(after), ""), None)
    if found is None:
        return None
    place, old, new = found
    return f"at {place or '/'}: {_quote(json.dumps(old))} before, {_quote(json.dumps(new))} now"


def _json_places(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            if key not in old or key not in new:
                yield f"{place}/{key}", old.get(key, "(nothing)"), new.get(key, "(nothing)")
            else:
                yield from _json_places(old[key], new[key], f"{place}/{key}")
        if list(old) != list(new):
            yield place, list(old), list(new)
    elif isinstance(old, list) and isinstance(new, list):
        for number, (a, b) in enumerate(zip(old, new, strict=False)):
            yield from _json_places(a, b, f"{place}/{number}")
        if len(old) != len(new):
            yield place, f"{len(old)} items", f"{len(new)} items"
    elif old != new or type(old) is not type(new):
        yield place, old, new


def _place_in_table(before: bytes, after: bytes) -> str | None:
    import pandas as pd

    old, new = (pd.read_parquet(streams.BytesIO(content)) for content in (before, after))
    if list(old) != list(new):
        return f"columns {_quote(str(list(old)))} before, {_quote(str(list(new)))} now"
    if len(old) != len(new):
        return f"{len(old)} rows before, {len(new)} now"
    for name in old:
        if old[name].dtype != new[name].dtype:
            return f"column {name!r}: {old[name].dtype} before, {new[name].dtype} now"
    unequal = (old != new) & ~(old.isna() & new.isna())
    rows = unequal.any(axis=1).to_numpy().nonzero()[0]
    if not len(rows):
        return None
    name = unequal.columns[unequal.iloc[rows[0]].to_numpy().nonzero()[0][0]]
    values = [repr(table[name].iloc[rows[0]]) for table in (old, new)]
    return f"row {rows[0] + 1}, column {name!r}: {_quote(values[0])} before, {_quote(values[1])} now"


def _place_in_archive(before: bytes, after: bytes) -> str | None:
    with zipfile.ZipFile(streams.BytesIO(before)) as old, zipfile.ZipFile(streams.BytesIO(after)) as new:
        names = dict.fromkeys([*old.namelist(), *new.namelist()])
        for name in names:
            if name not in old.namelist() or name not in new.namelist():
                return f"{name} is {'new' if name not in old.namelist() else 'missing'}"
        for name in sorted(names, key=lambda name: not name.endswith(".json")):
            if old.read(name) != new.read(name):
                return f"{name}: {difference(old.read(name), new.read(name), name)}"
        for a, b in zip(old.infolist(), new.infolist(), strict=True):
            if (a.filename, a.date_time, a.external_attr) != (b.filename, b.date_time, b.external_attr):
                return f"{a.filename}: dated {a.date_time} before, {b.date_time} now"
    return None


_PLACES: dict[str, Callable[[bytes, bytes], str | None]] = {
    ".json": _place_in_json,
    ".parquet": _place_in_table,
    ".skops": _place_in_archive,
    ".zip": _place_in_archive,
}


def _quote(text: str) -> str:
    return repr(_shorten(text, 40))


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _md5(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()


def _hashes(items: Sequence[dict[str, Any]]) -> dict[str, str | None]:
    return {item["path"]: item.get("md5") for item in items}


def _stages(lock: Any) -> dict[str, Any]:
    stages = lock.get("stages") if isinstance(lock, dict) else None
    return stages if isinstance(stages, dict) else {}


def _git_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *words], cwd=root, env=_git_environment(), capture_output=True, text=True, encoding="utf-8", check=False
    )


def _commit(root: Path, revision: str) -> str:
    """Return the hash of the commit that `revision` names."""
    if _git(root, "rev-parse", "--git-dir").returncode:
        raise RevisionError(revision, f"cannot be looked up: {root} is in no Git repository", "Type `git init`.")
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        if _git(root, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
            raise RevisionError(revision, "is not there: the repository has no commit", "Type `git commit`.")
        names = _git(root, "for-each-ref", "--format=%(refname:short)").stdout.split()
        raise RevisionError(revision, f"is no commit here{nearest(revision, names)}", "Type `git log --oneline`.")
    return found.stdout.strip()


def _recorded(root: Path, commit: str, revision: str) -> dict[str, Any]:
    """Return the stages of the commit's dvc.lock."""
    import yaml

    shown = _git(root, "show", f"{commit}:./{paths.LOCK}")
    stages = _stages(yaml.safe_load(shown.stdout)) if not shown.returncode else {}
    if not stages:
        raise RevisionError(revision, "has none with a stage", "Type `dvc repro`, and commit dvc.lock.")
    return stages


def _note_workspace(root: Path, commit: str, revision: str, say: Say) -> None:
    changed = [line for line in _git(root, "status", "--porcelain").stdout.splitlines() if line]
    if changed:
        files = "1 uncommitted change" if len(changed) == 1 else f"{len(changed)} uncommitted changes"
        say(f"verify looks at the commit {commit[:10]} ({revision}), not at the workspace: {files} left out.")


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str], umask: int = -1, say: Say | None = None) -> str:
    """Return what a command prints; `say` tells the command first.

    Raises:
        ProjectError: it failed.
    """
    shown = " ".join(command).replace(" ".join(DVC), "dvc")
    if say:
        say(f"$ {shown}")
    with _process(command, folder, env, umask) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        code = process.wait()
    if code:
        raise ProjectError(f"`{shown}` ended with exit code {code}:\n{text.strip()}")
    return text


@contextlib.contextmanager
def _process(
    command: Sequence[str], folder: Path, env: Mapping[str, str], umask: int
) -> Iterator[subprocess.Popen[str]]:
    """Yield a started process; it and its children end with the block, however that ends."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(env),
        umask=umask,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _stop(process)
        if process.stdout is not None:
            process.stdout.close()


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process and its children: first asked, after five seconds made."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let a request to end (SIGTERM) end like Ctrl-C: children are stopped and temporary folders removed."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(line: str) -> None:
    print(line, flush=True)
