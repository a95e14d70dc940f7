"""Every error raised on purpose: the rule, what was found and where, what to do next."""

from __future__ import annotations

import copyreg
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class ProjectError(Exception):
    """A mistake that a user can mend; shown without a traceback, with exit code 1."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what another process (a worker of Dask) makes the error from: its words, not what built them."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the known word nearest to `word`, or nothing."""
    matches = get_close_matches(word, [str(name) for name in known if str(name) != word], n=1, cutoff=0.5)
    return f", did you mean {matches[0]!r}?" if matches else ""


def ended(told: str) -> str:
    """Return words as the end of a sentence; another library's, or a question of `nearest`, may be ended already."""
    return told if told.endswith(("?", ".")) else f"{told}."


def reason(error: Exception) -> str:
    """Return what another library's exception says, on one line: Hydra puts the cause on its second."""
    return " ".join(str(error).splitlines()[:2])


def first_line(error: Exception) -> str:
    """Return the first line of what another library's exception says, its name where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def listed(found: Iterable[str]) -> str:
    """Return all that was found, a line each."""
    return "\n".join(f"  - {line}" for line in found)


class ConfError(ProjectError):
    """One or more mistakes in conf/ or params.yaml, all told at once."""

    def __init__(self, found: Iterable[str], next_step: str) -> None:
        super().__init__(f"the configuration must fit its schema, but:\n{listed(found)}\n{next_step}")


class StaleParamsError(ProjectError):
    """params.yaml was not composed from today's conf/."""

    def __init__(self, changed: Iterable[str], command: str) -> None:
        names = ", ".join(changed)
        super().__init__(
            f"params.yaml must be composed from conf/ as it is now, but this changed since: {names}. "
            f"Type `{command}`, then run again."
        )


class TableError(ProjectError):
    """The table cannot be used for the problem; every reason at once."""

    def __init__(self, table: str, found: Iterable[str], next_step: str) -> None:
        found = [*found]
        self.about, self.told = table, (found, next_step)  # so that it can be told of what the table was made of
        super().__init__(f"{table} cannot be used:\n{listed(found)}\n{next_step}")


class UnreadableError(ProjectError):
    """A file that should be there is missing, damaged or unreadable."""

    def __init__(self, path: object, reason: str, next_step: str) -> None:
        self.about, self.told = path, (reason, next_step)  # so that it can be told of what the file was made of
        super().__init__(f"{path} must be readable, but {ended(reason)} {next_step}")


class UnwritableError(ProjectError):
    """A file could not be written; what was there before is unchanged."""

    def __init__(self, path: object, cause: OSError) -> None:
        super().__init__(
            f"{path} could not be written: {cause.strerror or cause}. The file is as it was before. "
            "Make room or allow writing there, then run again."
        )


class SuffixError(ProjectError):
    """A table is to be written to a file whose suffix says no way to write one; nothing was written."""

    def __init__(self, path: object, suffixes: Iterable[str]) -> None:
        super().__init__(
            f"{path} must be writable as a table, but its suffix is none of {', '.join(suffixes)}. "
            "Name a file with one of these; nothing was written."
        )


class UndeclaredParamError(ProjectError):
    """A stage reads a parameter that dvc.yaml does not declare for it."""

    def __init__(self, stage: str, key: str, declared: Iterable[str]) -> None:
        super().__init__(
            f"the stage {stage} must read only the params that dvc.yaml lists for it "
            f"({', '.join(declared)}), but asked for {key}. Add it under params: in dvc.yaml."
        )


class DamagedBundleError(ProjectError):
    """A file of the bundle is not the one its manifest names; nothing of it was loaded."""

    def __init__(self, found: Iterable[str]) -> None:
        super().__init__(
            f"a bundle is loaded only when every file has the SHA-256 of its manifest, but:\n{listed(found)}\n"
            "Nothing was loaded. Type `dvc checkout models/bundle` or `dvc repro package`."
        )


class UntrustedModelError(ProjectError):
    """A model file holds types that are no estimators; nothing of it was built."""

    def __init__(self, found: Iterable[str]) -> None:
        super().__init__(
            "a model file may hold estimators of scikit-learn, xgboost, LightGBM and this project alone, but this one "
            f"holds: {', '.join(found)}. Nothing was loaded. Take the model from its project's cache (`dvc checkout`)."
        )
