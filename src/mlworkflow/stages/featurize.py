"""Add the row-wise columns: train and test rows -> data/features/."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlworkflow import io, paths
from mlworkflow.features import Feature, add_features, build
from mlworkflow.params import Sections
from mlworkflow.schema import Column, Schema, describe

if TYPE_CHECKING:
    import pandas as pd


def featurize(rows: pd.DataFrame, schema: Schema, features: list[Feature]) -> tuple[pd.DataFrame, Schema]:
    """Return the training rows with their new columns, and the schema that knows them."""
    wide = add_features(rows, features)
    new = [Column(str(name), "number", "input") for name in wide if name not in rows]
    return wide, describe(replace(schema, columns=[*schema.columns, *new]), wide)


def main(sections: Sections) -> None:
    """Write the train and test rows with every feature."""
    schema = Schema.from_dict(io.read_json(paths.SCHEMA))
    features = build([feature.config() for feature in sections.problem.features], schema)
    train, wide = featurize(io.read_table(paths.TRAIN_ROWS), schema, features)
    io.write_table(train, paths.TRAIN)
    io.write_table(add_features(io.read_table(paths.TEST_ROWS), features), paths.TEST)
    io.write_json(wide.to_dict(), paths.FEATURES)
