"""Retraining: which rows of use come, what is tried with them, and which candidate takes the champion's place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra.utils import instantiate
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mlworkflow.config.conf import compose
from mlworkflow.config.mistakes import validate
from mlworkflow.core.errors import UnreadableError
from mlworkflow.core.params import Model
from mlworkflow.learning import modelfile
from mlworkflow.learning.kept import KeptClassifier, KeptRegressor
from mlworkflow.measures.recalibration import fitted, mended
from mlworkflow.preparing.prepare import prepare
from mlworkflow.recording.database import Database
from mlworkflow.releasing.tags import Release
from mlworkflow.retraining.candidates import Setting, candidates
from mlworkflow.retraining.choice import choose
from mlworkflow.retraining.origin import FILE, Origin, origin_of
from mlworkflow.retraining.rows import gathered
from mlworkflow.retraining.version import champion_file, digest, edited, version
from mlworkflow.rows.schema import Column
from tests.conftest import ROOT, make_problem, make_schema

SCHEMA = make_schema(
    Column("id", "category", "key"),
    Column("day", "time", "time"),
    Column("age", "number", "input"),
)


def problem(**changes):
    data = {"target": "left", "positive": "yes", "key": ["id"], "time": "day"}
    told = {"split": {"scheme": "time"}, "metrics": {"primary": "roc_auc", "also": []}, **changes}
    return make_problem(task="binary", data=data, **told)


def table(first, rows, start="2024-01-01"):
    days = pd.date_range(start, periods=rows).strftime("%Y-%m-%d")
    ids = [f"c{first + number}" for number in range(rows)]
    return pd.DataFrame({"id": ids, "day": days, "age": np.arange(rows, dtype="float64"), "left": "no"})


RAW = table(0, 100)


def logged(folder, rows, outcomes, *, role="champion"):
    """Write rows of use with a list of outcomes each."""
    inputs = rows.drop(columns="left").to_dict("records")
    predictions = [
        (row["id"], 1e9 + number, "v1", role, row["id"], json.dumps(row), '{"prediction": "no"}', 1.0)
        for number, row in enumerate(inputs)
    ]
    told = [(row["id"], json.dumps(word), 2e9) for row, words in zip(inputs, outcomes, strict=True) for word in words]
    Database(folder).write(predictions, told, [])


def test_rows_whose_outcome_is_known_come_once_and_the_newest_outcome_counts(tmp_path):
    new = table(98, 6, "2024-04-08")  # c98 and c99 are in the table already
    logged(tmp_path / "log", new, [["no"], ["yes"], ["yes"], [], ["no", "yes"], ["no"]])
    logged(tmp_path / "log", new.iloc[:1], [[]], role="shadow")
    found = gathered(RAW, problem(), SCHEMA, tmp_path / "log", tmp_path / "none")
    assert found.rows["id"].tolist() == ["c100", "c102", "c103"]
    assert found.rows["left"].tolist() == ["yes", "yes", "no"]
    assert found.asked.tolist() == [1e9 + 2, 1e9 + 4, 1e9 + 5]
    assert found.ledger["predictions whose outcome is not known"] == 1
    assert found.ledger["predictions with contradicting outcomes, of which the newest counts"] == 1
    assert found.ledger["rows that the table holds already"] == 2
    assert found.ledger["new rows"] == 3


def test_files_of_rows_with_their_outcomes_come_too_and_the_others_are_named(tmp_path):
    folder = tmp_path / "production"
    folder.mkdir()
    table(200, 3, "2024-05-01").to_csv(folder / "may.csv", index=False)
    table(200, 1, "2024-05-09").assign(left="yes").to_csv(folder / "mended.csv", index=False)  # c200 again
    table(300, 3).drop(columns="left").to_csv(folder / "bare.csv", index=False)
    (folder / "broken.parquet").write_bytes(b"none")
    found = gathered(RAW, problem(), SCHEMA, tmp_path / "log", folder)
    assert found.rows["id"].tolist() == ["c201", "c202", "c200"]
    assert found.rows["left"].tolist() == ["no", "no", "yes"]
    assert found.ledger["rows of bare.csv, which has no left"] == 3
    assert found.ledger["files that cannot be read: broken.parquet"] == 1
    assert found.ledger["rows told again of the same key, of which the newest counts"] == 1


def test_rows_whose_outcome_the_model_does_not_know_are_left_out_and_counted(tmp_path):
    (tmp_path / "new").mkdir()
    rows = table(200, 4, "2024-05-01").assign(left=["no", " yes ", "maybe", "NA"])
    rows.to_csv(tmp_path / "new/may.csv", index=False)
    found = gathered(RAW, problem(), SCHEMA, tmp_path / "log", tmp_path / "new")
    assert found.rows["id"].tolist() == ["c200", "c201"]
    assert found.ledger["rows whose outcome is none that the model knows"] == 2


def made(tmp_path, rows=40, since=None):
    logged(tmp_path / "log", table(100, rows, "2024-04-10"), [["yes"]] * rows)
    new = gathered(RAW, problem(), SCHEMA, tmp_path / "log", tmp_path / "none")
    return new, version(RAW, new, problem(), since)


def test_the_newest_half_of_the_rows_since_the_alarm_is_held_out(tmp_path):
    since = ("row", pd.Timestamp("2024-05-10", tz="UTC").timestamp())  # the last 10 of 40 days
    new, found = made(tmp_path, since=since)
    assert (found.before, found.rows, found.recent) == (100, 140, 130)
    asked = problem(split={"scheme": "time", "test_fraction": found.test_fraction})
    prepared = prepare(pd.concat([RAW, new.rows], ignore_index=True), asked)
    assert sorted(prepared.test["id"]) == [f"c{number}" for number in range(135, 140)]
    assert found.points == (35, 5)


def test_rows_before_a_number_can_be_left_out_of_each_side(tmp_path):
    asked = problem(split={"scheme": "time", "test_fraction": 0.2, "train_from": 50, "test_from": 90})
    prepared = prepare(RAW.assign(left=np.where(np.arange(100) % 2, "yes", "no")), asked)
    assert prepared.train["id"].tolist() == [f"c{number}" for number in range(50, 80)]
    assert prepared.test["id"].tolist() == [f"c{number}" for number in range(90, 100)]
    rules = prepared.ledger.set_index("rule")["dropped"]
    assert rules["train rows before problem.split.train_from 50"] == 50


def test_the_problems_file_names_the_new_table_and_keeps_its_comments(tmp_path):
    new, found = made(tmp_path)
    text = "name: crm # ours\nsnapshot: a.csv\nsource: {_target_: x}\norigin: {address: b}\nsplit: {scheme: time}\n"
    told = edited(text, found, problem(), tmp_path / "t.parquet", new.rows)
    assert "name: crm # ours" in told
    assert f"snapshot: {tmp_path / 't.parquet'}" in told
    assert "origin" not in told
    assert f"test_fraction: {found.test_fraction}" in told


@pytest.mark.parametrize(("since", "first"), [(None, 100), (("log", 1e9 + 30), 130)])
def test_without_a_split_by_time_rows_since_the_alarm_are_held_out(tmp_path, since, first):
    asked = problem(split={"scheme": "hash"})
    new, _ = made(tmp_path)
    told = edited("name: crm\n", version(RAW, new, asked, since), asked, tmp_path / "t.parquet", new.rows)
    assert yaml.safe_load(told)["split"] == {"test_from": first}


def test_another_champion_alarm_or_commit_makes_another_branch(tmp_path):
    _, found = made(tmp_path)
    names = {
        digest(found, model, since, head)
        for model in (b"a", b"b")
        for since in (None, ("log", 1.0))
        for head in ("c1", "c2")
    }
    assert len(names) == 8


LINEAR = Origin("linear", {"C": 0.5, "w": None}, "bayesian", train_from=0, folds=5)


def setting(origin=LINEAR, **changes):
    tries = ["recalibrate", "threshold", "refit", "search"]
    told = {"task": "binary", "origin": origin, "tries": tries, "kept_from": 100}
    return Setting(**{**told, "recent_from": 130, "folds": 5, "points": None, **changes})


def names(*origin, **changes):
    return [one.name for one in candidates(setting(*origin, **changes))]


def test_what_is_cheap_is_tried_first():
    assert names() == ["champion", "recalibrated", "threshold", "refit", "refit-recent", "search"]
    assert names(tries=["refit"], recent_from=None) == ["champion", "refit"]
    assert names(task="regression", recent_from=None) == ["champion", "recalibrated", "refit", "search"]
    assert names(replace(LINEAR, best={"members": []})) == ["champion", "recalibrated", "threshold", "search"]
    assert names(None) == ["champion", "recalibrated", "threshold"]


def test_too_few_times_to_validate_by_leave_a_candidate_out():
    assert names(points=(2, 40)) == ["champion", "refit", "refit-recent", "search"]
    assert names(points=(40, 2)) == ["champion", "recalibrated", "threshold", "refit", "search"]
    fewer = next(one for one in candidates(setting(points=(4, 40))) if one.name == "threshold")
    assert "problem.split.folds=3" in fewer.overrides


def test_a_refit_is_given_the_champions_parameters():
    refit = next(one for one in candidates(setting()) if one.name == "refit")
    assert refit.overrides[2:] == ("++model.classification.C=0.5", "++model.classification.w=null")


def overridden(origin, name):
    return next(one for one in candidates(setting(origin)) if one.name == name).overrides


def test_what_a_kept_champion_was_fitted_as_is_fitted_and_searched_again_on_all_its_rows():
    whole = ("problem.split.train_from=0", "problem.split.folds=5")
    kept = replace(LINEAR, kept=True)
    assert overridden(kept, "search") == ("model=linear", "search=bayesian", *whole)
    assert overridden(kept, "refit") == (*overridden(LINEAR, "refit"), *whole)
    assert "problem.split.train_from=130" in overridden(kept, "refit-recent")


PARAMS = {"search": {"name": "none"}, "problem": {"split": {"train_from": 100, "folds": 3}}}


def test_the_file_of_a_kept_champion_says_what_it_was_fitted_as(tmp_path):
    release = Release("crm", "v1.1.0", "0" * 40, "crm@v1.1.0")
    (tmp_path / "manifest.json").write_text('{"model": "champion"}')
    assert origin_of(tmp_path, release, tmp_path, PARAMS) is None
    file = champion_file(b"a", {"threshold": 0.3}, "binary", tmp_path / "a.skops", LINEAR.to_dict())
    (tmp_path / FILE.parent).mkdir(parents=True)
    (tmp_path / FILE).write_text(file)
    assert origin_of(tmp_path, release, tmp_path, PARAMS) == replace(LINEAR, kept=True)
    assert Model.model_validate(yaml.safe_load(file)).of == LINEAR.to_dict()


@pytest.mark.parametrize("name", ["linear", "xgboost", "hist_gradient_boosting", "random_forest"])
def test_conf_composes_with_the_parameters_of_a_search(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    space = instantiate(compose([f"model={name}"])["model"]["space"]["classification"])
    best = {parameter: getattr(values, "low", None) for parameter, values in space.items()}
    refit = next(one for one in candidates(setting(replace(LINEAR, model=name, best=best))) if one.name == "refit")
    made = compose(refit.overrides)
    assert validate(made) == []
    assert set(best.items()) <= set(instantiate(made["model"]["classification"]).get_params().items())


def review(value, half):
    difference = {"value": value, "low": value - half, "high": value + half}
    word = "better" if value - half > 0 else "worse" if value + half < 0 else "no clear difference"
    return {"word": word, "sentence": "so it is", "least_gain": 0.0, "metrics": [{"difference": difference}]}


def test_the_cheapest_that_is_better_is_taken_unless_a_dearer_one_is_better_than_that():
    gains = {"a": 0.0, "b": 0.1, "c": 0.12, "d": 0.3}
    taken = choose("abc", "old", lambda base, one: review(gains[one] - gains.get(base, 0.0), 0.05))
    assert (taken.name, taken.word) == ("b", "better")
    assert choose("abcd", "old", lambda base, one: review(gains[one] - gains.get(base, 0.0), 0.05)).name == "d"


def test_of_several_one_that_is_just_better_may_be_so_by_chance():
    assert choose(["a"], "old", lambda base, one: review(0.1, 0.09)).name == "a"
    several = choose("abcde", "old", lambda base, one: review(0.1 if one == "a" else 0.0, 0.09))
    assert (several.name, several.word) == (None, "no clear difference")


@pytest.fixture
def champion(tmp_path):
    random = np.random.default_rng(0)
    columns = pd.DataFrame({"x": random.normal(size=400)})
    truth = (random.random(400) < 1 / (1 + np.exp(-2 * columns["x"] - 1))).astype(int).to_numpy()
    pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())]).fit(columns, truth)
    content = modelfile.dumps(pipeline)
    (tmp_path / "champion.skops").write_bytes(content)
    return columns, truth, pipeline, str(tmp_path / "champion.skops"), hashlib.sha256(content).hexdigest()


def test_a_kept_model_says_what_it_said_whatever_it_is_fitted_on(champion):
    columns, truth, pipeline, path, sha256 = champion
    kept = KeptClassifier(path, sha256).fit(columns, 1 - truth)
    again = modelfile.loads(modelfile.dumps(kept))
    assert np.array_equal(again.predict_proba(columns), pipeline.predict_proba(columns))


def test_a_recalibrated_model_learns_a_line_of_its_log_odds(champion):
    columns, _, pipeline, path, sha256 = champion
    said = pipeline.predict_proba(columns)[:, 1]
    rare = (np.random.default_rng(1).random(400) < said / 3).astype(int)
    kept = KeptClassifier(path, sha256, recalibrate=True).fit(columns, rare)
    assert kept.predict_proba(columns)[:, 1] == pytest.approx(mended(said, *fitted(said, rare == 1)))
    assert kept.predict_proba(columns)[:, 1].mean() == pytest.approx(rare.mean(), abs=0.01)


def test_a_kept_number_is_brought_to_the_line_of_the_truth(tmp_path):
    columns = pd.DataFrame({"x": np.arange(50.0)})
    content = modelfile.dumps(LinearRegression().fit(columns, np.arange(50.0)))
    (tmp_path / "m.skops").write_bytes(content)
    kept = KeptRegressor(str(tmp_path / "m.skops"), hashlib.sha256(content).hexdigest(), recalibrate=True)
    assert kept.fit(columns, 3 * np.arange(50.0) + 7).predict(columns) == pytest.approx(3 * np.arange(50.0) + 7)


def test_another_file_than_the_parameters_name_is_not_loaded(champion):
    columns, truth, _, path, _ = champion
    with pytest.raises(UnreadableError, match="SHA-256"):
        KeptClassifier(path, "0" * 64).fit(columns, truth)
