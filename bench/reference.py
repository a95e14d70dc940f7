"""What a plain reference reaches on the rows of the last run: ordinal-encoded columns, xgboost as it comes.

Run it after `dvc repro` or `dvc exp run`: it fits on data/prepared/train.parquet and scores data/prepared/test.parquet,
the same rows as the workflow's model, and prints both.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from xgboost import XGBClassifier, XGBRegressor

from mlworkflow.core import io, paths
from mlworkflow.measures import metrics
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.schema import Schema


def inputs(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the inputs as numbers and words; times as words, as an encoder without a calendar takes them."""
    times = [*schema.with_role("time"), *(column.name for column in schema.inputs if column.kind == "time")]
    names = dict.fromkeys([*schema.names, *times])
    return table[list(names)].assign(**{name: table[name].astype("str") for name in times})


def reference(train: pd.DataFrame, test: pd.DataFrame, schema: Schema) -> Scored:
    """Return what the reference says of the test rows."""
    words = [name for name in inputs(train, schema) if not pd.api.types.is_numeric_dtype(inputs(train, schema)[name])]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    from sklearn.compose import make_column_transformer

    columns = make_column_transformer((encoder, words), remainder="passthrough")
    model = XGBClassifier(random_state=0) if schema.classes else XGBRegressor(random_state=0)
    fitted = make_pipeline(columns, model).fit(inputs(train, schema), train[schema.target])
    truth = test[schema.target].to_numpy()
    if not schema.classes:
        return Scored(truth, fitted.predict(inputs(test, schema)).astype(float), None, columns=len(schema.names))
    said = fitted.predict_proba(inputs(test, schema)).astype(float)
    return Scored(truth, said.argmax(axis=1), said / said.sum(axis=1, keepdims=True))


def main() -> None:
    """Print the primary metric of both on the test rows."""
    schema = Schema.from_dict(io.read_json(paths.SCHEMA))
    told, tested = io.read_json(paths.DECISION), io.read_json(paths.TEST_METRICS)
    scored = reference(io.read_table(paths.TRAIN_ROWS), io.read_table(paths.TEST_ROWS), schema)
    name = told["primary"]
    theirs = metrics.score([name], scored)[name]
    print(f"{name} on {len(scored):,} test rows: model {told['model']} {tested[name]:.5g}, reference {theirs:.5g}")


if __name__ == "__main__":
    main()
