"""What keeps a source from giving its table."""

from __future__ import annotations

from mlworkflow.errors import ProjectError


class SourceError(ProjectError):
    """A source refused, failed or gave no table; nothing was written."""

    def __init__(self, address: str, reason: str, next_step: str) -> None:
        super().__init__(f"{address} must give a table, but {reason}. {next_step}")
