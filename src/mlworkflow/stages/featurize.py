"""Add the columns made row by row, and those that look back: train and test rows -> data/features/."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlworkflow import io, past, paths
from mlworkflow.features import Feature, add_features, build
from mlworkflow.params import Sections
from mlworkflow.schema import Column, Schema, describe
from mlworkflow.treatments import of_features

if TYPE_CHECKING:
    import pandas as pd


def featurize(rows: pd.DataFrame, schema: Schema, features: list[Feature]) -> tuple[pd.DataFrame, Schema]:
    """Return the training rows with their new columns, and the schema that knows them."""
    wide = add_features(rows, features, schema.time)
    new = [Column(str(name), "number", "input") for name in wide if name not in rows]
    told = describe(replace(schema, columns=[*schema.columns, *new]), wide)
    return wide, of_features(told, {column.name for column in new})


def featurize_test(test: pd.DataFrame, train: pd.DataFrame, schema: Schema, features: list[Feature]) -> pd.DataFrame:
    """Return the test rows with their new columns; those that look back see the training rows as serving does."""
    return add_features(test, features, schema.time, past.history(train, features, schema.time))


def main(sections: Sections) -> None:
    """Write the train and test rows with every feature."""
    schema = Schema.from_dict(io.read_json(paths.SCHEMA))
    features = build([feature.config() for feature in sections.problem.features], schema)
    rows = io.read_table(paths.TRAIN_ROWS)
    train, wide = featurize(rows, schema, features)
    io.write_table(train, paths.TRAIN)
    io.write_table(featurize_test(io.read_table(paths.TEST_ROWS), rows, schema, features), paths.TEST)
    io.write_json(wide.to_dict(), paths.FEATURES)
