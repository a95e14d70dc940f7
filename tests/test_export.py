"""A bundle in the forms that others take: each is checked by the field's own tool, or run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
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
from bench.bundles import packed

from mlworkflow.api.keys import hash_of
from mlworkflow.exporting import folder as exported
from mlworkflow.exporting.subject import ExportError
from mlworkflow.serving import folder
from mlworkflow.serving.bundle import Bundle, load
from tests.conftest import ROOT, mlworkflow
from tests.mlflow_door import mlflow_exported, mlflow_loaded
from tests.servers import free_port
from tests.test_bundle import customers, make, question
from tests.test_models import Model

KINDS = ("docker", "kubernetes", "mlflow", "onnx")


def rows(seed: int = 0) -> pd.DataFrame:
    """Return customers of one country, so that no model needs to know it."""
    return customers(seed=seed).assign(country="DE")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("run")
    with contextlib.chdir(root):
        make(question(), rows())
    return root / "models/bundle"


@pytest.fixture(scope="module")
def without_onnx(bundle, tmp_path_factory) -> Path:
    """The same bundle, as it is where the pipeline could not be converted."""
    manifest, files = folder.read(bundle)
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "packages")}
    place = tmp_path_factory.mktemp("skops") / "bundle"
    del files["model.onnx"]
    folder.write(place, files, {**about, "onnx": {"left_out": "it hashes texts"}})
    return place


def export(kind: str, bundle: Path, out: Path, *more: str, code: int = 0) -> str:
    return mlworkflow(ROOT, "export", kind, "--bundle", str(bundle), "-o", str(out), *more, code=code)


def files(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def image(bundle, tmp_path_factory) -> Path:
    """The folder that `docker build` is given."""
    out = tmp_path_factory.mktemp("docker") / "image"
    export("docker", bundle, out)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_tells_what_to_type_and_is_the_same_each_time(kind, bundle, tmp_path):
    told = export(kind, bundle, tmp_path / "out")
    first = files(tmp_path / "out")
    assert "Type next:\n" in told.replace(str(tmp_path), ".")
    assert max(map(len, told.replace(str(tmp_path), ".").splitlines())) <= 80
    export(kind, bundle, tmp_path / "out")
    assert files(tmp_path / "out") == first
    assert os.listdir(tmp_path) == ["out"]


def test_hadolint_finds_nothing_in_the_dockerfile(image, tmp_path):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, image / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text((image / "Dockerfile").read_text().replace("--no-cache-dir ", ""))
    assert subprocess.run([hadolint, tmp_path / "Dockerfile"], capture_output=True, check=False).returncode == 1


def test_all_that_the_image_copies_is_in_its_folder_and_nothing_else_reaches_it(image):
    dockerfile = (image / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (\w\S*) ", dockerfile, re.MULTILINE)
    assert sorted(copied) == ["bundle", "requirements.lock", "src"]
    allowed = [line[1:] for line in (image / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(allowed) == sorted(copied)
    assert (image / "requirements.lock").read_bytes() == (ROOT / "requirements-serve.lock").read_bytes()
    assert dockerfile.rindex("USER 10001:10001") > dockerfile.rindex("RUN")
    folder.read(image / "bundle")


def test_without_an_onnx_file_the_image_holds_all_packages(without_onnx, tmp_path):
    export("docker", without_onnx, tmp_path / "out")
    assert (tmp_path / "out/requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()


def command_of(image: Path, word: str) -> list[str]:
    """Return what the Dockerfile has after ENTRYPOINT or CMD."""
    text = (image / "Dockerfile").read_text().replace("\\\n", " ")
    return json.loads(re.findall(rf"^{word} (\[.*\])$", text, re.MULTILINE)[-1])


def environment_of(image: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "PYTHONPATH": str(image / "src"), "PYTHONDONTWRITEBYTECODE": "1", **more}


def test_what_the_image_runs_serves_healthily_and_not_without_keys(image):
    command = [*command_of(image, "ENTRYPOINT"), *command_of(image, "CMD")]
    refused = subprocess.run(
        command, cwd=image, env=environment_of(image), capture_output=True, text=True, check=False, timeout=30
    )
    assert refused.returncode == 1
    assert "keys must be asked for" in refused.stderr
    port = str(free_port())
    env = environment_of(image, MLWORKFLOW_KEYS=f"me {hash_of('secret')}")
    here = ["--host", "127.0.0.1", "--port", port]  # of options given twice the last holds
    text = (image / "Dockerfile").read_text().replace("\\\n", " ")
    check = json.loads(
        re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", text, re.MULTILINE)[0].replace(":8000/", f":{port}/")
    )
    process = subprocess.Popen([*command, *here], cwd=image, env=env, stdout=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 30
        while subprocess.run(check, env=env, capture_output=True, check=False).returncode:
            assert time.monotonic() < end
        assert (image / "log").is_dir()
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
        shutil.rmtree(image / "log")
    assert process.returncode == 0
    assert "asked for" in said
    assert subprocess.run(check, env=env, capture_output=True, check=False).returncode == 1


def objects(out: Path) -> dict[str, dict]:
    found = [yaml.safe_load(path.read_text()) for path in sorted(out.glob("*.yaml"))]
    return {one["kind"]: one for one in found}


def test_kubernetes_takes_the_objects_and_they_belong_together(bundle, tmp_path):
    export("kubernetes", bundle, tmp_path / "out", "--image", "registry.example/churn:v1.0.0")
    found = objects(tmp_path / "out")
    assert sorted(found) == [
        "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Service"
    ]  # fmt: skip
    for one in found.values():
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    pod = found["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]
    assert container["image"] == "registry.example/churn:v1.0.0"
    chosen = found["Deployment"]["spec"]["selector"]["matchLabels"]
    assert chosen.items() <= pod["metadata"]["labels"].items()
    assert found["Service"]["spec"]["selector"] == chosen
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == chosen
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == chosen
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["spec"]["volumes"]}


def test_a_pod_has_no_right_that_it_does_not_need(bundle, tmp_path):
    export("kubernetes", bundle, tmp_path / "out")
    pod = objects(tmp_path / "out")["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys() & container["resources"]["requests"].keys()


def test_the_validator_would_find_a_misspelt_field(bundle, tmp_path):
    export("kubernetes", bundle, tmp_path / "out")
    one = objects(tmp_path / "out")["Deployment"]
    one["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("backend", ["onnx", "skops"])
def test_mlflow_gives_the_numbers_of_the_bundle_to_the_last_bit(bundle, backend):
    table = rows(1).rename(index=lambda row: row + 7)
    said = mlflow_loaded(bundle, backend).predict(table)
    pd.testing.assert_frame_equal(said, load(bundle, backend=backend).predict(table), check_exact=True)
    assert said.index[0] == 7


def test_mlflow_takes_whole_numbers_and_missing_values_and_rows_without_what_they_may_lack(bundle):
    whole = pd.DataFrame({"age": [31, 52], "paid": [50, 60], "plan": ["basic", None], "since": "2024-02-01"})
    whole["country"] = ["DE", None]
    lacking = pd.DataFrame({"age": [31.0, None], "paid": [None, 60.0], "plan": [None, None], "since": [None, None]})
    model, here = mlflow_loaded(bundle), load(bundle)
    for table in (whole, lacking):
        plain = table.astype("object").where(table.notna(), None).to_dict("records")
        expected = [one["probabilities"]["yes"] for one in here.model.predict(plain)]
        assert model.predict(table)["probability_yes"].tolist() == expected
    optional = [one.name for one in here.model.fields.all if not one.required]
    assert optional == ["country"]
    assert model.predict(whole.drop(columns=optional)).equals(model.predict(whole))


def test_mlflow_takes_a_bundle_without_onnx_with_texts_and_names_what_it_lacks(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.integers(18, 80, 80), "code": rng.integers(1, 4, 80)}).astype("str")
    words = ["late", "again", "the", "bill", "was", "wrong", "about", "it", "thanks", "all", "of", "you"]
    table["note"] = [" ".join(rng.choice(words, 6)) for _ in range(80)]
    table["left"] = np.where(table["note"].str.contains("late"), "yes", "no")
    problem = question(hidden=[], time=None, key=[], ranges={}, kinds={"code": "category", "note": "text"}).model_copy(
        update={"features": []}
    )
    packed(tmp_path / "bundle", problem, Model.model_validate(MODEL), table)
    bundle, model = load(tmp_path / "bundle"), mlflow_loaded(tmp_path / "bundle")
    assert bundle.model.backend == "skops"
    asked = table.drop(columns="left").astype({"age": "int64", "code": "int64"})
    asked.loc[0, "note"] = None
    pd.testing.assert_frame_equal(model.predict(asked), bundle.predict(asked), check_exact=True)
    assert "scikit-learn==" in (mlflow_exported(tmp_path / "bundle") / "requirements.txt").read_text()
    with pytest.raises(Exception, match=r"missing inputs \['note'\]"):
        model.predict(asked.drop(columns="note"))


MODEL = {
    "name": "linear",
    "wants": {"scaling": True},
    "classification": {"_target_": "sklearn.linear_model.LogisticRegression"},
}
ALONE = """
import sys, warnings
warnings.simplefilter("ignore")
for name in ("sklearn", "skops", "dvc", "hydra"):
    sys.modules[name] = None  # as if it were not installed
import mlflow.pyfunc
import pandas as pd
import mlworkflow
from starlette.testclient import TestClient
from mlflow.pyfunc.scoring_server import init
model = mlflow.pyfunc.load_model(sys.argv[1])
print(mlworkflow.__file__)
print(TestClient(init(model)).post("/invocations", json={"dataframe_records": [ROW]}).text)
"""
ROW = {"age": 31, "paid": 52.5, "plan": None, "since": "2024-02-01"}


def test_mlflow_and_its_server_need_only_what_is_in_the_folder_and_no_pickle(bundle):
    place = mlflow_exported(bundle)
    env = {**os.environ, "PYTHONPATH": str(place / "code"), "PYTHONDONTWRITEBYTECODE": "1"}
    script = ALONE.replace("ROW", repr(ROW))
    done = subprocess.run(
        [sys.executable, "-c", script, str(place)],
        cwd=place, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source, answer = done.stdout.splitlines()
    assert source == str(place / "code/mlworkflow/__init__.py")
    said = load(bundle).model.predict([ROW])[0]["probabilities"]["yes"]
    assert json.loads(answer)["predictions"][0]["probability_yes"] == said
    assert not [path for path in place.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_onnxruntime_alone_gives_the_probabilities_by_what_the_json_tells(bundle, tmp_path):
    export("onnx", bundle, tmp_path / "out")
    about = json.loads((tmp_path / "out/model.json").read_text())
    here = load(bundle)
    table = here.typed(rows(2))
    wide = wider(here, table)
    feed = {}
    for one in about["inputs"]:
        word, values = one["type"] == "string", wide[one["name"]]
        feed[one["name"]] = np.array([[(value or "") if word else value] for value in values.tolist()])
    session = onnxruntime.InferenceSession(tmp_path / "out/model.onnx")
    said = session.run([about["output"]["name"]], feed)[0]
    said = said / said.sum(axis=1, keepdims=True)
    expected = here.predict(rows(2))
    for place, name in enumerate(about["classes"]):
        assert said[:, place].tolist() == expected[f"probability_{name}"].tolist()
    made = {one["name"] for one in about["inputs"] if one["feature"]}
    assert {"paid / age", "since_month"} <= made <= wide.keys() - set(table)
    assert {one["_target_"].split(".")[-1] for one in about["features"]} == {"Ratio", "DateParts", "Cycle"}
    assert about["threshold"]["threshold"] == 0.3
    assert about["ranges"] == {"age": [0, 70]}


def wider(here: Bundle, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns with the features, as the model takes them."""
    from mlworkflow.rows.arrays import Arrays

    return dict(here.model.wider(dict(Arrays(table))))


def test_a_bundle_without_an_onnx_file_says_why_there_is_none(without_onnx, tmp_path):
    told = export("onnx", without_onnx, tmp_path / "out", code=1)
    assert "no ONNX file: it hashes texts" in told
    assert not (tmp_path / "out").exists()


def test_what_somebody_else_made_or_changed_is_never_replaced(bundle, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    export("kubernetes", bundle, out)  # empty: nothing is lost
    assert "an export for kubernetes, not for onnx" in export("onnx", bundle, out, code=1)
    (out / "ingress.yaml").write_text("mine")
    (out / "service.yaml").write_text("changed")
    told = export("kubernetes", bundle, out, code=1)
    assert "ingress.yaml was put there by somebody else" in told
    assert "service.yaml was changed" in told
    assert (out / "service.yaml").read_text() == "changed"
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.txt").write_text("mine")
    assert "is not empty" in export("onnx", bundle, tmp_path / "other", code=1)
    assert "is a file" in export("onnx", bundle, tmp_path / "other/thesis.txt", code=1)
    assert files(tmp_path / "other") == {"thesis.txt": b"mine"}


def test_an_export_that_fails_leaves_the_earlier_one(tmp_path):
    exported.write(tmp_path / "out", "onnx", {"a": b"old"})
    with pytest.raises(Exception, match="could not be written"):
        exported.write(tmp_path / "out", "onnx", {"a": b"new", "a/b": b"no folder"})
    assert (tmp_path / "out/a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]
    (tmp_path / "out" / exported.MARK).write_text("[]")
    with pytest.raises(ExportError, match="cannot be read"):
        exported.write(tmp_path / "out", "onnx", {"a": b"new"})


def test_mistakes_are_told_without_a_traceback(bundle, tmp_path):
    out = tmp_path / "out"
    assert "there is no such folder" in export("docker", tmp_path / "nowhere", out, code=1)
    assert "--image is of kubernetes alone" in export("docker", bundle, out, "--image", "a", code=1)
    assert "no name of an image" in export("kubernetes", bundle, out, "--image", "a b", code=1)
    shutil.copytree(bundle, tmp_path / "damaged")
    (tmp_path / "damaged/model.onnx").write_bytes(b"")
    assert "model.onnx has the SHA-256" in export("onnx", tmp_path / "damaged", out, code=1)
    assert not out.exists()
