"""What is exported is what the field's own tools take, and says the same as the bundle to the last bit."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import kubernetes_validate
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import yaml
from bench import bundles

from mlworkflow.api.keys import hash_of
from mlworkflow.exporting import folder as folders
from mlworkflow.exporting.command import Wanted, export
from mlworkflow.exporting.subject import ExportError
from mlworkflow.serving.bundle import load
from tests.conftest import ROOT, environment
from tests.mlflow_door import mlflow_loaded
from tests.servers import free_port

NEIGHBOURS = {
    "name": "neighbours",
    "wants": {"scaling": True},
    "classification": {"_target_": "sklearn.neighbors.KNeighborsClassifier", "n_neighbors": 5},
}
ALONE = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
model.predict(pd.read_pickle(sys.argv[2])).to_pickle(sys.argv[3])
import mlworkflow
print(mlworkflow.__file__)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("onnx") / "bundle"
    bundles.bundle(place, rows=300)
    return place


@pytest.fixture(scope="module")
def without_onnx(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("skops") / "bundle"
    bundles.bundle(place, rows=300, model=NEIGHBOURS)
    return place


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def rows() -> pd.DataFrame:
    """Rows with a missing number, a missing word and a word never seen, and no target."""
    made = bundles.table(20, seed=1).drop(columns="y")
    made.loc[0, "category_0"], made.loc[1, "number_0"], made.loc[2, "category_1"] = None, np.nan, "never seen"
    return made


def said(kind: str, place: Path, bundle: Path, image: str | None = None) -> str:
    return export(Wanted(kind, place, bundle, image=image, here=place.parent))


def array_of(dockerfile: str, word: str) -> list[str]:
    """Return the words of an instruction in its JSON form; the last one of the name."""
    return json.loads(re.findall(rf"^ *{word} (\[.*?\])$", dockerfile.replace("\\\n", ""), re.MULTILINE)[-1])


# Docker


@pytest.mark.parametrize("which", ["bundle", "without_onnx"])
def test_hadolint_finds_nothing_in_the_dockerfile(which, out, request):
    said("docker", out, request.getfixturevalue(which))
    done = subprocess.run(["hadolint", out / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_an_image_is_of_a_user_with_a_number_and_of_locked_packages(bundle, without_onnx, out, tmp_path):
    said("docker", out, bundle)
    text = (out / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert (out / "requirements.lock").read_bytes() == (ROOT / "requirements-serve.lock").read_bytes()
    said("docker", tmp_path / "big", without_onnx)
    assert (tmp_path / "big/requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()


def test_all_that_is_copied_into_an_image_is_in_its_folder(bundle, out):
    said("docker", out, bundle)
    copied = re.findall(r"^COPY (\S+) \S+$", (out / "Dockerfile").read_text(), re.MULTILINE)
    assert sorted(copied) == ["bundle", "requirements.lock", "src"]
    assert all((out / name).exists() for name in copied)
    kept = [line[1:] for line in (out / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(kept) == sorted(copied)


def as_an_image(out: Path, app: Path) -> tuple[list[str], list[str], dict[str, str]]:
    """Lay the files as the image has them; return (the command, its health check, the environment)."""
    for name in ("bundle", "src"):
        shutil.copytree(out / name, app / name)
    (app / "log").mkdir()
    text = (out / "Dockerfile").read_text()
    command = [*array_of(text, "ENTRYPOINT"), *re.findall(r'^CMD \["(.*)", "(.*)"\]$', text, re.MULTILINE)[-1]]
    check = json.loads(re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", text)[-1])
    here = lambda words: [sys.executable if word == "python" else word for word in words]  # noqa: E731
    return here(command), here(check), {**os.environ, "PYTHONPATH": str(app / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_command_of_an_image_serves_and_its_health_check_sees_it(bundle, out, tmp_path):
    said("docker", out, bundle)
    app, port = tmp_path / "app", str(free_port())
    command, check, surroundings = as_an_image(out, app)
    check = [word.replace("8000", port) for word in check]
    assert subprocess.run(check, env=surroundings, capture_output=True, check=False).returncode != 0
    command = [{"8000": port, "0.0.0.0": "127.0.0.1"}.get(word, word) for word in command]
    surroundings["MLWORKFLOW_KEYS"] = f"me {hash_of(secrets.token_urlsafe(32))}"
    server = subprocess.Popen(command, cwd=app, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while (done := subprocess.run(check, env=surroundings, capture_output=True, check=False)).returncode:
            assert server.poll() is None, server.stdout.read()
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.1)
    finally:
        server.terminate()
        told = server.communicate(timeout=60)[0]
    assert server.returncode == 0, told
    assert [path.name for path in (app / "log").iterdir()]
    assert {path.name for path in app.iterdir()} == {"bundle", "src", "log"}


def test_an_image_does_not_start_without_keys(bundle, out, tmp_path):
    said("docker", out, bundle)
    command, _, surroundings = as_an_image(out, tmp_path / "app")
    surroundings.pop("MLWORKFLOW_KEYS", None)
    done = subprocess.run(
        command, cwd=tmp_path / "app", env=surroundings, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "keys must be asked for" in done.stderr
    assert "Traceback" not in done.stderr


# Kubernetes


def objects(place: Path) -> dict[str, dict]:
    found = [yaml.safe_load(path.read_text()) for path in sorted(place.glob("*.yaml"))]
    return {one["kind"]: one for one in found}


@pytest.mark.parametrize("which", ["bundle", "without_onnx"])
def test_kubernetes_takes_every_object_in_strict_mode(which, out, request):
    said("kubernetes", out, request.getfixturevalue(which), image="registry.example/churn:v1.0.0")
    found = objects(out)
    assert set(found) == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"}
    for one in found.values():
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    container = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example/churn:v1.0.0"


def test_a_pod_may_do_no_more_than_it_must(bundle, out):
    said("kubernetes", out, bundle)
    pod = objects(out)["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {*container["resources"]} == {"requests", "limits"}
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}


def test_a_service_and_an_autoscaler_find_the_pods(bundle, out):
    said("kubernetes", out, bundle)
    found = objects(out)
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert found["Service"]["spec"]["selector"].items() <= labels
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels
    target = found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", found["Deployment"]["metadata"]["name"])


def test_the_name_of_an_image_is_checked_and_of_kubernetes_alone(bundle, out):
    with pytest.raises(ExportError, match="'No: image' is no name of an image"):
        said("kubernetes", out, bundle, image="No: image")
    with pytest.raises(ExportError, match="--image is of kubernetes alone"):
        said("docker", out, bundle, image="churn:v1")
    assert not out.exists()


# MLflow


@pytest.mark.parametrize("backend", ["onnx", "skops"])
def test_mlflow_says_what_the_bundle_says_to_the_last_bit(backend, bundle, rows):
    expected = load(bundle, backend=backend).predict(rows)
    pd.testing.assert_frame_equal(mlflow_loaded(bundle, backend).predict(rows), expected, check_exact=True)


def test_mlflow_takes_a_bundle_without_onnx(without_onnx, rows):
    expected = load(without_onnx).predict(rows)
    pd.testing.assert_frame_equal(mlflow_loaded(without_onnx).predict(rows), expected, check_exact=True)


def test_the_folder_of_mlflow_needs_no_other_code_of_the_project(bundle, rows, out, tmp_path):
    said("mlflow", out, bundle)
    rows.to_pickle(tmp_path / "rows")
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, out, tmp_path / "rows", tmp_path / "said"],
        cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == out / "code/mlworkflow/__init__.py"
    pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / "said"), load(bundle).predict(rows), check_exact=True)


def test_whole_numbers_are_taken_by_mlflow_and_a_missing_column_is_not(bundle, rows):
    model = mlflow_loaded(bundle)
    whole = rows.assign(number_0=list(range(len(rows))))
    pd.testing.assert_frame_equal(model.predict(whole), load(bundle).predict(whole), check_exact=True)
    with pytest.raises(Exception, match="number_3"):
        model.predict(rows.drop(columns="number_3"))


def test_a_damaged_bundle_is_not_loaded_by_mlflow(bundle, out):
    import mlflow.pyfunc

    said("mlflow", out, bundle)
    (out / "bundle/threshold.json").write_text("{}")
    with pytest.raises(Exception, match=r"threshold\.json has the SHA-256"):
        mlflow.pyfunc.load_model(str(out))


# ONNX


def test_onnxruntime_alone_says_what_the_bundle_says(bundle, out):
    said("onnx", out, bundle)
    about = json.loads((out / "model.json").read_text())
    table = bundles.table(20, seed=1).drop(columns="y")
    session = onnxruntime.InferenceSession(out / "model.onnx")
    asked = {
        one["name"]: table[one["name"]].fillna("").to_numpy(object).reshape(-1, 1)
        if "string" in str(one["type"])
        else table[one["name"]].to_numpy(kind(session, one["name"])).reshape(-1, 1)
        for one in about["inputs"]
    }
    output = session.run([about["output"]["name"]], asked)[0].astype(float)
    probabilities = output / output.sum(axis=1, keepdims=True)
    expected = load(bundle, backend="onnx").predict(table)
    names = [f"probability_{name}" for name in about["classes"]]
    np.testing.assert_allclose(probabilities, expected[names].to_numpy(), rtol=0, atol=1e-7)
    assert about["threshold"]["threshold"] == 0.5


def kind(session: onnxruntime.InferenceSession, name: str) -> str:
    found = next(one.type for one in session.get_inputs() if one.name == name)
    return {"tensor(float)": "float32", "tensor(double)": "float64"}[found]


def test_a_bundle_without_onnx_says_why_there_is_none(without_onnx, out):
    with pytest.raises(ExportError, match="the bundle has no ONNX file: .*neighbours"):
        said("onnx", out, without_onnx)
    assert not out.exists()


# The folder


@pytest.mark.parametrize("kind", ["docker", "kubernetes", "mlflow", "onnx"])
def test_an_export_is_made_anew_with_the_same_bytes_and_ends_with_lines_to_type(kind, bundle, out):
    content = lambda: {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}  # noqa: E731
    told = said(kind, out, bundle)
    first = content()
    assert said(kind, out, bundle) == told
    assert content() == first
    assert "Type next:\n  " in told
    assert "out" in told.splitlines()[0]


def test_what_somebody_else_put_there_is_not_touched(bundle, out):
    out.mkdir()
    (out / "thesis.txt").write_text("my only copy")
    with pytest.raises(ExportError, match=r"out is not empty, and no `mlworkflow export onnx` made it"):
        said("onnx", out, bundle)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_an_export_that_was_changed_is_not_touched_and_all_changes_are_told(bundle, out):
    said("kubernetes", out, bundle)
    (out / "service.yaml").write_text("mine")
    (out / "ingress.yaml").write_text("mine too")
    with pytest.raises(ExportError, match=r"(?s)ingress\.yaml was put there.*service\.yaml was changed"):
        said("kubernetes", out, bundle)
    assert (out / "service.yaml").read_text() == "mine"


def test_an_export_of_another_form_is_not_replaced(bundle, out):
    said("onnx", out, bundle)
    with pytest.raises(ExportError, match="is an export for onnx, not for docker"):
        said("docker", out, bundle)


def test_nothing_is_left_of_an_export_that_could_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="file is a file"):
        folders.write(tmp_path / "file", "onnx", {"a": b""})
    with pytest.raises(TypeError):
        folders.write(tmp_path / "out", "onnx", {"a": b"whole", "b": "no bytes"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_damaged_bundle_is_not_exported_and_the_command_says_so(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "bundle")
    (tmp_path / "bundle/card.md").write_text("changed")
    done = subprocess.run(
        [sys.executable, "-m", "mlworkflow.cli", "export", "docker", "--bundle", tmp_path / "bundle", "-o", tmp_path / "x"],
        cwd=ROOT, env=environment(ROOT), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "card.md has the SHA-256" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()
