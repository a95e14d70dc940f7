"""What a champion was fitted as. One that is kept as it is (learning/kept.py) has it from conf/model/champion.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mlworkflow.core import io, paths

if TYPE_CHECKING:
    from mlworkflow.releasing.tags import Release

CHAMPION = "champion"  # conf/model/champion.yaml, written on the branch of a retraining
FILE = paths.CONF / "model" / f"{CHAMPION}.yaml"
NO_SEARCH = "none"


@dataclass(frozen=True)
class Origin:
    """What is to be fitted again, and searched again.

    Attributes:
        model: its name in conf/model.
        best: the parameters that its search took.
        search: its name in conf/search.
        train_from: the number of the first row that it was fitted on.
        folds: by which it was validated.
        kept: whether the champion is this model kept as it is, with other probabilities or another threshold.
    """

    model: str
    best: Mapping[str, Any]
    search: str
    train_from: int
    folds: int
    kept: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as `of` of conf/model/champion.yaml has it."""
        return {name: value for name, value in asdict(self).items() if name != "kept"}


def origin_of(root: Path, champion: Release, bundle: Path, params: Mapping[str, Any]) -> Origin | None:
    """Return what the champion was fitted as, None where a kept one does not say.

    Args:
        root: the folder that holds dvc.yaml.
        champion: the version in service.
        bundle: its folder.
        params: params.yaml.
    """
    model = str(io.read_json(bundle / "manifest.json")["model"])
    told = yaml.safe_load((root / FILE).read_text(encoding="utf-8")).get("of") if (root / FILE).is_file() else None
    if model == CHAMPION:
        return Origin(**told, kept=True) if told else None
    search, split = str(params["search"]["name"]), params["problem"]["split"]
    if search == NO_SEARCH and told:
        search = told["search"]  # a model that was fitted anew with the parameters of an older search
    return Origin(model, _best(root, champion), search, split["train_from"], split["folds"])


def _best(root: Path, champion: Release) -> dict[str, Any]:
    """Return the parameters that the champion's search took; none where they are in no cache and no remote."""
    from mlworkflow.reviewing.files import Files
    from mlworkflow.reviewing.revisions import ReviewError, Revision

    try:
        content = Files(root, Revision(champion.tag, champion.commit)).output(paths.BEST_PARAMS)
    except ReviewError:
        return {}
    return dict(yaml.safe_load(content) or {})
