"""What `mlworkflow serve` was asked for, as its workers read it from the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlworkflow.api.limits import Limits

VARIABLE = "MLWORKFLOW_SERVE"
LogMode = Literal["batched", "sync", "off"]


@dataclass(frozen=True)
class Settings:
    """How a worker serves.

    pointer: a JSON file with `version` and `folder` of the bundle; when it changes, the new one is taken up.
    challenger: (version, folder) of another bundle, which answers the share `share` of the rows, or with `shadow` is
        only asked and recorded.
    """

    pointer: Path
    log: LogMode = "batched"
    log_folder: Path = Path("data/predictions")
    keep_days: float | None = None  # None: until the log is too large
    keys: Path | None = None
    challenger: tuple[str, Path] | None = None
    share: float = 0.0
    shadow: bool = False
    workers: int = 1
    parent: int = 0  # process id: a worker ends when it is gone
    limits: Limits = field(default_factory=Limits)

    def to_environment(self) -> None:
        """Leave them to the processes that are started from here."""
        os.environ[VARIABLE] = json.dumps(asdict(self), default=str)

    @classmethod
    def from_environment(cls) -> Settings:
        """Return what `to_environment` left."""
        told: dict[str, Any] = json.loads(os.environ[VARIABLE])
        other = told["challenger"]
        return cls(
            **{
                **told,
                "pointer": Path(told["pointer"]),
                "log_folder": Path(told["log_folder"]),
                "keys": Path(told["keys"]) if told["keys"] else None,
                "challenger": (other[0], Path(other[1])) if other else None,
                "limits": Limits(**told["limits"]),
            }
        )
