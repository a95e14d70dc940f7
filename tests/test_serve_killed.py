"""A server that is killed under load: with `--log sync` each id that it answered is in the log."""

from __future__ import annotations

import contextlib

import pytest
from bench.serve_killed import killed

from tests.test_bundle import customers, make, question


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    with contextlib.chdir(root):
        make(question(), customers())
    return root / "models/bundle"


def test_every_id_that_was_answered_is_in_the_log(bundle, tmp_path):
    for seconds in (0.2, 0.5):
        found = killed(bundle, tmp_path, "sync", seconds)
        assert found.answered
        assert found.missing == []
