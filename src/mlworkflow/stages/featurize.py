"""Add the columns made row by row, and those that look back: train and test rows -> data/features/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.featurelines import build
from mlworkflow.features import Feature, add_features
from mlworkflow.rows import past
from mlworkflow.rows.batches import read_batches, writing
from mlworkflow.rows.describe import Description
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.rows.treatments import of_features

if TYPE_CHECKING:
    import pandas as pd


def featurize(rows: pd.DataFrame, schema: Schema, features: list[Feature]) -> tuple[pd.DataFrame, Schema]:
    """Return the training rows with their new columns, and the schema that knows them."""
    wide = add_features(rows, features, schema.time)
    return wide, described([wide], schema)


def described(batches: Iterable[pd.DataFrame], schema: Schema) -> Schema:
    """Return the schema with the new columns of training rows that come in batches, and with what they hold."""
    description, new = Description(schema), list[Column]()
    for number, wide in enumerate(batches):
        if number == 0:
            known = {column.name for column in schema.columns}
            new = [Column(str(name), "number", "input") for name in wide if name not in known]
            description = Description(replace(schema, columns=[*schema.columns, *new]))
        description.add(wide)
    return of_features(description.schema(), {column.name for column in new})


def featurize_test(test: pd.DataFrame, train: pd.DataFrame, schema: Schema, features: list[Feature]) -> pd.DataFrame:
    """Return the test rows with their new columns; those that look back see the training rows as serving does."""
    return add_features(test, features, schema.time, past.history(train, features, schema.time))


def batches(path: Path, schema: Schema, features: list[Feature], before: Path | None = None) -> Iterator[pd.DataFrame]:
    """Yield the rows of a file with their new columns, in batches.

    Features that look back get the table as a whole, and for test rows the file with the rows `before`.
    """
    if not past.looking_back(features):
        for rows in read_batches(path):
            yield add_features(rows, features, schema.time)
    elif before is None:
        yield add_features(io.read_table(path), features, schema.time)
    else:
        yield featurize_test(io.read_table(path), io.read_table(before), schema, features)


def written(rows: Iterable[pd.DataFrame], path: Path) -> Iterator[pd.DataFrame]:
    """Write batches to a file, whole or not at all, and yield each."""
    with writing(path) as writer:
        for batch in rows:
            writer.add(batch)
            yield batch


def main(sections: Sections) -> None:
    """Write the train and test rows with every feature."""
    schema = Schema.from_dict(io.read_json(paths.SCHEMA))
    features = build([feature.config() for feature in sections.problem.features], schema)
    wide = described(written(batches(paths.TRAIN_ROWS, schema, features), paths.TRAIN), schema)
    for _ in written(batches(paths.TEST_ROWS, schema, features, before=paths.TRAIN_ROWS), paths.TEST):
        pass
    io.write_json(wide.to_dict(), paths.FEATURES)
