"""Why a prediction could not be recorded, or the log not be opened."""

from __future__ import annotations

from pathlib import Path

from mlworkflow.core.errors import ProjectError


class LogFullError(ProjectError):
    """The queue in front of the log is full: records come faster than the disk takes them."""

    def __init__(self, queued: int) -> None:
        super().__init__(
            f"a prediction must fit into the log's queue, but {queued} wait there already. Ask again in a second."
        )


class LogUnwritableError(ProjectError):
    """The log cannot be written now, or not be opened."""

    def __init__(self, path: Path, cause: object) -> None:
        super().__init__(
            f"the prediction log {path} must be writable, but it is not: {cause}. "
            "Make room or allow writing there; the log goes on by itself."
        )


class LogUnreadableError(ProjectError):
    """The log is there and cannot be opened to read."""

    def __init__(self, path: Path, cause: object) -> None:
        super().__init__(f"the prediction log {path} must be readable, but it is not: {cause}. Allow reading it.")


class NoPredictionsError(ProjectError):
    """The log holds no prediction."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} must hold predictions, but it holds none. "
            "Start `mlworkflow serve`, and ask it; or name the log's folder with --folder."
        )


class LogVersionError(ProjectError):
    """The log's tables are of another version of mlworkflow, or no log at all."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} must be a prediction log of schema {known}, but it is of schema {found}. It was left as it is. "
            "Name another folder, or move the file away, or read it with the mlworkflow that wrote it."
        )


class LogDamagedError(ProjectError):
    """The log could be read up to some record only."""

    def __init__(self, path: Path, cause: object) -> None:
        super().__init__(
            f"the prediction log {path} must be readable, but it is damaged: {cause}. What was read before is good. "
            "Start the server again: it moves the file aside and begins a new one; "
            "`sqlite3 FILE .recover` saves what can be saved."
        )
