"""Which rows are test rows, and the folds of the others: a row's side depends on the row alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.problem import Data, Split, Task

HASH_KEY = "mlworkflow-split"  # 16 characters; another key would be another split of every table


def identity(table: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Return the columns that say which rows belong together: the group, the key, or all but the target."""
    if data.group:
        return table[[data.group]]
    if data.key:
        return table[data.key]
    return table.drop(columns=[data.target] if data.target else [])


def row_ids(rows: pd.DataFrame) -> np.ndarray:
    """Return an (n,) uint64 for each row, from its content alone (SipHash, pandas.util.hash_pandas_object).

    Numbers count as float64, all else as words, so that the dtype of a column changes no id.
    """
    import pandas as pd

    numbers = rows.select_dtypes("number").columns
    same = pd.DataFrame(
        {name: rows[name].astype("float64") + 0.0 if name in numbers else rows[name].astype("str") for name in rows}
    )
    hashes = pd.util.hash_pandas_object(same, index=False, hash_key=HASH_KEY)
    return hashes.to_numpy(dtype="uint64")


def unit_hash(rows: pd.DataFrame) -> np.ndarray:
    """Return the (n,) ids of the rows as float in [0, 1)."""
    return row_ids(rows).astype("float64") / 2.0**64


def is_test(table: pd.DataFrame, data: Data, split: Split) -> np.ndarray:
    """Return an (n,) bool, True for test rows.

    - hash: the row's identity decides, so rows added later move no old row, and equal rows are on one side;
    - time: the newest `test_fraction` of the points in time; rows of one time are on one side;
    - column: the rows that have `split.test` in `split.column`.
    """
    if split.scheme == "hash":
        return np.asarray(unit_hash(identity(table, data)) < split.test_fraction)
    if split.scheme == "column":
        return (table[split.column].astype("str") == str(split.test)).to_numpy()
    times = table[data.time]
    return (times > times.quantile(1 - split.test_fraction, interpolation="lower")).to_numpy()


def folds(
    train: pd.DataFrame, target: np.ndarray | None, data: Data, split: Split, task: Task, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `split.folds` pairs of row positions (fit, check), in the manner of the split.

    Time-ordered rows are validated on what comes after; groups are kept together; classes are spread evenly.

    Raises:
        TableError: fewer rows, groups or members of a class than folds.
    """
    from sklearn import model_selection as ms

    classes = target if task in ("binary", "multiclass") else None
    groups = train[data.group].to_numpy() if data.group else None
    _demand_enough(len(train), classes, groups, split.folds)
    order = np.arange(len(train))
    if split.scheme == "time":
        order = train[data.time].to_numpy().argsort(kind="stable")
        splitter: Any = ms.TimeSeriesSplit(split.folds)
    elif groups is not None and classes is not None:
        splitter = ms.StratifiedGroupKFold(split.folds, shuffle=True, random_state=seed)
    elif groups is not None:
        splitter = ms.GroupKFold(split.folds)
    elif classes is not None:
        splitter = ms.StratifiedKFold(split.folds, shuffle=True, random_state=seed)
    else:
        splitter = ms.KFold(split.folds, shuffle=True, random_state=seed)
    return [(order[fit], order[check]) for fit, check in splitter.split(order, classes, groups)]


def _demand_enough(rows: int, classes: np.ndarray | None, groups: np.ndarray | None, count: int) -> None:
    found = [f"{rows} training rows for {count} folds"] if rows < 2 * count else []
    if groups is not None and len(np.unique(groups.astype(str))) < count:
        found.append(f"{len(np.unique(groups.astype(str)))} groups for {count} folds")
    if classes is not None and rows:
        least = int(np.bincount(classes).min())
        found += [f"a class with {least} training rows for {count} folds"] if least < count else []
    if found:
        raise TableError("the training rows", found, "Collect more rows, or set fewer problem.split.folds.")
