"""The small table and its problem, used by every test."""

from __future__ import annotations

import pandas as pd
import pytest

from mlworkflow.problem import Problem

QUESTION = {
    "name": "churn",
    "question": "Will the customer leave?",
    "asked_by": "the sales team",
    "task": "binary",
    "source": {"_target_": "mlworkflow.sources.file", "path": "customers.csv"},
    "snapshot": "customers.csv",
    "data": {"target": "left", "positive": "yes", "key": ["customer"]},
    "split": {"folds": 2},
    "metrics": {"primary": "roc_auc", "also": ["accuracy"], "least_gain": 0.01},
    "rights": {"licence": "none", "source": "made up", "personal_data": False},
}


def make_problem(**changes: object) -> Problem:
    """Return the small problem with sections replaced; mappings are merged."""
    values = {
        key: {**QUESTION[key], **change} if isinstance(change, dict) and isinstance(QUESTION.get(key), dict) else change
        for key, change in changes.items()
    }
    return Problem.model_validate({**QUESTION, **values})


@pytest.fixture
def problem() -> Problem:
    return make_problem()


@pytest.fixture
def table() -> pd.DataFrame:
    """Forty customers as they come from a file: words everywhere, a few blanks, one customer twice."""
    rows = [
        {"customer": f"c{number}", "age": str(20 + number), "plan": ("basic", "gold ", "NA")[number % 3], "left": left}
        for number, left in enumerate(["yes", "no", "no", "no"] * 10)
    ]
    rows[5]["age"] = "?"
    return pd.DataFrame([*rows, rows[0]], dtype="str")
