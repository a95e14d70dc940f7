"""A running server follows its stage: release, release, rollback, release, and no request fails meanwhile."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from bench.serve_killed import Load, Server, body_of, serving

from mlworkflow.serving import folder
from tests.conftest import mlworkflow
from tests.released import recorded
from tests.test_bundle import customers, make, question

STEADY = 40  # answers in a row of one version: the workers have taken it up, or nearly all of them


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("run")
    with contextlib.chdir(root):
        make(question(), customers())
    return root / "models/bundle"


def model(root: Path, built: Path, name: str, **spoiled: bytes) -> None:
    """Leave a model of this name as a run's result, with spoiled files perhaps, and commit it."""
    manifest, files = folder.read(built)
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "packages")}
    files |= {f"{stem}.json": content for stem, content in spoiled.items()}
    folder.write(root / "models/bundle", files, {**about, "model": name})
    recorded(root, name)


def served(server: Server) -> dict[str, Any]:
    """Return what the worker that takes this question serves: another one may be a moment behind."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/model", timeout=5) as answer:
        return json.load(answer)


def await_version(asking: Load, server: Server, version: str, name: str) -> None:
    """Wait until answers are of this version alone, and demand that its bundle is the one that answers."""
    end = time.monotonic() + 30
    while set(asking.versions[-STEADY:]) != {version}:
        assert time.monotonic() < end, f"{version} does not serve, but {asking.versions[-STEADY:]}"
        time.sleep(0.05)
    while (serves := served(server))["version"] != version:
        assert time.monotonic() < end, f"a worker still serves {serves['version']}, not {version}"
        time.sleep(0.05)
    assert serves["manifest"]["model"] == name


def test_a_running_server_follows_each_release_and_no_request_fails(repository, built):
    model(repository, built, "A")
    mlworkflow(repository, "release")
    options = ("--stage", "prod", "--workers", 2)
    with serving(repository, *options) as server, Load(server.port, body_of(built)).running(4, 0.01) as asking:
        await_version(asking, server, "v1.0.0", "A")
        model(repository, built, "B")
        mlworkflow(repository, "release")
        await_version(asking, server, "v1.1.0", "B")
        mlworkflow(repository, "rollback", "--because", "B is slow")
        await_version(asking, server, "v1.0.0", "A")
        model(repository, built, "C")
        mlworkflow(repository, "release")
        await_version(asking, server, "v1.2.0", "C")
    assert (asking.refused, asking.broken) == ([], [])
    assert len(asking.ids) > 4 * STEADY


def test_a_release_that_cannot_be_loaded_leaves_the_old_one_serving(repository, built, capfd):
    model(repository, built, "A")
    mlworkflow(repository, "release")
    with serving(repository, "--stage", "prod") as server, Load(server.port, body_of(built)).running(2, 0.01) as asking:
        model(repository, built, "bad", schema=b"{}")
        mlworkflow(repository, "release")
        told, end = "", time.monotonic() + 30
        while "v1.1.0 was not taken up, v1.0.0 serves on" not in told:
            assert time.monotonic() < end, told
            told += capfd.readouterr().err
            time.sleep(0.05)
        model(repository, built, "C")
        mlworkflow(repository, "release")
        await_version(asking, server, "v1.2.0", "C")
    assert set(asking.versions) == {"v1.0.0", "v1.2.0"}
    assert (asking.refused, asking.broken) == ([], [])
