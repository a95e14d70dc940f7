"""The report: one page from question to verdict, for each kind of task."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core import io, paths
from mlworkflow.core.problem import Problem
from mlworkflow.pages.templates import number, percent, score
from mlworkflow.report.facts import Facts
from mlworkflow.report.page import page as page_of
from mlworkflow.rows.schema import Column
from mlworkflow.serving.folder import MANIFEST

PRIMARY = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse", "clustering": "silhouette"}
CLASSES = {"binary": ["no", "yes"], "multiclass": ["red", "green", "blue"], "regression": [], "clustering": []}
HOSTILE = '<b>a & "b"</b><script>alert(1)</script>'
EVERYWHERE = [
    "verdict",
    "problem",
    "data",
    "ladder",
    "tuning",
    "metrics",
    "plots",
    "slices",
    "importance",
    "rules",
    "reproduce",
]


def problem(task: str, name: str = "age") -> Problem:
    """A problem with everything in it that a report can tell."""
    classes = CLASSES[task]
    value: dict[str, Any] | None = None
    if classes:
        value = {"unit": "euros", "outcomes": {a: {p: 5 if a == p else -20 for p in classes} for a in classes}}
    if task == "regression":
        value = {"unit": "euros", "over": -1.5, "under": -3}
    stated = {
        "name": f"{task}_example",
        "question": "Which customers will leave within the next quarter, and is it worth calling them?",
        "asked_by": "customer care",
        "task": task,
        "source": {"_target_": "a.b"},
        "snapshot": "x.csv",
        "data": {"target": None if task == "clustering" else "left"}
        | ({"positive": "yes"} if task == "binary" else {}),
        "metrics": {"primary": PRIMARY[task], "least_gain": 0.01},
        "value": value,
        "clusters": 3 if task == "clustering" else None,
        "reference": {"human": {"metric": PRIMARY[task], "figure": 0.8, "source": "a study of 1998"}},
        "constraints": {
            "largest_model_megabytes": 5,
            "metrics": {PRIMARY[task]: 0.9},
            "slices": [{"column": name, "value": "old", "smallest_share": 0.1}],
        },
        "rights": {"licence": "CC BY 4.0", "source": "the shop", "personal_data": False},
    }
    return Problem.model_validate(stated)


def plots(task: str) -> dict[str, pd.DataFrame]:
    """The tables of evaluation/plots for the task."""
    draw, up = np.random.default_rng(0), np.linspace(0, 1, 40)
    if task == "regression":
        return {
            "residuals": pd.DataFrame({"predicted": draw.normal(150, 50, 3000), "residual": draw.normal(0, 20, 3000)})
        }
    if task == "clustering":
        cluster = np.repeat([0, 1, 2], 50)
        points = draw.normal(size=(150, 2)) + cluster[:, None] * 3
        return {"clusters": pd.DataFrame({"first": points[:, 0], "second": points[:, 1], "cluster": cluster})}
    names = np.asarray(CLASSES[task])
    actual = draw.integers(0, len(names), 200)
    predicted = np.where(draw.random(200) < 0.85, actual, draw.integers(0, len(names), 200))
    return {
        "confusion": pd.DataFrame({"actual": names[actual], "predicted": names[predicted]}),
        "roc": pd.DataFrame({"false_positive_rate": up**3, "true_positive_rate": up**0.5}),
        "precision_recall": pd.DataFrame({"recall": up[::-1], "precision": 1 - up[::-1] ** 4 / 2}),
        "calibration": pd.DataFrame({"predicted": up[::4], "observed": up[::4] ** 1.3, "rows": [20] * 10}),
    }


def findings(task: str, name: str) -> dict[str, Any]:
    """What evaluate would have found."""
    gains = {"random": 0.45, "majority": 0.44, "one_column": 0.15, "linear": 0.012}
    gap = {"value": 0.93, "low": 0.88, "high": 0.97, "gap": 0.05}
    return {
        "primary": PRIMARY[task],
        "rows": {"train": 426, "test": 143},
        "fit": {"train": 1.0, "cross_validated": 0.9812, "test": 0.9785, "words": "more than the noise: it overfits"},
        "against": {rung: {"value": gain, "low": gain - 0.02, "high": gain + 0.02} for rung, gain in gains.items()},
        "money": {
            "unit": "euros",
            "rows": 143,
            "model": 12345.5,
            "against": {"linear": {"value": 210.0, "low": -40.0, "high": 480.0}},
        }
        if task != "clustering"
        else None,
        "slices": [
            {"column": name, "slice": "old", "rows": 40, "share": 0.28, "too_small": False, **gap},
            {"column": "city", "slice": "Ulm", "rows": 6, "share": 0.04, "too_small": True, **gap},
        ],
        "importance": [{"column": name, "drop": 0.2, "spread": 0.03}]
        + [{"column": f"column_{place}", "drop": 0.1 / (place + 1), "spread": 0.01} for place in range(20)],
        "calibration": {"error": 0.021, "words": "the probabilities are off by 0.021 on average"}
        if CLASSES[task]
        else None,
        "threshold": {"threshold": 0.31, "words": "from 0.31 upwards a row is called yes"}
        if task == "binary"
        else None,
        "constraints": {},
    }


def facts(task: str, name: str = "age") -> Facts:
    """Everything the page tells, made up."""
    primary, rungs = PRIMARY[task], {"random": 0.51, "majority": 0.5, "one_column": 0.81, "linear": 0.97}
    trials = pd.DataFrame(
        {"number": range(12), "state": "complete", "score": np.linspace(0.9, 0.98, 12), "spread": 0.01, "cause": None}
    )
    trials["weight"] = (trials["number"] == trials["score"].idxmax()).astype(float)
    trials = trials.assign(rows=1.0, family="random_forest")
    trials.loc[3, ["state", "score", "cause"]] = ["failed", np.nan, "ValueError: too deep"]
    curve = pd.DataFrame(
        {"rows": [40, 100, 200, 400], "train": [1.0, 1.0, 0.99, 0.99], "cross_validated": [0.8, 0.9, 0.95, 0.97]}
    )
    return Facts(
        problem=problem(task, name),
        model="random_forest",
        classes=CLASSES[task],
        provenance={
            "source": "data/crm.csv",
            "rows": 569,
            "columns": 31,
            "sha256": "0123456789abcdef" * 4,
            "about": "A table of customers.",
        },
        ledger=pd.DataFrame(
            {
                "rule": ["exact duplicates", f"a word for missing in {name}"],
                "seen": [569, 568],
                "changed": [0, 12],
                "dropped": [1, 0],
                "examples": ["row 7", "'?'"],
            }
        ),
        data_findings=[
            {"severity": level, "column": name, "what": f"{name!r} is odd"} for level in ("high", "medium", "low")
        ],
        baseline={rung: {primary: value} for rung, value in rungs.items()},
        trials=trials,
        best_params={"max_depth": 7, "max_features": 0.31415926},
        choice={
            "chosen on all folds": {"score": 0.98, "spread": 0.01},
            "chosen on the other folds": {"score": 0.9712, "spread": 0.01},
        },
        influence=pd.DataFrame({"parameter": ["max_depth", "max_features"], "share": [0.75, 0.25]}),
        curve=curve,
        onnx={"difference": 3.3e-16, "rows": 133, "hard_rows": 853},
        cv={primary: 0.9812},
        test={primary: 0.9785},
        intervals={
            "method": "bootstrap percentile",
            "source": "Efron 1979",
            "level": 0.95,
            "resamples": 1000,
            "metrics": {primary: {"value": 0.9785, "low": 0.96, "high": 0.99}},
        },
        findings=findings(task, name),
        decision={
            "verdict": "better than the baseline",
            "good_enough": True,
            "primary": primary,
            "best_baseline": "linear",
            "gain": 0.012,
            "gain_low": 0.003,
            "gain_high": 0.02,
            "least_gain": 0.01,
            "simplest_adequate": "linear",
            "passed": {"gain_over_baseline_above_noise": True, "slowest_prediction_milliseconds": True},
            "margin": {"gain_over_baseline_above_noise": 0.003},
        },
        drift={"rows": 50, "columns": 30, "drifted": 2},
        plots=plots(task),
    )


class Page(HTMLParser):
    """What a page holds: its ids, tags, attributes and text."""

    def __init__(self, html: str) -> None:
        """Read the page."""
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


def assert_stands_alone(html: str) -> None:
    """Fail if the page loads anything, runs anything, or two of its parts share an id."""
    page = Page(html)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "iframe" not in page.tags
    assert "img" not in page.tags
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href", "data", "style", "clip-path"):
            assert "//" not in value
            assert "@import" not in value
    assert "url(http" not in html
    assert "@import" not in html
    assert len(page.ids) == len(set(page.ids))
    for target in re.findall(r'(?:href="#|url\(#)([^")]+)', html):
        assert target in page.ids


@pytest.mark.parametrize("task", PRIMARY)
def test_the_page_of_every_task_has_verdict_and_sections_stands_alone_and_shows_hostile_names(task: str) -> None:
    html = page_of(facts(task, HOSTILE))
    assert_stands_alone(html)
    page = Page(html)
    assert set(EVERYWHERE) <= set(page.ids)
    assert "drift" in page.ids
    assert "better than the baseline" in page.text
    assert "Good enough: yes" in page.text
    assert "0.9785" in page.text
    assert "0.9600 to 0.9900" in page.text
    assert "The simplest that does as well: linear" in page.text
    assert ("threshold" in page.ids) == (task != "clustering")
    assert "<b>a &" not in html
    assert HOSTILE in page.text
    assert page.tags.count("figure") == {"binary": 10, "multiclass": 10, "regression": 7, "clustering": 7}[task]


def test_a_model_no_better_than_the_baseline_is_told_so() -> None:
    bad = facts("binary")
    decision = {
        **bad.decision,
        "verdict": "no better than the baseline",
        "good_enough": False,
        "gain": -0.01,
        "gain_low": -0.03,
    }
    decision["passed"] = {"as_good_as_people_in_roc_auc": True, "gain_over_baseline_above_noise": False}
    page = Page(page_of(replace(bad, decision=decision)))
    assert ("class", "verdict no") in page.attributes
    assert "Good enough: no" in page.text
    assert "within the noise" in page.text
    assert "−0.0100" in page.text
    assert page.text.index("gain over baseline above noise") < page.text.index("as good as people in roc auc")


def test_a_verdict_that_cannot_be_told_is_neither_good_nor_bad_and_says_why() -> None:
    told = facts("binary")
    why = "roc_auc has no value on the 7 test rows: all have the class 'no'. Collect more rows."
    untold = {"verdict": "cannot be told", "why": why, "good_enough": False, "simplest_adequate": None}
    untold |= dict.fromkeys(("gain", "gain_low", "gain_high"))
    rules = {"gain_over_baseline_above_noise": None, "largest_model_megabytes": True, "least_recall": None}
    page = Page(page_of(replace(told, decision={**told.decision, **untold, "passed": rules, "margin": {}})))
    assert ("class", "verdict open") in page.attributes
    assert why in page.text
    assert "Good enough: cannot be told" in page.text
    assert page.text.count("cannot be told") == 6  # title, head, good enough, two rules, the note below them
    assert "1 of 3 rules kept" in page.text


def test_a_model_that_is_itself_a_rung_is_compared_with_the_others() -> None:
    linear = replace(facts("binary"), model="linear", own_rung="linear")
    text = Page(page_of(replace(linear, decision={**linear.decision, "best_baseline": "one_column"}))).text
    assert "linear against one column, the best baseline beside linear, the model's own rung" in text
    assert "linear · what the model is, untuned" in text
    assert "linear, the model" in text


def test_the_best_possible_score_of_a_simulation_stands_beside_the_models() -> None:
    plain = facts("binary")
    told = {"metrics": {"roc_auc": 0.9876}, "ahead": {"value": 0.0091, "low": 0.002, "high": 0.016}, "money": 14321.0}
    page = Page(page_of(replace(plain, findings={**plain.findings, "best": told})))
    assert page.text.count("0.9876") == 2
    assert "Its roc_auc is better than the model's by 0.0091, 95% interval 0.0020 to 0.0160." in page.text
    assert "worth 14\u202f321 euros" in page.text
    assert "est possible" not in Page(page_of(plain)).text


def test_what_a_run_does_not_have_is_left_out() -> None:
    full = facts("binary")
    lacks = {"money": None, "threshold": None, "calibration": None, "slices": [], "importance": [], "fit": None}
    bare = replace(
        full,
        findings={**full.findings, **lacks},
        drift=None,
        plots={},
        trials=full.trials.tail(1),
        influence=pd.DataFrame(columns=["parameter", "share"]),
        best_params={},
        curve=pd.DataFrame(columns=["rows", "train", "cross_validated"]),
        ledger=full.ledger.head(0),
        data_findings=[],
        test={"roc_auc": None},
        cv={"roc_auc": None},
    )
    page = Page(page_of(bare))
    assert "drift" not in page.ids
    assert "threshold" not in page.ids
    assert "1 trial: 1 complete" in page.text
    assert "Nothing was found." in page.text


def test_the_stage_writes_the_same_bytes_whatever_home_locale_and_clock(tmp_path: Path) -> None:
    write_files(facts("binary"), tmp_path)
    code = (
        "import yaml; from mlworkflow.core.params import Sections; from mlworkflow.stages.report import main;"
        "main(Sections('report', [], yaml.safe_load(open('params.yaml', encoding='utf-8'))))"
    )
    (tmp_path / "matplotlibrc").write_text("axes.xmargin: 0.4\n")
    env = {**os.environ, "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    env |= {"HOME": str(tmp_path / "none"), "MPLCONFIGDIR": "/dev/null/unwritable"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert (tmp_path / paths.INDEX_PAGE).read_bytes().decode() == page_of(facts("binary"))


def write_files(told: Facts, folder: Path) -> None:
    """Write what the stages before would have left in `folder`."""
    files = {
        paths.FEATURES: {"task": told.problem.task, "target": "left", "classes": told.classes, "columns": []},
        paths.PROVENANCE: told.provenance,
        paths.DATA_FINDINGS: {"findings": told.data_findings},
        paths.BASELINE_METRICS: told.baseline,
        paths.CV_METRICS: told.cv,
        paths.TEST_METRICS: told.test,
        paths.INTERVALS: told.intervals,
        paths.FINDINGS: told.findings,
        paths.DECISION: told.decision,
        paths.DRIFT: told.drift or {},
        paths.BUNDLE / MANIFEST: {"onnx": told.onnx},
    }
    for path, value in files.items():
        io.write_json(value, folder / path)
    io.write_yaml(told.best_params, folder / paths.BEST_PARAMS)
    io.write_json(told.choice, folder / paths.CHOICE)
    tables = {paths.LEDGER: told.ledger, paths.TRIALS: told.trials, paths.LEARNING_CURVE: told.curve}
    tables[paths.INFLUENCE] = told.influence
    for path, table in (tables | {paths.PLOTS / f"{name}.csv": plot for name, plot in told.plots.items()}).items():
        io.write_table(table, folder / path)
    stated = told.problem.model_dump(mode="json", by_alias=True)
    io.write_yaml({"problem": stated, "model": {"name": told.model, "rung": told.own_rung}}, folder / paths.PARAMS)


def test_what_the_onnx_file_is_worth_is_told_or_why_there_is_none() -> None:
    assert "the largest difference was 3.3e-16 on 133 test rows" in " ".join(page_of(facts("binary")).split())
    none = replace(facts("binary"), onnx={"left_out": "it takes texts (note)"})
    assert "It has no ONNX file: it takes texts (note)." in page_of(none)


def test_numbers_read_well() -> None:
    assert [number(value) for value in (None, 12345, -3, 0.5, 1234567.0, 12.0, float("nan"), 1e-5, True, "gini")] == [
        "–", "12\u202f345", "−3", "0.5", "1\u202f234\u202f567", "12", "–", "1.00e−05", "True", "gini",
    ]  # fmt: skip
    assert [score(value) for value in (0.98, 1.0, 53.456, 1234.5, -0.00123, 0.0)] == [
        "0.9800",
        "1.000",
        "53.46",
        "1\u202f234",
        "−0.0012",
        "0.0000",
    ]
    assert [percent(value) for value in (0.0, 0.00001, 0.051, 0.5, 0.9999, 1.0)] == [
        "0%",
        "<0.1%",
        "5.1%",
        "50%",
        ">99.9%",
        "100%",
    ]


def columns(count: int) -> list[Column]:
    numbers = [Column(f"x{place}", "number", "input", missing=0.25, treatment="number") for place in range(count)]
    return [
        Column("flat", "number", "input", treatment="drop", why="1 in every training row"),
        Column("paid", "number", "input", outliers="clip", treatment="number", why="a number as it is"),
        Column("left", "category", "target"),
        *numbers,
    ]


def test_the_page_tells_how_each_column_is_treated_and_why_the_dropped_last() -> None:
    page = page_of(replace(facts("binary"), columns=columns(2)))
    part = page[page.index("How the model sees") : page.index("What is suspicious")]
    assert "<details open>" in part
    assert "number, outliers: clip" in part
    assert part.index("x1") < part.index("1 in every training row")
    assert "left" not in part


def test_many_columns_are_folded_away_and_none_without_a_treatment() -> None:
    assert "<details><summary>42 columns" in page_of(replace(facts("binary"), columns=columns(40)))
    assert "How the model sees" not in page_of(facts("binary"))


def test_both_scores_of_the_search_are_told_and_which_is_the_honest_one():
    text = Page(page_of(facts("binary"))).text
    assert "0.9800 where all folds had a say in the choice" in text
    assert "0.9712 where each fold is scored by the choice that the others make" in text


def test_the_members_of_an_ensemble_are_told_with_their_weights():
    members = [
        {"family": "xgboost", "weight": 0.75, "parameters": {"max_depth": 3}},
        {"family": "linear", "weight": 0.25, "parameters": {}},
    ]
    full = facts("binary")
    trials = full.trials.assign(weight=[0.75, 0.25] + [0.0] * 10)
    text = Page(page_of(replace(full, best_params={"members": members}, trials=trials))).text
    assert "Taken are 2 trials" in text
    assert "xgboost, weight 75%" in text
