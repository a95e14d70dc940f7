"""What a CI server runs: the scripts of .ci/ on a clone, and what its files promise of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from tests.conftest import ROOT, copy_project, cut_workflow, environment, mlworkflow, run, run_stages

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
GITLAB = ROOT / ".gitlab-ci.yml"
SCRIPTS = sorted((ROOT / ".ci").iterdir())
LINEAR = "conf/model/linear.yaml"
STAGES = ("define", "collect", "prepare", "featurize", "baseline", "tune", "train", "evaluate", "decide")  # for reviews


def script(root: Path, *words: str, code: int, told: str = "", **changes: str) -> str:
    """Run a script of .ci/ with something at its standard input, demand its exit code, return what it printed."""
    done = subprocess.run(
        words, cwd=root, env=environment(root) | changes, input=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


# ---- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path):
    used = re.findall(r"uses:(.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert used or path.name == "retrain.yml"  # which takes nothing from elsewhere
    assert [line for line in used if not re.fullmatch(r" actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def jobs(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def test_a_job_may_read_and_only_the_one_that_comments_may_write():
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}
        told = {name: job["permissions"] for name, job in jobs(path).items() if "permissions" in job}
        assert told in ({}, {"comment": {"contents": "read", "pull-requests": "write"}})


def commands(path: Path) -> list[str]:
    """Return what the steps of a file type into a shell."""
    if path == GITLAB:
        there = yaml.safe_load(path.read_text(encoding="utf-8")).values()
        return [line for job in there if isinstance(job, dict) for line in job.get("script", [])]
    return [step["run"] for job in jobs(path).values() for step in job["steps"] if "run" in step]


def test_nothing_that_others_write_is_put_into_a_shell():
    assert [line for path in WORKFLOWS for line in commands(path) if "${{" in line] == []


def test_the_token_that_may_write_is_in_no_step_that_runs_the_workflow():
    for path in WORKFLOWS:
        for name, job in jobs(path).items():
            writes = "write" in job.get("permissions", {}).values()
            assert not (writes and any(re.search(r"make|review\b|\.ci/run", line) for line in commands_of(job))), name
            assert all(
                s["with"]["persist-credentials"] is False for s in job["steps"] if "checkout" in s.get("uses", "")
            )


def commands_of(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_github_and_gitlab_run_the_same_scripts_and_each_is_there():
    called = [
        {found for line in lines for found in re.findall(r"\.ci/\w+|make \w+", line)}
        for lines in ([line for path in WORKFLOWS for line in commands(path)], commands(GITLAB))
    ]
    assert called[0] == called[1] == {
        ".ci/run", ".ci/review", ".ci/comment", ".ci/retrain", "make audit", "make repro",
    }  # fmt: skip
    for name in called[0] - {"make audit", "make repro"}:
        assert os.access(ROOT / name, os.X_OK), name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_each_script_parses_and_stops_at_what_fails(path):
    assert os.access(path, os.X_OK)
    assert "\nset -euo pipefail\n" in path.read_text(encoding="utf-8")
    run(ROOT, "bash", "-n", str(path))


def test_the_hooks_are_valid_and_those_of_dvc_are_among_them():
    run(ROOT, "pre-commit", "validate-config")
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert {"current", "large-files", "secrets", "dvc-pre-commit", "dvc-pre-push", "dvc-post-checkout"} <= {
        hook["id"] for hook in hooks
    }


# ---- .ci/review, its ways --------------------------------------------------------------------------------------------


@pytest.fixture
def stubs(tmp_path) -> Path:
    """A repository of one commit with .ci/, whose dvc and mlworkflow note that they were called."""
    root = tmp_path / "stubs"
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").touch()
    shutil.copytree(ROOT / ".ci", root / ".ci")
    (root / "Makefile").write_text(".venv/installed:\n\t@touch $@\n")
    (root / ".gitignore").write_text("/.venv/\n/calls\n/review.md\n")
    for command in ("init -q -b main", "config user.name t", "config user.email t@localhost", "add -A", "commit -qm a"):
        run(root, "git", *command.split())
    stub(root, "dvc", "exit 0")
    stub(root, "mlworkflow", "echo page >review.md; exit 1")
    return root


def stub(root: Path, name: str, does: str) -> None:
    path = root / ".venv/bin" / name
    path.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >>calls\n{does}\n')
    path.chmod(0o755)


def calls(root: Path) -> list[str]:
    first, *others = (root / "calls").read_text().splitlines()
    assert first == "dvc checkout --quiet"
    return others


def test_the_exit_code_is_that_of_the_review(stubs):
    script(stubs, ".ci/review", "main", "not-better", code=1)
    assert calls(stubs)[0] == "dvc repro"
    assert "--fail-on not-better" in calls(stubs)[1]
    assert len(calls(stubs)) == 2


def test_a_base_whose_results_are_nowhere_is_run_again(stubs):
    stub(stubs, "mlworkflow", 'case "$*" in *--reproduce*) echo page >review.md; exit 0;; *) exit 2;; esac')
    script(stubs, ".ci/review", "main", code=0)
    assert [line.endswith("--reproduce") for line in calls(stubs)] == [False, False, True]


def test_with_a_remote_results_are_pulled_and_without_a_key_to_it_they_are_made(stubs):
    (stubs / ".dvc/config").write_text("[core]\n    remote = shelf\n")
    stub(stubs, "dvc", '[ "$*" = repro ]')
    script(stubs, ".ci/review", "main", code=1)
    assert calls(stubs)[:2] == ["dvc repro --pull", "dvc repro"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "BASE must be a commit or a branch of this clone, but is 'nowhere'"),
        ([], "BASE must be a commit"),
        (["--help"], "BASE must be a commit"),
        (["main", "sometimes"], "worse, not-better or never, but is sometimes"),
    ],
)
def test_a_mistake_is_told_before_anything_is_run(stubs, words, said):
    assert said in script(stubs, ".ci/review", *words, code=2)
    assert said in (stubs / "review.md").read_text()
    assert not (stubs / "calls").exists()


def test_a_workflow_that_fails_is_no_verdict_and_the_comment_says_so(stubs):
    stub(stubs, "dvc", "exit 1")
    script(stubs, ".ci/review", "main", code=2)
    assert "### ❓ No review" in (stubs / "review.md").read_text()
    assert calls(stubs) == ["dvc repro"]


def test_results_that_were_not_committed_are_told(stubs):
    stub(stubs, "dvc", "mkdir -p metrics; echo 1 >metrics/test.json")
    assert "not those of this code" in script(stubs, ".ci/review", "main", code=1)
    assert (stubs / "review.md").read_text().startswith("page\n\n> The results that are committed here are not those")


# ---- .ci/retrain -----------------------------------------------------------------------------------------------------

LASTS = {"part": "performance", "subject": "roc_auc", "ended": None}
RESULT = {"word": "better", "branch": "retrain/crm-1234abcd", "sentence": "refit is better than the champion."}


def watched(root: Path, code: int, result: dict[str, Any], *lasts: dict[str, Any]) -> None:
    """Let `mlworkflow monitor` end with a code and alarms that last, and `retrain` with a result."""
    stub(root, "python", f'exec {sys.executable} "$@"')
    report, told = json.dumps({"alarms": [{**LASTS, "ended": "2024-05"}, *(lasts or [LASTS])]}), json.dumps(result)
    stub(root, "mlworkflow", f"case $1 in monitor) echo '{report}'; exit {code};; *) echo '{told}';; esac")


def typed(root: Path) -> list[str]:
    return [line for line in (root / "calls").read_text().splitlines() if line.startswith("mlworkflow")]


def test_a_quiet_week_retrains_nothing(stubs):
    watched(stubs, 0, RESULT)
    assert "quiet" in script(stubs, ".ci/retrain", "--window", "week", code=0)
    assert typed(stubs) == ["mlworkflow monitor --json --window week"]


def test_an_alarm_that_lasts_is_what_is_retrained_for(stubs):
    watched(stubs, 1, {**RESULT, "word": "no clear difference"})
    assert "performance/roc_auc: refit is better" in script(stubs, ".ci/retrain", code=0)
    assert typed(stubs)[1:] == ["mlworkflow retrain --because performance/roc_auc --json"]


BROKEN = {"part": "quality", "subject": "paid: outside", "ended": None, "check": {"words": "paid lies outside"}}


def test_a_broken_source_is_a_matter_for_people_and_no_reason_to_retrain(stubs):
    watched(stubs, 1, RESULT, BROKEN)
    said = script(stubs, ".ci/retrain", code=1)
    assert "quality/paid: outside: paid lies outside" in said
    assert "mlworkflow log --last 20" in said
    assert len(typed(stubs)) == 1
    watched(stubs, 1, {**RESULT, "word": "no clear difference"}, BROKEN, LASTS)
    script(stubs, ".ci/retrain", code=0)
    assert typed(stubs)[-1] == "mlworkflow retrain --because performance/roc_auc --json"


def test_a_branch_that_was_reviewed_as_better_is_pushed(stubs, tmp_path):
    run(tmp_path, "git", "init", "-q", "--bare", "origin")
    run(stubs, "git", "remote", "add", "origin", str(tmp_path / "origin"))
    run(stubs, "git", "branch", RESULT["branch"])
    watched(stubs, 1, RESULT)
    script(stubs, ".ci/retrain", code=0, PATH="/usr/bin:/bin")
    assert RESULT["branch"] in run(tmp_path / "origin", "git", "branch")


def test_a_monitor_that_cannot_look_is_an_error(stubs):
    watched(stubs, 2, RESULT)
    script(stubs, ".ci/retrain", code=2)
    assert len(typed(stubs)) == 1


# ---- .ci/review, the real thing --------------------------------------------------------------------------------------


def installed(root: Path) -> None:
    """Let the clone's .venv be the environment of these tests, so that `make` finds nothing to install."""
    (root / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if not entry.name.startswith("installed"):
            (root / ".venv" / entry.name).symlink_to(entry)
    (root / ".venv/installed").touch()


def edit(root: Path, name: str, was: str, now: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert was in text
    (root / name).write_text(text.replace(was, now), encoding="utf-8")


def commit(root: Path, branch: str) -> None:
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "-qm", branch)


@pytest.fixture(scope="module")
def branches(tmp_path_factory) -> Path:
    """A clone whose main branch has a model that is held back; `better` lets it go, `worse` does the contrary of it."""
    root = copy_project(tmp_path_factory.mktemp("ci") / "clone")
    installed(root)
    cut_workflow(root, *STAGES)
    edit(root, "conf/config.yaml", "search: bayesian", "search: none")
    edit(root, "conf/config.yaml", "problem: breast_cancer", "problem: wine")
    edit(root, "conf/problem/wine.yaml", "folds: 5", "folds: 3")
    edit(root, LINEAR, "C: 1.0", "C: 0.001")
    run_stages(root)
    run(root, "dvc", "commit", "--force", "--quiet")
    commit(root, "main")
    return root


def reviewed(root: Path, base: str, code: int) -> str:
    """Return the Markdown of `.ci/review`, which must end so."""
    said = script(root, ".ci/review", base, code=code)
    found = (root / "review.md").read_text(encoding="utf-8")
    assert found.startswith("### "), said
    return found


@pytest.mark.slow
def test_a_better_an_equal_and_a_worse_branch_give_0_0_and_1(branches):
    run(branches, "git", "checkout", "-qb", "better")
    edit(branches, LINEAR, "C: 0.001", "C: 1.0")
    mlworkflow(branches, "compose")
    commit(branches, "better, not yet run")
    told = reviewed(branches, "main", code=0)
    assert "Better" in told.splitlines()[0]
    assert "The results that are committed here are not those of this code" in told
    assert (branches / "review.html").stat().st_size > 1000
    assert "review" not in run(branches, "git", "status", "--porcelain")
    commit(branches, "better, with its results")

    run(branches, "git", "checkout", "-qb", "equal", "main")
    (branches / "README.md").write_text("Another word.\n")
    commit(branches, "equal")
    told = reviewed(branches, "main", code=0)
    assert "No clear difference" in told.splitlines()[0]
    assert "not those of this code" not in told

    run(branches, "git", "checkout", "-qb", "worse", "better")
    run(branches, "git", "checkout", "main", "--", ".")
    commit(branches, "worse")
    assert "Worse" in reviewed(branches, "better", code=1).splitlines()[0]


# ---- .ci/comment -----------------------------------------------------------------------------------------------------


class Notes(BaseHTTPRequestHandler):
    """The part of GitLab's interface that comments need; `notes` holds what was written."""

    notes: list[dict[str, Any]]

    def do_GET(self) -> None:
        self._answer({"id": 7} if self.path.endswith("/user") else self.notes)

    def do_POST(self) -> None:
        self.notes.append({"id": len(self.notes) + 1, "author": {"id": 7}, "body": self._body()})
        self._answer({})

    def do_PUT(self) -> None:
        self.notes[int(self.path.rpartition("/")[2]) - 1]["body"] = self._body()
        self._answer({})

    def _body(self) -> str:
        return parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["body"][0]

    def _answer(self, told: object) -> None:
        assert self.path.startswith(("/api/user", "/api/projects/3/merge_requests/5/notes"))
        self.send_response(200 if self.headers["PRIVATE-TOKEN"] == "made up" else 401)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def notes() -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    """What a job of a merge request knows, and the notes of its request, one of somebody who forged the mark."""
    there = [{"id": 1, "author": {"id": 8}, "body": "<!-- mlworkflow review -->\nforged"}]
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Notes,), {"notes": there}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told = {"CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api", "CI_MERGE_REQUEST_PROJECT_ID": "3"}
    yield told | {"CI_MERGE_REQUEST_IID": "5", "REVIEW_TOKEN": "made up", "GITHUB_ACTIONS": "", "NO_PROXY": "*"}, there
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_on_gitlab_there_is_one_comment_which_a_later_run_changes(notes):
    job, there = notes
    for text in ("Better & <b>\n", "Worse: ä + 1%\n"):
        script(ROOT, ".ci/comment", code=0, told=text, **job)
        assert [note["body"] for note in there[1:]] == [f"<!-- mlworkflow review -->\n{text}"]
    assert there[0]["body"].endswith("forged")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_token_that_may_not_comment_fails_the_job_and_none_says_where_the_review_is(notes):
    job, there = notes
    said = script(ROOT, ".ci/comment", code=1, told="Better\n", **job | {"REVIEW_TOKEN": "another"})
    assert "the scope api and the role Reporter" in said
    assert "Traceback" not in said
    assert "artifacts" in script(ROOT, ".ci/comment", code=0, told="Better\n", **job | {"REVIEW_TOKEN": ""})
    assert len(there) == 1


GH = """#!/usr/bin/env bash
echo "$*" | tee -a "$HERE/calls" | grep -q paginate && cat "$HERE/ids" && exit
cat "${@: -1:1}" 2>/dev/null || cat "$(echo "${@: -1:1}" | cut -d@ -f2-)" >"$HERE/body"
"""


@pytest.mark.parametrize(
    ("ids", "call"), [("", "POST repos/o/r/issues/9/"), ("4\n", "PATCH repos/o/r/issues/comments/4 ")]
)
def test_on_github_the_comment_is_made_or_changed(tmp_path, ids, call):
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "ids").write_text(ids)
    job = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "PULL_REQUEST": "9", "HERE": str(tmp_path)}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    script(ROOT, ".ci/comment", code=0, told="Better\n", PATH=path, **job)
    assert call in (tmp_path / "calls").read_text().splitlines()[-1]
    assert (tmp_path / "body").read_text() == "<!-- mlworkflow review -->\nBetter\n"


def test_outside_of_a_request_there_is_nothing_to_comment_on():
    nowhere = {"GITHUB_ACTIONS": "", "PULL_REQUEST": "", "CI_MERGE_REQUEST_IID": ""}
    assert "this is no job of one" in script(ROOT, ".ci/comment", code=2, told="Better\n", **nowhere)
