"""The bundle: whole, the same bytes each time, and never loaded when a file is not the one of the manifest."""

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ConfError, DamagedBundleError, TableError, UnreadableError, UnwritableError
from mlworkflow.core.params import Model, Sections
from mlworkflow.core.problem import ColumnRule
from mlworkflow.featurelines import build, demand_own
from mlworkflow.judging.predicted import predictions
from mlworkflow.learning import modelfile
from mlworkflow.learning.crossval import fit, rows_of
from mlworkflow.learning.models import inputs, pipeline, probabilities
from mlworkflow.measures.metrics import Scored
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows.possible import possible
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.runtime.fields import Field, Fields
from mlworkflow.serving.bundle import Bundle, load
from mlworkflow.serving.folder import FILES, HISTORY, MANIFEST, ONNX, PROMISE, SAMPLE, read, replacing_folder
from mlworkflow.stages import featurize, monitor, package
from tests.conftest import make_problem

MODEL = Model.model_validate(
    {
        "name": "linear",
        "wants": {"scaling": True},
        "classification": {"_target_": "sklearn.linear_model.LogisticRegression"},
        "regression": {"_target_": "sklearn.linear_model.Ridge"},
        "clustering": {"_target_": "sklearn.cluster.KMeans", "n_clusters": 2, "n_init": 1, "random_state": 0},
    }
)
RATIO = {"_target_": "mlworkflow.features.Ratio", "over": "paid", "under": "age"}
DECISION = {"verdict": "better than the baseline", "good_enough": False, "simplest_adequate": "linear"}
FOUND = {
    "importance": [{"column": "paid", "drop": 0.1}],
    "rows": {"train": 30, "test": 10},
    "slices": [{"column": "plan", "slice": "a|b", "rows": 9, "value": 0.5, "gap": 0.1, "too_small": False}],
    "against": {"majority": {"value": 0.2, "low": 0.1, "high": 0.3}},
    "calibration": None,
    "fit": {"words": "no sign of overfitting"},
}


def customers(count=60, seed=0):
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, count)
    return pd.DataFrame(
        {
            "customer": [f"c{number}" for number in range(count)],
            "age": np.where(random.random(count) < 0.1, "?", age.astype(str)),
            "paid": random.normal(50, 10, count).round(2).astype(str),
            "plan": random.choice(["basic", "gold ", "NA"], count),
            "since": pd.date_range("2024-01-01", periods=count).strftime("%Y-%m-%d"),
            "left": np.where(age + random.normal(0, 5, count) > 50, "yes", "no"),
            "worth": age * 2.0,
        },
        dtype="str",
    )


def question(task="binary", **data):
    target = {"binary": "left", "regression": "worth"}.get(task)
    hidden = [name for name in ("left", "worth") if name != target]
    return make_problem(
        task=task,
        data={
            "target": target,
            "positive": "yes" if task == "binary" else None,
            "hidden": hidden,
            "time": "since",
            "ranges": {"age": [0, 70]},
            **data,
        },
        features=[RATIO],
        metrics={"primary": {"binary": "roc_auc", "regression": "rmse"}.get(task, "silhouette"), "also": []},
    )


def make(problem, raw):
    """Run what comes before package in the current folder; return the fitted pipeline and its rows."""
    prepared = prepare(raw, problem)
    features = build([feature.config() for feature in problem.features], prepared.schema)
    train, wide = featurize.featurize(prepared.train, prepared.schema, features)
    rows = rows_of(train, wide, problem.task)
    fitted = fit(pipeline(MODEL, wide, problem.task), rows)
    truth = pd.DataFrame({"truth": [0.0] * 0, "prediction": [0.0] * 0})
    if problem.task == "binary":
        said = fitted.predict_proba(rows.table)
        truth = pd.DataFrame({"truth": rows.target, "prediction": said.argmax(axis=1), "probability_1": said[:, 1]})
    io.write_table(train, paths.TRAIN)
    io.write_table(featurize.featurize_test(prepared.test, prepared.train, prepared.schema, features), paths.TEST)
    io.write_json(prepared.schema.to_dict(), paths.SCHEMA)
    io.write_json(wide.to_dict(), paths.FEATURES)
    io.write_bytes(modelfile.dumps(fitted), paths.MODEL)
    io.write_table(truth, paths.OUT_OF_FOLD)
    primary = problem.metrics.primary
    io.write_json({"threshold": 0.3 if problem.task == "binary" else None, "words": "why"}, paths.THRESHOLD)
    io.write_json({primary: 0.8}, paths.CV_METRICS)
    io.write_json({primary: 0.7}, paths.TEST_METRICS)
    ends = {"value": 0.7, "low": 0.6, "high": 0.8}
    bounds = {"method": "bootstrap", "source": "Efron", "level": 0.95, "metrics": {primary: ends}}
    io.write_table(told(fitted, rows, prepared.schema), paths.PREDICTIONS)
    io.write_json(bounds, paths.INTERVALS)
    io.write_json({"random": {primary: 0.5}, "majority": {primary: 0.5}}, paths.BASELINE_METRICS)
    io.write_json({**DECISION, "passed": {"gain_over_baseline": False}}, paths.DECISION)
    io.write_json(FOUND, paths.FINDINGS)
    package.main(sections(problem))
    return fitted, rows


def told(fitted, rows, schema):
    """Return what evaluation/predictions.parquet would hold, here of the training rows."""
    ids = np.arange(len(rows.table))
    if schema.task == "clustering":
        return predictions(ids, Scored(np.zeros((len(ids), 2)), fitted.predict(rows.table)), [])
    said = fitted.predict_proba(rows.table) if schema.classes else None
    labels = fitted.predict(rows.table) if said is None else (said[:, 1] >= 0.3).astype(int)
    return predictions(ids, Scored(rows.target, labels, said), schema.classes)


def sections(problem, **monitoring):
    values = {"seed": 0, "problem": problem.model_dump(by_alias=True), "model": MODEL.model_dump(by_alias=True)}
    return Sections("package", [], values | {"monitor": {"name": "default", **monitoring}})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The whole run once for each task: {task: (folder, fitted pipeline, its rows)}."""
    found = {}
    for task in ("binary", "regression", "clustering"):
        folder = tmp_path_factory.mktemp(task)
        with contextlib.chdir(folder):
            found[task] = (folder, *make(question(task), customers()))
    return found


@pytest.fixture
def enter(built, tmp_path, monkeypatch):
    """Return what enters a copy of the folder of a task."""

    def enter(task):
        folder, *rest = built[task]
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)
        return rest

    return enter


@pytest.fixture
def made(enter):
    return enter("binary")


def test_the_bundle_scores_raw_rows_as_the_fitted_pipeline_scores_its_features(made):
    fitted, rows = made
    raw = customers()
    said = load(paths.BUNDLE, backend="skops").predict(raw)
    keys = io.read_table(paths.TRAIN)["customer"]
    same = said.set_index(raw["customer"]).loc[keys, "probability_yes"]
    assert np.array_equal(same, fitted.predict_proba(rows.table)[:, 1])


@pytest.mark.parametrize(("task", "target"), [("binary", "left"), ("regression", "worth")])
def test_rows_that_look_back_are_scored_as_evaluate_scores_them(task, target, tmp_path, monkeypatch):
    """From the rows of the file and the history in the bundle, to the bit; without the target, from its history."""
    monkeypatch.chdir(tmp_path)
    made = "mlworkflow.features"
    lines = [
        {"_target_": f"{made}.Lag", "column": "paid", "by": "plan"},
        {"_target_": f"{made}.Rolling", "column": "age", "window": 4, "by": "plan"},
        {"_target_": f"{made}.Rolling", "column": target, "window": 5},
        {"_target_": f"{made}.Lag", "column": target, "steps": 2, "by": "customer"},
    ]
    problem = make_problem(
        **question(task).model_dump(by_alias=True) | {"features": lines, "split": {"scheme": "time"}}
    )
    raw = customers(120).assign(since=customers(120)["since"].iloc[np.arange(120) // 2 * 2].to_numpy())
    fitted, _ = make(problem, raw)
    prepared = prepare(raw, problem)
    wide = Schema.from_dict(io.read_json(paths.FEATURES))
    features = build(lines, prepared.schema)
    test = featurize.featurize_test(prepared.test, prepared.train, prepared.schema, features)
    assert test.filter(like="of the last").notna().to_numpy().mean() > 0.7  # a third has no plan
    rows = inputs(test, wide)
    rows_of_file = raw.set_index("customer").loc[prepared.test["customer"]].reset_index()
    said = load(paths.BUNDLE, backend="skops").predict(rows_of_file)
    if task == "binary":
        assert np.array_equal(said["probability_yes"], probabilities(fitted, rows)[:, 1])
    else:
        assert np.array_equal(said["prediction"], fitted.predict(rows))
    first = load(paths.BUNDLE, backend="skops").predict(rows_of_file.drop(columns=target))
    assert said.iloc[0].equals(first.iloc[0])
    assert not said.equals(first)


def test_what_features_go_by_must_be_in_the_rows_and_the_history_names_no_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = {"_target_": "mlworkflow.features.Lag", "column": "paid", "by": "customer"}
    problem = make_problem(**question().model_dump(by_alias=True) | {"features": [line], "split": {"scheme": "time"}})
    make(problem, customers())
    with pytest.raises(TableError, match="'customer' is missing"):
        load(paths.BUNDLE).predict(customers().drop(columns="customer"))
    kept = io.table_of((paths.BUNDLE / HISTORY).read_bytes())
    assert len(kept) > 20
    assert "c0" not in kept.astype(str).to_numpy()


def test_the_threshold_decides_the_class(made):
    said = load(paths.BUNDLE).predict(customers())
    assert (said["prediction"] == np.where(said["probability_yes"] >= 0.3, "yes", "no")).all()
    assert said["probability_yes"].between(0.3, 0.5).any()


@pytest.mark.parametrize("task", ["regression", "clustering"])
def test_values_and_clusters_are_predicted_without_probabilities(task, enter):
    enter(task)
    said = load(paths.BUNDLE).predict(customers())
    assert list(said) == ["prediction"]
    assert len(said) == 60


def test_the_same_inputs_give_the_same_bytes(made, tmp_path):
    first = read(paths.BUNDLE)
    package.main(sections(question()))
    assert read(paths.BUNDLE) == first


def test_no_file_beside_those_of_the_bundle_is_left(made):
    assert sorted(path.name for path in paths.BUNDLE.iterdir()) == sorted([*FILES, ONNX, PROMISE, SAMPLE, MANIFEST])
    assert [path.name for path in paths.BUNDLE.parent.iterdir() if path.name.startswith(".")] == []


def test_the_manifest_names_the_problem_and_the_versions(made):
    manifest, _ = read(paths.BUNDLE)
    assert (manifest["problem"], manifest["task"], manifest["model"]) == ("churn", "binary", "linear")
    assert {"numpy", "onnxruntime", "scikit-learn", "skops", "pandas", "xgboost"} == set(manifest["packages"])
    assert load(paths.BUNDLE).other_versions() == []


def test_another_version_of_a_package_is_told(made):
    bundle = load(paths.BUNDLE)
    bundle.manifest["packages"]["numpy"] = "1.0"
    assert "1.0 in training" in bundle.other_versions()[0]


def damage(name, content):
    (paths.BUNDLE / name).write_bytes(content)


def test_every_damaged_missing_and_extra_file_is_named_and_nothing_is_loaded(made, monkeypatch):
    damage("profile.json", b"{}")
    damage("extra.pkl", b"")
    (paths.BUNDLE / "card.md").unlink()
    monkeypatch.setattr(modelfile, "loads", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(DamagedBundleError) as caught:
        load(paths.BUNDLE)
    for line in ("card.md is missing", "extra.pkl is not in the manifest", "profile.json has the SHA-256"):
        assert line in str(caught.value)


def test_a_changed_bit_of_the_pipeline_is_refused(made):
    content = bytearray((paths.BUNDLE / "pipeline.skops").read_bytes())
    content[len(content) // 2] ^= 1
    damage("pipeline.skops", bytes(content))
    with pytest.raises(DamagedBundleError, match=r"pipeline\.skops has the SHA-256"):
        load(paths.BUNDLE)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "is no JSON"), (b"[]", "of format 2"), (b'{"format": 1}', "of format 2"), (b'{"format": 2}', "must have")],
)
def test_a_manifest_that_is_none_is_refused(made, content, words):
    damage(MANIFEST, content)
    with pytest.raises(DamagedBundleError, match=words):
        load(paths.BUNDLE)


NO_OBJECTS = [b"null", b"[]", b"{", b"\xff", b"PAR1"]


@pytest.mark.parametrize(
    ("name", "content"),
    [*product(["threshold.json", "promise.json", "sample.parquet"], NO_OBJECTS), ("threshold.json", b"{}")],
)
def test_a_file_that_the_manifest_names_and_that_cannot_be_read_is_named(made, name, content):
    damage(name, content)
    manifest = json.loads((paths.BUNDLE / MANIFEST).read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    damage(MANIFEST, json.dumps(manifest).encode())
    with pytest.raises(DamagedBundleError, match=name.replace(".", r"\.")):
        watch()


def test_no_manifest_and_no_folder_are_told_apart(made):
    (paths.BUNDLE / MANIFEST).unlink()
    with pytest.raises(DamagedBundleError, match=r"manifest\.json is missing"):
        load(paths.BUNDLE)
    with pytest.raises(UnreadableError, match="no such folder"):
        load(Path("nowhere"))


@pytest.mark.parametrize("target", ["os.system", "mlworkflow.core.io.write_text", "mlworkflow.features.np.load"])
def test_a_feature_that_is_other_code_is_neither_packed_nor_loaded(target):
    with pytest.raises(ConfError, match=f"{target} is no class of"):
        demand_own([{"_target_": "mlworkflow.features.Bins", "edges": [{"_target_": target}]}])


def test_impossible_values_are_missing_as_they_were_in_training(made):
    raw = customers().assign(age="99999")
    missing = customers().assign(age="")
    bundle = load(paths.BUNDLE)
    pd.testing.assert_frame_equal(bundle.predict(raw), bundle.predict(missing))
    problem = question()
    prepared = prepare(customers(), problem)
    whole = pd.concat([prepared.train, prepared.test])
    assert whole["age"].max() <= 70 < customers()["age"].replace("?", "0").astype(int).max()
    again = bundle.typed(customers()).set_index(customers()["customer"])["age"].loc[whole["customer"]]
    assert np.array_equal(again, whole["age"], equal_nan=True)


def test_infinite_numbers_are_missing():
    assert possible(pd.DataFrame({"a": [np.inf, -np.inf, 1.0]}), {})["a"].isna().tolist() == [True, True, False]


def test_all_missing_columns_are_named_with_the_nearest(made):
    rows = customers().rename(columns={"age": "agee", "plan": "Plan"})
    with pytest.raises(TableError) as caught:
        load(paths.BUNDLE).predict(rows)
    assert "'age' is missing, did you mean 'agee'?" in str(caught.value)
    assert "'plan' is missing, did you mean 'Plan'?" in str(caught.value)


def test_not_one_of_many_missing_columns_is_left_out(made):
    bundle = load(paths.BUNDLE)
    many = [Field(f"c{number:02}", "number") for number in range(30)]
    schema = replace(bundle.schema, columns=[Column(one.name, "number", "input") for one in many])
    with pytest.raises(TableError) as caught:
        Bundle(replace(bundle.model, fields=Fields(many, schema))).typed(customers())
    assert all(f"'{one.name}' is missing" in str(caught.value) for one in many)


def test_no_rows_give_no_predictions(made):
    said = load(paths.BUNDLE).predict(customers()[:0])
    assert list(said) == ["prediction", "probability_no", "probability_yes"]
    assert len(said) == 0


def test_a_folder_that_cannot_be_written_stays_as_it_was(made, monkeypatch):
    first = read(paths.BUNDLE)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UnwritableError, match="No space left"):
            package.main(sections(question()))
    assert read(paths.BUNDLE) == first
    assert [path.name for path in Path("models").iterdir() if path.name.startswith(".")] == []


def test_a_failure_while_the_folders_change_places_brings_the_old_one_back(tmp_path, monkeypatch):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "old").touch()
    rename = Path.rename

    def fails(self, target):
        if self.name.endswith(".tmp"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(UnwritableError), replacing_folder(folder):
        pass
    assert (folder / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_a_killed_run_left_is_cleared(tmp_path):
    (tmp_path / ".bundle.1.tmp").mkdir()
    with replacing_folder(tmp_path / "bundle"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_the_card_tells_use_metrics_baselines_limits_and_rights(made):
    card = (paths.BUNDLE / "card.md").read_text(encoding="utf-8")
    for said in (
        "Will the customer leave?",
        "the sales team",
        "| roc_auc ↑ | 0.8 | 0.7 | 0.6 to 0.8 |",
        "| majority | 0.5 | 0.2 | 0.1 to 0.3 |",
        "a\\|b",
        "gain over baseline",
        "Personal data: no",
        "`worth`",
    ):
        assert said in card
    assert "`since`" not in card


def test_the_card_tells_which_rows_were_added_when_the_model_was_fitted(made):
    given = sections(question())
    given._values["augment"] = {"name": "noise", "rows": {"_target_": "mlworkflow.learning.augment.Noise"}}
    assert "Rows added" not in (paths.BUNDLE / "card.md").read_text(encoding="utf-8")
    package.main(given)
    card = (paths.BUNDLE / "card.md").read_text(encoding="utf-8")
    assert "- Rows added when it was fitted: noise (`mlworkflow.learning.augment.Noise`)" in card


def test_the_profile_knows_inputs_and_predictions(made):
    profile = json.loads((paths.BUNDLE / "profile.json").read_text())
    assert list(profile["columns"]) == ["age", "paid", "plan"]
    assert profile["predictions"]["kind"] == "number"


def watch(**changes):
    monitor.main(sections(question(), **changes))
    return io.read_json(paths.DRIFT), paths.MONITOR_PAGE.read_text(encoding="utf-8")


def batch(name, rows):
    io.write_table(rows, paths.PRODUCTION / name)


def test_without_batches_the_monitor_says_so(made):
    told, page = watch()
    assert (told["rows"], told["columns"], told["drifted"], told["alarms"]) == (0, 0, 0, 0)
    assert {told[name] for name in ("worst_psi", "worst_column", "prediction_psi", "performance")} == {None}
    assert "There are no new rows" in page


def test_rows_like_those_of_training_are_quiet_and_moved_ones_are_not(made):
    batch("one.csv", customers(200, seed=1).drop(columns="left"))
    batch("later/two.parquet", customers(200, seed=2).drop(columns="left"))
    told, page = watch()
    assert (told["rows"], told["columns"], told["drifted"]) == (400, 3, 0)
    assert "holds categories that training never saw" not in page
    batch("three.csv", customers(4000, seed=3).assign(plan="silver"))
    told, page = watch()
    assert told["alarms"] >= 1
    assert told["prediction_psi"] is not None
    assert "plan holds categories that training never saw in 100% of its values: &#39;silver&#39;" in page


def test_outcomes_in_a_file_tell_how_good_the_model_is(made):
    batch("one.csv", customers(400, seed=1))
    told, page = watch()
    assert told["labelled"] == 400
    right = load(paths.BUNDLE).predict(customers(400, seed=1))["probability_yes"]
    assert told["performance"] == pytest.approx(roc_auc_score(customers(400, seed=1)["left"] == "yes", right))
    assert "It holds while probabilities mean what they say" in page
    batch("two.csv", customers(400, seed=2).assign(left=lambda rows: rows["left"].map({"yes": "no", "no": "yes"})))
    told, page = watch()
    assert "performance/roc_auc" in page
    assert told["performance"] < 0.5


def test_rows_that_break_the_contract_are_an_alarm(made):
    batch("one.csv", customers(200, seed=1).assign(plan="silver"))
    rules = {"plan": {"kind": "category", "values": ["basic", "gold", "NA"]}}
    told_problem = question().model_copy(update={"contract": {"plan": ColumnRule.model_validate(rules["plan"])}})
    monitor.main(sections(told_problem))
    page = paths.MONITOR_PAGE.read_text(encoding="utf-8")
    assert "the rows break the contract: &#39;plan&#39; must" in page


def test_outcomes_that_the_model_does_not_know_are_said(made):
    batch("one.csv", customers(200, seed=1).assign(left="alien"))
    told, page = watch()
    assert told["labelled"] == 0
    assert "200 outcomes of one.csv are none that the model knows" in page


def test_a_file_whose_name_is_no_utf_8_is_looked_at(made):
    batch("one.csv", customers(60, seed=1))
    (paths.PRODUCTION / "one.csv").rename(os.fsdecode(os.fsencode(paths.PRODUCTION) + b"/\xff.csv"))
    told, page = watch()
    assert told["rows"] == 60
    assert "\ufffd.csv" in page


def test_a_long_category_is_shown_in_part(made):
    batch("one.csv", customers(200, seed=1).assign(plan="x" * 100_000))
    _, page = watch()
    assert f"{'x' * 40}…" in page
    assert "x" * 41 not in page


def test_too_few_rows_are_never_drift(made):
    batch("one.csv", customers(1).assign(plan="silver"))
    told, page = watch()
    assert (told["rows"], told["alarms"]) == (1, 0)
    assert "1 row is there, 50 are needed" in page
    assert watch(fewest_rows=1, psi=1e-9)[0]["rows"] == 1


def test_bad_batches_are_named_and_the_others_are_used(made):
    batch("good.csv", customers(100, seed=1))
    batch("empty.csv", customers(0))
    batch("lacks.csv", customers(5).drop(columns="age"))
    io.write_bytes(b"\xff\xfe\x00", paths.PRODUCTION / "broken.csv")
    io.write_bytes(b"no parquet", paths.PRODUCTION / "broken.parquet")
    told, page = watch()
    assert told["rows"] == 100
    for said in ("it has no rows", "&#39;age&#39; is missing", "broken.csv must be readable", "broken.parquet must be"):
        assert said in page


def test_only_bad_batches_are_a_statement(made):
    batch("lacks.csv", customers(5).drop(columns="age"))
    told, page = watch()
    assert told["rows"] == 0
    assert "othing is said about drift" in page


def test_clusters_are_watched_without_predictions(enter):
    enter("clustering")
    batch("one.csv", customers(100, seed=1))
    monitor.main(sections(question("clustering")))
    assert io.read_json(paths.DRIFT)["prediction_psi"] is None
    assert "clusters have no predictions" in paths.MONITOR_PAGE.read_text(encoding="utf-8")
