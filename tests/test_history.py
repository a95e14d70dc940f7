"""How the primary metric moved: what Git has of each commit, read by a handful of processes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from mlworkflow.core.errors import ProjectError
from mlworkflow.reviewing.history import history
from tests.conftest import mlworkflow

DAY, START = 86_400, 1_760_000_000
OUT = "    - path: {}\n      hash: md5\n      md5: {}\n      size: 1\n"
OUTPUTS = ("data/features/test.parquet", "evaluation/predictions.parquet", "evaluation/intervals.json")


def digest(word: object) -> str:
    return hashlib.md5(str(word).encode()).hexdigest()


class Story:
    """Commits of a made-up repository, written at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def commit(
        self, value: float, *, problem: str = "wine", metric: str = "log_loss", rows: str = "a", tag: str = "",
        model: str = "linear", note: str = "", padding: str = "",
    ) -> Story:  # fmt: skip
        decision = {"verdict": "better than the baseline", "model": model, "primary": metric}
        made = (rows, (problem, value, rows), (problem, value, rows))
        outs = "".join(OUT.format(path, digest(of)) for path, of in zip(OUTPUTS, made, strict=True))
        self.files(
            {
                "metrics/test.json": json.dumps({metric: value}),
                "metrics/decision.json": json.dumps(decision),
                "params.yaml": f"seed: 1\nproblem:\n  treatments:\n    name: drop\n  name: {problem}\n"
                f"  metrics:\n    primary: {metric}\n",
                "dvc.lock": f"{padding}stages:\n  evaluate:\n    outs:\n{outs}    note: {self.count}{note}\n",
            }
        )
        if tag:
            self.lines += [f"reset refs/tags/{tag}", f"from :{self.count}"]
        return self

    def files(self, files: dict[str, str]) -> Story:
        self.count += 1
        when = START + self.count * DAY
        self.lines += ["commit refs/heads/main", f"mark :{self.count}", f"committer t <t> {when} +0000", "data 1", "c"]
        for name, text in files.items():
            self.lines += [f"M 100644 inline {name}", f"data {len(text)}", text]
        return self

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        text = "\n".join([*self.lines, "", "done", ""])
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
        subprocess.run(["git", "fast-import", "--quiet", "--done"], cwd=folder, input=text, text=True, check=True)
        subprocess.run(["git", "reset", "-q", "--hard"], cwd=folder, check=True)
        (folder / ".dvc").mkdir(exist_ok=True)
        (folder / "dvc.yaml").write_text("stages: {}\n")
        return folder


def keep_interval(folder: Path, value: float, low: float, high: float) -> None:
    name = digest(("wine", value, "a"))
    path = folder / ".dvc/cache/files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"metrics": {"log_loss": {"value": value, "low": low, "high": high}}}))


def rows_of(said: str) -> list[list[str]]:
    return [line.split() for line in said.splitlines() if line[:2] == "20"]


def test_each_result_is_a_line_with_its_interval_and_its_tag(tmp_path):
    story = Story().commit(0.3).commit(0.2, model="xgboost", tag="v1.0.0")
    keep_interval(story.write(tmp_path), 0.2, 0.1, 0.31)
    said = mlworkflow(tmp_path, "history")
    assert "wine: log_loss, lower is better" in said
    first, second = rows_of(said)
    assert first[0] == "2025-10-10"
    assert first[2:] == ["linear", "0.3", "better"]
    assert second[2:] == ["v1.0.0", "xgboost", "0.2", "0.1", "to", "0.31", "better"]
    page = (tmp_path / "reports/history.html").read_text(encoding="utf-8")
    assert "v1.0.0" in page
    assert page.count("<svg") == 1
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_commit_that_changes_no_result_is_left_out_unless_it_has_a_tag(tmp_path):
    story = Story().commit(0.3).commit(0.3, note="other code").files({"README.md": "words"}).commit(0.3, tag="late")
    said = mlworkflow(story.write(tmp_path), "history")
    assert len(rows_of(said)) == 2
    assert "late" in said


def test_a_tag_on_a_commit_that_touches_no_result_shows_what_was_released(tmp_path):
    story = Story().commit(0.3).files({"README.md": "words"})
    story.lines += ["reset refs/tags/v2", f"from :{story.count}"]
    assert rows_of(mlworkflow(story.write(tmp_path), "history"))[-1][2:4] == ["v2", "linear"]


def test_other_problems_and_other_test_rows_are_not_compared(tmp_path):
    story = Story().commit(0.3).commit(0.2).commit(0.4, rows="b").commit(9.0, problem="diabetes", metric="rmse")
    said = mlworkflow(story.commit(0.1).write(tmp_path), "history")
    heads = [line for line in said.splitlines() if " is better" in line]
    assert heads == [
        "wine: log_loss, lower is better",
        "wine: log_loss, lower is better (other test rows from here on)",
        "diabetes: rmse, lower is better",
        "wine: log_loss, lower is better",
    ]
    page = (tmp_path / "reports/history.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2  # a chart for each problem


def test_the_page_may_be_written_elsewhere(tmp_path):
    Story().commit(0.3).write(tmp_path / "there")
    mlworkflow(tmp_path / "there", "history", "--html", "../moved.html")
    assert "wine" in (tmp_path / "moved.html").read_text(encoding="utf-8")


def test_long_names_fit_a_terminal(tmp_path):
    story = Story().commit(123.456789, model="hist_gradient_boosting", tag="churn-release-candidate@v10.20.30")
    keep_interval(story.write(tmp_path), 123.456789, 1.23456789, 999.999)
    assert max(map(len, mlworkflow(tmp_path, "history").splitlines())) <= 80


def test_a_shallow_clone_says_so(tmp_path):
    Story().commit(0.3).commit(0.2).write(tmp_path / "there")
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{tmp_path}/there", tmp_path / "here"], check=True)
    (tmp_path / "here/dvc.yaml").write_text("stages: {}\n")
    said = mlworkflow(tmp_path / "here", "history")
    assert len(rows_of(said)) == 1
    assert "git fetch --unshallow" in said


@pytest.mark.parametrize("commits", [0, 1])
def test_a_history_without_metrics_is_refused_in_clear_words(tmp_path, monkeypatch, commits):
    story = Story()
    if commits:
        story.files({"README.md": "words"}).write(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="main has none" if commits else "there is none here"):
        history()
    assert not (tmp_path / "reports").exists()


def test_two_hundred_commits_take_less_than_three_seconds(tmp_path):
    story = Story()
    padding = "#" * 60_000 + "\n"  # as long as a real dvc.lock
    for number in range(200):
        story.commit(0.3 - number / 1000, tag=f"v{number}" if number % 40 == 0 else "", padding=padding)
    story.write(tmp_path)
    before = time.process_time()
    started = time.monotonic()
    said = mlworkflow(tmp_path, "history")
    assert len(rows_of(said)) == 200
    assert min(time.process_time() - before, time.monotonic() - started) < 3
