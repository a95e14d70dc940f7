"""The review says which of two revisions is better, how sure that is and what changed; else why it cannot tell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.conftest import mlworkflow
from tests.reviewed import ROWS, begin, commit, experiment, forget_cache, git, run


@pytest.fixture
def repository(tmp_path):
    """A repository whose HEAD holds a fair model."""
    root = begin(tmp_path / "repository")
    run(root, 1.0)
    commit(root, "a fair model")
    return root


def review(root, *words: str, code: int = 0) -> dict:
    return json.loads(mlworkflow(root, "review", *words, "--json", code=code))


# ---- the word and the exit code --------------------------------------------------------------------------------------


def test_a_much_better_workspace_is_better_than_head(repository):
    run(repository, 2.5)
    told = review(repository)
    assert told["word"] == "better"
    assert told["metrics"][0]["difference"]["low"] > 0
    assert told["sentence"].startswith("The candidate is better in roc_auc, 0.9")


def test_a_much_worse_workspace_is_worse_and_fails_by_default_alone(repository):
    run(repository, 0.2)
    assert review(repository, code=1)["word"] == "worse"
    assert review(repository, "--fail-on", "not-better", code=1)["word"] == "worse"
    assert review(repository, "--fail-on", "never", code=0)["word"] == "worse"


def test_the_same_results_are_no_clear_difference_which_fails_where_better_is_asked_for(repository):
    told = review(repository)
    assert told["word"] == "no clear difference"
    assert told["metrics"][0]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    review(repository, "--fail-on", "not-better", code=1)


def test_a_gain_that_is_sure_but_not_worth_having_is_no_clear_difference(repository):
    worth = {"metrics": {"primary": "roc_auc", "also": [], "least_gain": 0.5}}
    run(repository, 1.0, changes=worth)
    commit(repository, "a high bar")
    run(repository, 2.5, changes=worth)
    told = review(repository)
    assert told["metrics"][0]["difference"]["low"] > 0
    assert told["word"] == "no clear difference"


def test_turned_round_the_review_says_the_opposite(repository):
    run(repository, 2.5)
    experiment(repository, "bold-idea")
    forth, back = review(repository, "HEAD", "bold-idea"), review(repository, "bold-idea", "HEAD", code=1)
    assert (forth["word"], back["word"]) == ("better", "worse")
    assert forth["metrics"][0]["difference"]["value"] == -back["metrics"][0]["difference"]["value"]


# ---- which revisions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["branch", "tag", "hash", "experiment"])
def test_a_revision_is_named_by_branch_tag_hash_or_experiment(repository, kind):
    run(repository, 2.5)
    if kind == "experiment":
        experiment(repository, "it")
    else:
        git(repository, "checkout", "--quiet", "-b", "it" if kind == "branch" else "other")
        sha = commit(repository, "a good one")
        if kind == "tag":
            git(repository, "tag", "it")
    told = review(repository, "main", sha if kind == "hash" else "it")
    assert told["word"] == "better"


def test_on_a_branch_the_base_is_where_it_left_main(repository):
    git(repository, "checkout", "--quiet", "-b", "idea")
    run(repository, 2.5)
    commit(repository, "better")
    assert review(repository)["word"] == "better"
    assert "main" in review(repository)["base"]


def test_in_a_worktree_of_git_the_main_cache_is_used(repository, tmp_path):
    run(repository, 2.5)
    experiment(repository, "it")
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "beside"))
    assert review(tmp_path / "beside", "main", "it")["word"] == "better"


def test_in_a_worktree_a_cache_that_the_main_one_names_is_used_too(repository, tmp_path):
    run(repository, 2.5)
    experiment(repository, "it")
    (repository / ".dvc/cache").rename(tmp_path / "shared")
    (repository / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "beside"))
    assert review(tmp_path / "beside", "main", "it")["word"] == "better"


def test_an_unknown_name_is_told_with_the_nearest_one(repository):
    run(repository, 2.5)
    experiment(repository, "bold-idea")
    told = mlworkflow(repository, "review", "bold-ide", code=2)
    assert "did you mean 'bold-idea'?" in told
    assert "Traceback" not in told


# ---- what cannot be compared -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "other"}, "the problem was"),
        ({"metrics": {"primary": "log_loss", "also": []}}, "the primary metric was roc_auc, and is log_loss"),
    ],
)
def test_another_question_is_not_comparable(repository, changes, why):
    run(repository, 2.5, changes=changes)
    told = review(repository, code=2)
    assert told["word"] == "not comparable"
    assert why in told["sentence"]


def test_no_common_test_row_is_not_comparable(repository):
    run(repository, 2.5, ids=np.arange(10_000, 10_300))
    told = review(repository, code=2)
    assert "no test row in common" in told["sentence"]


def test_rows_of_one_side_alone_are_counted_and_left_out(repository):
    run(repository, 1.0, ids=np.arange(220))
    assert review(repository, "HEAD", code=0)["rows"]["only in the candidate"] == 20


def test_a_workspace_that_was_changed_since_its_run_is_refused(repository):
    text = (repository / "params.yaml").read_text()
    (repository / "params.yaml").write_text(text.replace("skill 1", "skill 9"))
    assert "the workspace changed since its last run: model" in mlworkflow(repository, "review", code=2)


def test_predictions_that_are_nowhere_are_told_with_what_to_do(repository):
    run(repository, 2.5)
    experiment(repository, "it")
    forget_cache(repository)
    told = mlworkflow(repository, "review", "HEAD", "it", code=2)
    assert "neither in the cache nor in a remote" in told
    assert "--reproduce" in told


def test_a_repository_without_a_commit_is_told(tmp_path):
    root = begin(tmp_path / "empty")
    run(root, 1.0)
    assert "the repository has no commit" in mlworkflow(root, "review", code=2)


def test_a_commit_before_the_first_run_is_told(repository):
    git(repository, "checkout", "--quiet", "--orphan", "bare")
    git(repository, "rm", "--quiet", "-r", "--cached", ".")
    (repository / "dvc.lock").unlink()
    (repository / "metrics/test.json").unlink()
    commit(repository, "nothing has run")
    assert "has no readable dvc.lock" in mlworkflow(repository, "review", "bare", "main", code=2)


def test_a_review_changes_nothing(repository):
    run(repository, 2.5)
    before = git(repository, "status", "--porcelain")
    review(repository)
    assert git(repository, "status", "--porcelain") == before


def damaged(repository, path: str, text: str) -> str:
    """Return what a review says of HEAD with a file that was damaged and committed."""
    git(repository, "checkout", "--quiet", "-b", "damaged")
    (repository / path).write_text(text)
    commit(repository, "damaged")
    return mlworkflow(repository, "review", "main", "damaged", code=2)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("metrics/test.json", "{"),
        ("params.yaml", "a: ["),
        ("dvc.lock", "stages:\n  evaluate:\n  - 3\n"),
    ],
)
def test_a_damaged_file_of_a_commit_is_named(repository, path, text):
    assert path in damaged(repository, path, text)


def test_probabilities_that_are_none_are_told_as_damage(repository):
    run(repository, 1.0, spoil=lambda table: table.assign(probability_yes=5.0))
    assert "is not as evaluate writes it" in mlworkflow(repository, "review", code=2)


def test_an_empty_name_is_no_default(repository):
    assert "a revision has no name" in mlworkflow(repository, "review", "", code=2)


def test_rows_without_a_common_id_but_with_the_same_truth_are_paired_by_order_and_it_says_so(repository):
    run(repository, 2.5, ids=np.arange(ROWS) + 10_000)
    assert "paired by their order" in mlworkflow(repository, "review")


def test_an_edit_of_conf_that_was_not_run_is_refused(repository):
    (repository / "conf").mkdir()
    (repository / "conf/config.yaml").write_text("seed: 7\n")
    run(repository, 2.5, deps=["conf"])
    assert review(repository)["word"] == "better"
    (repository / "conf/config.yaml").write_text("seed: 8\n")
    assert "changed since its last run: conf" in mlworkflow(repository, "review", code=2)


def test_a_stage_that_has_not_run_is_named(repository):
    (repository / "dvc.yaml").write_text("stages: {evaluate: {cmd: x}, decide: {cmd: y}}\n")
    assert "changed since its last run: the stage decide" in mlworkflow(repository, "review", code=2)


# ---- what it tells ---------------------------------------------------------------------------------------------------


def test_parameters_and_packages_that_changed_are_named(repository):
    (repository / "requirements.lock").write_text("numpy==2.1 --hash=x\n")
    commit(repository, "locked")
    (repository / "requirements.lock").write_text("numpy==2.2 --hash=x\n")
    run(repository, 2.5, params={"seed": 8})
    causes = review(repository)["causes"]
    assert causes["params"]["seed"] == [7, 8]
    assert causes["packages"] == {"numpy": ["2.1", "2.2"]}


def test_the_uses_of_the_test_rows_are_counted_and_widen_the_interval(repository):
    for number in range(4):
        run(repository, 1.0, seed=50 + number)
        experiment(repository, f"try-{number}")
    run(repository, 1.5)
    told = review(repository)
    assert told["test_rows_used"]["results"] == 6
    wide, narrow = told["test_rows_used"]["difference"], told["metrics"][0]["difference"]
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_results_of_other_test_rows_are_not_counted(repository):
    run(repository, 1.0, seed=50, rows="others")
    experiment(repository, "elsewhere")
    assert review(repository)["test_rows_used"]["results"] == 1


def test_a_run_without_refits_says_that_the_noise_of_the_training_is_not_covered(repository):
    run(repository, 2.5, refits=False)
    assert "the noise of the training is not covered" in review(repository)["noise"]


def test_refits_make_the_interval_wider(repository):
    run(repository, 1.2, seed=2, refits=False)
    narrow = review(repository)["metrics"][0]["difference"]
    run(repository, 1.2, seed=2)
    wide = review(repository)["metrics"][0]["difference"]
    assert wide["value"] == narrow["value"]
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_the_terminal_needs_80_columns_and_the_files_are_written_whole(repository, tmp_path):
    run(repository, 0.2)
    page, comment = tmp_path / "page.html", tmp_path / "comment.md"
    said = mlworkflow(repository, "review", "--html", str(page), "--markdown", str(comment), code=1)
    assert max(len(line) for line in said.splitlines()) <= 80
    assert said.startswith("WORSE\n")
    assert "### ❌ Worse" in comment.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").count("<svg") == 3
