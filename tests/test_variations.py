"""Variations: each is found by its name, and together they hold all that this machine can try."""

import pytest

from mlworkflow.checking.variations import chosen, together, variations
from mlworkflow.core.errors import ProjectError


def test_together_holds_every_variation():
    whole = together()
    for variation in variations().values():
        if variation.needs is None and not variation.name.endswith("thread"):
            assert set(variation.env.items()) <= set(whole.env.items())
            assert set(variation.prefix) <= set(whole.prefix)
    assert (whole.umask, whole.home) == (0o077, True)
    assert whole.env["PYTHONHASHSEED"] == "123"


def test_the_pipeline_as_it_is_comes_first():
    assert [variation.name for variation in chosen(False)] == ["as it is"]
    assert [variation.name for variation in chosen(True)] == ["as it is", *variations()]
    assert [variation.name for variation in chosen(["timezone", "together"])] == ["timezone", "together"]


def test_a_variation_of_another_name_is_refused():
    with pytest.raises(ProjectError, match="there is no 'umask 07', did you mean 'umask 077'"):
        chosen(["umask 07"])
