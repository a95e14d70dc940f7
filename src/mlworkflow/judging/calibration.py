"""Do probabilities mean what they say: predicted against observed shares, in bins of equally many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.measures.metrics import Scored

if TYPE_CHECKING:
    import pandas as pd

BINS = 10


def curve(scored: Scored) -> pd.DataFrame:
    """Return the (at most 10, 3) table predicted, observed, rows.

    Two classes: the probability of the positive one; more: that of the class thought most probable.
    """
    import pandas as pd

    assert scored.probabilities is not None
    if scored.k == 2:
        said, true = scored.probabilities[:, 1], scored.truth == 1
    else:
        said, true = scored.probabilities.max(axis=1), scored.truth == scored.probabilities.argmax(axis=1)
    parts = [part for part in np.array_split(np.argsort(said, kind="stable"), BINS) if len(part)]
    lines = [(float(said[part].mean()), float(true[part].mean()), len(part)) for part in parts]
    return pd.DataFrame(lines, columns=["predicted", "observed", "rows"])


def error(bins: pd.DataFrame) -> float:
    """Return the expected calibration error (Naeini et al. 2015): the mean distance, weighted by rows."""
    distance = (bins["predicted"] - bins["observed"]).abs()
    return float((distance * bins["rows"]).sum() / bins["rows"].sum())


def words(bins: pd.DataFrame) -> str:
    """Return one sentence on how far the probabilities can be believed."""
    off = error(bins)
    noise = float(np.sqrt(bins["observed"] * (1 - bins["observed"]) / bins["rows"]).mean())
    if off <= 2 * max(noise, 0.01):
        return f"the probabilities are off by {off:.3f} on average, no more than noise"
    return f"the probabilities are off by {off:.3f} on average, more than noise: do not read them as shares"
