"""A retraining begins where nothing is passed over; what releases by itself does so once, and by the checks."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mlworkflow.core import io
from mlworkflow.core.params import Retrain
from mlworkflow.core.problem import Target
from mlworkflow.judging.verdict import BETTER, NO_BETTER
from mlworkflow.releasing import tags
from mlworkflow.retraining import ready
from mlworkflow.retraining.branch import WINNER
from mlworkflow.retraining.choice import BETTER as CHOSEN
from mlworkflow.retraining.choice import Chosen
from mlworkflow.retraining.command import _concluded
from mlworkflow.retraining.place import Place, RetrainError, _local_config
from mlworkflow.retraining.result import Result
from tests.conftest import make_problem, mlworkflow
from tests.released import model
from tests.reviewed import git

POLICY = Retrain(name="default")


def trouble(root: Path, problem=None) -> str:
    """Return what a retraining says in `root`."""
    with contextlib.chdir(root), pytest.raises(RetrainError) as told:
        ready.ready(problem or bundled(), POLICY, lambda _: None)
    return str(told.value)


def bundled(**changes):
    data = {"target": "diagnosis", "positive": "malignant", "key": []}
    source = {"_target_": "mlworkflow.sources.bundled", "name": "breast_cancer"}
    snapshot = "conf/problem/breast_cancer.yaml"
    made = make_problem(task="binary", name="breast_cancer", data=data, snapshot=snapshot, **changes)
    return made.model_copy(update={"source": Target.model_validate(source)})


def test_no_release_too_few_rows_and_what_is_not_committed_are_told_at_once(repository):
    with (repository / "conf/model/linear.yaml").open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    io.write_text("name: new\n", repository / "conf/problem/new.yaml")
    told = trouble(repository)
    assert "not committed: conf/model/linear.yaml." in told
    assert "not known to Git: conf/problem/new.yaml." in told
    assert "params.yaml must be composed from conf/ as it is now" in told
    assert "there is no release yet" in told
    assert "200 new labelled rows are needed (conf/retrain), there are 0" in told
    assert len(told.splitlines()) == 6


def test_a_clean_workspace_is_ready_but_for_its_rows(repository):
    found = [*ready.ahead_of_head(repository), *ready.unnamed(repository)]
    with contextlib.chdir(repository):
        found += ready.stale()
    assert found == []


def test_a_table_that_head_does_not_record_is_named(tmp_path, problem):
    assert not [*ready.other_table(tmp_path, problem)]  # nothing is recorded
    (tmp_path / "customers.csv").write_text("a\n1\n", encoding="utf-8")
    io.write_yaml({"outs": [{"md5": "b" * 32, "path": "customers.csv"}]}, tmp_path / "customers.csv.dvc")
    (told,) = ready.other_table(tmp_path, problem)
    assert "customers.csv is not the table that customers.csv.dvc records" in told


def test_a_release_on_a_branch_that_was_not_merged_is_to_be_merged_first(repository):
    git(repository, "switch", "-q", "-c", "retrain/breast_cancer-1")
    model(repository, "retrained")
    mlworkflow(repository, "release")
    git(repository, "switch", "-q", "main")
    champion = tags.current("prod", root=repository)
    (told,) = ready.unmerged(repository, champion)
    assert "git merge --ff-only retrain/breast_cancer-1 && dvc checkout" in told
    git(repository, "merge", "-q", "--ff-only", "retrain/breast_cancer-1")
    assert not [*ready.unmerged(repository, champion)]


# ---- released by itself ----------------------------------------------------------------------------------------------


class Clone(Place):
    """A clone in which DVC and `promote` leave what they would, and each command is kept."""

    def type(self, *words: str) -> str:
        """Carry out a command."""
        typed.append(" ".join(words))
        if words[0] == "git":
            git(self.folder, *words[1:])
        elif words[:2] == ("mlworkflow", "promote"):
            model(self.folder, "winner", **DECISION)
        elif words[0] == "mlworkflow":
            mlworkflow(self.folder, *words[1:])
        return ""


typed: list[str] = []
DECISION: dict[str, object] = {}


@pytest.fixture
def place(repository, tmp_path):
    """A clone of a repository with a release, in which a candidate is better."""
    mlworkflow(repository, "release")
    git(tmp_path, "clone", "-q", str(repository), "clone")
    shutil.copytree(repository / "models", tmp_path / "clone/models")
    for name, value in (("name", "Ada"), ("email", "a@b.ch")):
        git(tmp_path / "clone", "config", f"user.{name}", value)
    typed.clear()
    DECISION.clear()
    return Clone(tmp_path / "clone", repository, {}, lambda _: None)


def concluded(place: Place, auto_release: str = "when better") -> Result:
    chosen = Chosen(CHOSEN, "refit", "refit is better", {}, {})
    made = Result("breast_cancer", "v1.0.0", "retrain/breast_cancer-1", "a test", {}, chosen)
    with contextlib.chdir(place.home):
        return _concluded(place, made, "1", Retrain(name="default", auto_release=auto_release))


def versions(root: Path) -> list[str]:
    return [one.version for one in tags.versions(tags.read(root), "breast-cancer")]


def test_a_better_model_is_released_by_itself_with_a_record(place):
    made = concluded(place)
    now = tags.current("prod", root=place.home)
    assert (made.released, now.version) == ("v1.1.0", "v1.1.0")
    assert now.told("because") == "retrained by itself: a test. refit is better"
    assert git(place.home, "rev-parse", made.branch) == now.commit
    assert (place.home / made.page).is_file()
    assert next(line for line in typed if line.startswith("mlworkflow release")).split()[4] == "--strict"


def test_killed_anywhere_in_the_end_it_releases_once(place, monkeypatch):
    class Killed(BaseException):
        pass

    whole = Clone.type
    for count in range(20):
        left = [count]

        def dying(self, *words: str, left=left) -> str:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return whole(self, *words)

        monkeypatch.setattr(Clone, "type", dying)
        with contextlib.suppress(Killed):
            concluded(place)
            break
    assert count > 3
    assert versions(place.home) == ["v1.0.0", "v1.1.0"]
    assert sum(line.startswith("mlworkflow promote") for line in typed) == 1


def test_what_a_release_would_refuse_is_not_released_by_itself_and_the_command_says_why(place):
    DECISION.update(verdict=NO_BETTER, good_enough=False)
    made = concluded(place)
    assert (made.released, versions(place.home)) == (None, ["v1.0.0"])
    assert made.against[0] == f"the verdict is: {NO_BETTER}"
    assert made.commands[-1] == "mlworkflow release --because 'refit is better than v1.0.0'"
    assert git(place.home, "rev-parse", made.branch)


def test_nothing_is_released_unless_the_policy_says_so(place):
    made = concluded(place, "never")
    assert (made.released, versions(place.home)) == (None, ["v1.0.0"])
    assert made.commands[-1] == "mlworkflow release"
    assert DECISION.get("verdict", BETTER) == BETTER


def test_another_version_that_came_meanwhile_is_not_released_over(place):
    model(place.home, "by hand")
    mlworkflow(place.home, "release")
    with pytest.raises(RetrainError, match=r"set against v1.0.0, but prod went to v1.1.0 meanwhile"):
        concluded(place)
    assert versions(place.home) == ["v1.0.0", "v1.1.0"]


def test_the_winner_is_kept_where_a_reset_leaves_it(place):
    concluded(place, "never")
    assert git(place.folder, "rev-parse", WINNER) == git(place.home, "rev-parse", "retrain/breast_cancer-1")


def test_a_reason_that_overrides_nothing_is_recorded_alone(repository):
    model(repository, "weak", verdict=NO_BETTER)
    told = mlworkflow(repository, "release", "--strict", "--because", "a machine", code=1)
    assert f"the verdict is: {NO_BETTER}" in told
    mlworkflow(repository, "release", "--because", "a person")
    assert tags.current("prod", root=repository).told("overridden") == f"the verdict is: {NO_BETTER}"


def test_a_clone_knows_the_remotes_that_only_this_machine_knows(repository):
    io.write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = ../store\n", repository / ".dvc/config.local"
    )
    told = _local_config(repository)
    assert "remote = store" in told
    assert f"url = {repository / 'store'}" in told


def test_a_page_tells_what_is_against_a_release(place):
    DECISION.update(verdict=NO_BETTER)
    made = concluded(place)
    assert f"the verdict is: {NO_BETTER}" in (place.home / made.page).read_text(encoding="utf-8")
    assert json.dumps(made.to_dict())


def test_truth_in_files_and_in_the_log_stays_truth():
    from mlworkflow.retraining.rows import _alike

    raw = pd.DataFrame({"flag": [True, False]})
    found = _alike(pd.DataFrame({"flag": ["True", False, "0", None, "x"]}, dtype="object"), raw)["flag"]
    assert found.tolist() == [True, False, False, pd.NA, pd.NA]
    table = pd.concat([raw, found.to_frame()], ignore_index=True)
    assert pd.read_parquet(io_buffer(io.parquet(table)))["flag"].dropna().tolist() == [True, False, True, False, False]


def io_buffer(content: bytes):
    from io import BytesIO

    return BytesIO(content)
