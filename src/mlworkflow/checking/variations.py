"""Surroundings that must change no bit of any output: another path, time zone, locale, clock, number of threads."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlworkflow.core.errors import ProjectError, ended, nearest

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# time.sleep waits for a moment of the monotonic clock, which libfaketime 0.9.10 moves though told not to: EINVAL
SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"


@dataclass(frozen=True)
class Variation:
    """What is changed around one run; `needs` says what is missing here to try it."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = "clone"
    prefix: Sequence[str] = ()
    umask: int = -1
    home: bool = False  # an empty HOME
    code: str | None = None  # run by each Python before anything else
    needs: str | None = None


def variations() -> dict[str, Variation]:
    """Return every variation by its name, as far as this machine can try it."""
    turkish = "tr_TR.UTF-8" if "tr_TR.utf8" in _locales() else "C"
    real = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
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
        Variation("clock", real, prefix=["faketime", "-f", "+365d"], code=SLEEP, needs=clock),
    ]
    return {variation.name: variation for variation in found}


def together() -> Variation:
    """Return all variations that this machine can try, in one."""
    able = [variation for variation in variations().values() if variation.needs is None]
    return Variation(
        "together",
        env={name: value for one in able for name, value in one.env.items()},
        folder=max((one.folder for one in able), key=len),
        prefix=[word for one in able for word in one.prefix],
        umask=max(one.umask for one in able),
        home=any(one.home for one in able),
        code=next((one.code for one in able if one.code), None),
    )


def chosen(vary: bool | Sequence[str]) -> list[Variation]:
    """Return what to try: nothing changed, then also each variation; or those named alone, `together` for all in one.

    Raises:
        ProjectError: a variation of no known name.
    """
    plain, known = Variation("as it is"), variations()
    if isinstance(vary, bool):
        return [plain, *known.values()] if vary else [plain]
    names = [*known, "together"]
    if wrong := [name for name in vary if name not in names]:
        told = "; ".join(f"{name!r}{nearest(name, names)}" for name in wrong)
        raise ProjectError(f"a variation must be one of {', '.join(names)}, but there is no {ended(told)}")
    return [together() if name == "together" else known[name] for name in vary]


def _locales() -> str:
    with contextlib.suppress(OSError):
        return subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout
    return ""


def _first_core() -> str:
    return str(min(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "0"
