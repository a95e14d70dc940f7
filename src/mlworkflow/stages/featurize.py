"""Add the row-wise columns: train and test rows -> data/features/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow import io, paths
from mlworkflow.batches import read_batches, writing
from mlworkflow.features import Feature, add_features, build
from mlworkflow.params import Sections
from mlworkflow.schema import Column, Description, Schema

if TYPE_CHECKING:
    import pandas as pd


def featurize(rows: pd.DataFrame, schema: Schema, features: list[Feature]) -> tuple[pd.DataFrame, Schema]:
    """Return the training rows with their new columns, and the schema that knows them."""
    wide = add_features(rows, features)
    return wide, described([wide], schema)


def described(batches: Iterable[pd.DataFrame], schema: Schema) -> Schema:
    """Return the schema with the new columns of training rows that come in batches, and with what they hold."""
    description = None
    for wide in batches:
        if description is None:
            known = {column.name for column in schema.columns}
            new = [Column(str(name), "number", "input") for name in wide if name not in known]
            description = Description(replace(schema, columns=[*schema.columns, *new]))
        description.add(wide)
    return description.schema() if description else schema


def batches(path: Path, features: list[Feature]) -> Iterator[pd.DataFrame]:
    """Yield the rows of a file with their new columns, in batches.

    Features that look at other rows (`needs_past`) get the table as a whole.
    """
    if any(getattr(feature, "needs_past", False) for feature in features):
        yield add_features(io.read_table(path), features)
    else:
        for rows in read_batches(path):
            yield add_features(rows, features)


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
    wide = described(written(batches(paths.TRAIN_ROWS, features), paths.TRAIN), schema)
    for _ in written(batches(paths.TEST_ROWS, features), paths.TEST):
        pass
    io.write_json(wide.to_dict(), paths.FEATURES)
