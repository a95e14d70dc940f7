"""Errors read as sentences."""

from __future__ import annotations

import pytest

from mlworkflow.checking.recorded import RevisionError
from mlworkflow.core.errors import UnreadableError, nearest
from mlworkflow.origins.api import ApiError
from mlworkflow.origins.functions import FunctionError


@pytest.mark.parametrize(
    "made",
    [
        lambda told: UnreadableError("a.csv", told, "Mend it."),
        lambda told: ApiError("api+https://host", told, "Mend it."),
        lambda told: FunctionError("shop:orders", told),
        lambda told: RevisionError("mian", told, "Mend it."),
    ],
)
def test_a_question_ends_its_sentence_and_so_does_a_point(made):
    assert ", did you mean 'main'? M" in str(made(f"there is none{nearest('mian', ['main'])}"))
    assert "there is none. M" in str(made("there is none"))
    assert "there is none. M" in str(made("there is none."))
