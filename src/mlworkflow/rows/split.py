"""Which rows are test rows, and the folds of the others: a row's side depends on the row alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import TableError
from mlworkflow.rows.reading import as_word, naive, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mlworkflow.core.problem import Data, Split, Task

HASH_KEY = "mlworkflow-split"  # 16 characters; another key would be another split of every table
SECOND_KEY = "mlworkflow-again"
FACTORS = np.array([0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93], dtype="uint64")  # odd, so that no bit is lost


def identity(table: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Return the columns that say which rows belong together: the group, the key, or all but the target."""
    if data.group:
        return table[[data.group]]
    if data.key:
        return table[data.key]
    return table.drop(columns=[data.target] if data.target else [])


def row_ids(rows: pd.DataFrame) -> np.ndarray:
    """Return an (n,) uint64 for each row, from its content alone (SipHash, pandas.util.hash_pandas_object).

    Numbers count as float64, dates as microseconds, all else as words, so that the dtype of a column changes no id.
    """
    import pandas as pd

    same = pd.DataFrame({name: _hashable(rows[name]) for name in rows}, index=rows.index)
    hashes = pd.util.hash_pandas_object(same, index=False, hash_key=HASH_KEY)
    return hashes.to_numpy(dtype="uint64")


def known_by(rows: pd.DataFrame, data: Data, columns: Sequence[str]) -> np.ndarray:
    """Return the (n,) ids of rows that features were added to: by the key, else by the `columns` of before."""
    key = [name for name in data.key if name in rows]
    return row_ids(rows[key if key and len(key) == len(data.key) else [name for name in columns if name in rows]])


def _hashable(values: pd.Series) -> pd.Series:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):  # as words, a date would depend on the hours of other rows
        return naive(values).astype("int64")
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype("float64").fillna(np.nan) + 0.0  # one zero, one NaN
    return values.astype("str")


def fingerprints(rows: pd.DataFrame) -> np.ndarray:
    """Return an (n, 2) uint64, 128 bits of each row's content: the same for equal rows alone."""
    import pandas as pd

    one, two = (np.full(len(rows), start, dtype="uint64") for start in FACTORS)
    for name in rows:
        values = _hashable(rows[name])
        here = pd.util.hash_pandas_object(values, index=False, hash_key=HASH_KEY).to_numpy(dtype="uint64")
        there = here  # numbers are hashed without loss and without a key
        if values.dtype == "str":
            there = pd.util.hash_pandas_object(values, index=False, hash_key=SECOND_KEY).to_numpy(dtype="uint64")
        one = (one ^ here) * FACTORS[0]
        two = (two ^ (there >> np.uint64(32)) ^ (there << np.uint64(32))) * FACTORS[1]
    return np.column_stack([one, two])


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
        return (words(table[split.column]) == as_word(split.test)).to_numpy()
    times = microseconds(table[data.time])
    return newest(times, table[data.time].notna().to_numpy(), split.test_fraction)


def microseconds(times: pd.Series) -> np.ndarray:
    """Return points in time as an (n,) int64."""
    return np.asarray(naive(times).astype("int64"))


def newest(times: np.ndarray, known: np.ndarray, fraction: float) -> np.ndarray:
    """Return an (n,) bool: True for the newest `fraction` of the `known` times, all rows of one time on one side."""
    chosen = times[known]
    if not len(chosen):
        return known & False
    last = int(np.floor((len(chosen) - 1) * (1 - fraction)))
    return np.asarray(known & (times > np.partition(chosen, last)[last]))


def within_share(table: pd.DataFrame, data: Data, split: Split) -> np.ndarray:
    """Return an (n,) bool: True for the training rows of `split.train_share`; the row's identity decides.

    So a smaller share is a part of a larger one, and rows of one group stay together. (Of a split by time the newest
    training rows are taken.) Where the hash has also decided which rows are test rows, the share is of what it left.
    """
    taken = split.test_fraction if split.scheme == "hash" else 0.0
    return np.asarray(unit_hash(identity(table, data)) < taken + (1 - taken) * split.train_share)


def folds(
    train: pd.DataFrame, target: np.ndarray | None, data: Data, split: Split, task: Task, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `split.folds` pairs of row positions (fit, check), in the manner of the split.

    Time-ordered rows are validated on what comes after, rows of one time together; a group, the rows of one key, rows
    that differ in their target alone, and the parts that a predefined split names are kept together; classes are
    spread evenly.

    Raises:
        TableError: fewer rows, groups, points in time or members of a class than folds.
    """
    from sklearn import model_selection as ms

    classes = target if task in ("binary", "multiclass") else None
    if split.scheme == "time":
        _demand_enough(len(train), classes, None, split.folds)
        return _with_every_class(_folds_by_time(microseconds(train[data.time]), split.folds), classes)
    groups = _together(train, data, split)
    _demand_enough(len(train), classes, groups, split.folds)
    if groups is not None and classes is not None:
        splitter: Any = ms.StratifiedGroupKFold(split.folds, shuffle=True, random_state=seed)
    elif groups is not None:
        splitter = ms.GroupKFold(split.folds)
    elif classes is not None:
        splitter = ms.StratifiedKFold(split.folds, shuffle=True, random_state=seed)
    else:
        splitter = ms.KFold(split.folds, shuffle=True, random_state=seed)
    order = np.arange(len(train))
    return _with_every_class(list(splitter.split(order, classes, groups)), classes)


def _with_every_class(
    found: list[tuple[np.ndarray, np.ndarray]], classes: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds; each must be fitted on rows of every class."""
    if classes is None:
        return found
    there = len(np.unique(classes))
    lacking = [
        f"fold {number} of {len(found)} is fitted on rows of {known} of {there} classes"
        for number, (fit, _) in enumerate(found, start=1)
        if (known := len(np.unique(classes[fit]))) < there
    ]
    if lacking:
        next_step = "Set problem.split.folds to fewer, or collect more rows of the rare class, the oldest above all."
        raise TableError("the training rows", lacking, next_step)
    return found


def _folds_by_time(times: np.ndarray, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds of whole points in time, each checked on what comes after those that it is fitted on."""
    from sklearn.model_selection import TimeSeriesSplit

    points, point = np.unique(times, return_inverse=True)
    if len(points) <= count:
        raise TableError(
            "the training rows", [f"{len(points)} points in time for {count} folds"], _fewer(len(points) - 1)
        )
    order = point.argsort(kind="stable")
    ends = np.append(np.searchsorted(point[order], np.arange(len(points))), len(order))  # where each point begins
    return [
        (order[: ends[fit[-1] + 1]], order[ends[check[0]] : ends[check[-1] + 1]])
        for fit, check in TimeSeriesSplit(count).split(points)
    ]


def _together(train: pd.DataFrame, data: Data, split: Split) -> np.ndarray | None:
    """Return an (n,) name of what each row must stay with, None where each row stands alone."""
    if data.group:
        return np.asarray(train[data.group].to_numpy())
    if split.scheme == "column" and split.column in train:
        parts = np.asarray(words(train[split.column]).fillna("").to_numpy())
        if len(np.unique(parts)) >= split.folds:
            return parts
    if data.key and not set(data.key) <= set(train):
        return None
    ids = row_ids(identity(train, data))
    return ids if len(np.unique(ids)) < len(ids) else None


def _demand_enough(rows: int, classes: np.ndarray | None, groups: np.ndarray | None, count: int) -> None:
    found = [f"{rows} training rows for {count} folds"] if rows < 2 * count else []
    most = rows // 2
    if groups is not None and (parts := len(np.unique(groups.astype(str)))) < count:
        told = f"{parts} {'group' if parts == 1 else 'groups'} of rows that stay together"
        found.append(f"{told} (by problem.data.group, key or content) for {count} folds")
        most = min(most, parts)
    if classes is not None and rows and (least := int(np.bincount(classes).min())) < count:
        found.append(f"a class with {least} training {'row' if least == 1 else 'rows'} for {count} folds")
        most = min(most, least)
    if found:
        raise TableError("the training rows", found, _fewer(most))


def _fewer(most: int) -> str:
    """Return what to do where the rows do for `most` folds."""
    if most < 2:
        return "Collect more rows: so few cannot be cross-validated."
    return f"Collect more rows, or set problem.split.folds to {most} or fewer."
