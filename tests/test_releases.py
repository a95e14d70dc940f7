"""Releases are tags: a stage goes forward and back, nothing is lost, and every clone finds the bundle."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mlworkflow import cli
from mlworkflow.core import io
from mlworkflow.core.errors import DamagedBundleError
from mlworkflow.doctoring.hashing import folder_md5, md5
from mlworkflow.judging.verdict import BETTER, NO_BETTER
from mlworkflow.releasing import bundles, tags
from mlworkflow.releasing.tags import ReleaseError
from mlworkflow.serving import folder
from tests.conftest import ROOT, mlworkflow
from tests.released import model
from tests.reviewed import commit, git

NAME = "breast-cancer"


def at(root: Path, stage: str = "prod") -> str:
    return tags.current(stage, root=root).version


def released(root: Path, *names: str) -> None:
    """Make a model a version each, and put it into prod."""
    for name in names:
        model(root, name)
        mlworkflow(root, "release")


# ---- release ---------------------------------------------------------------------------------------------------------


def test_a_release_is_two_annotated_tags_that_gto_reads_with_what_was_known(repository):
    head = git(repository, "rev-parse", "HEAD")
    said = mlworkflow(repository, "release")
    assert f"Tagged: {NAME}@v1.0.0, {NAME}#prod#1" in said
    now = tags.current("prod", "breast_cancer", repository)
    assert (now.version, now.commit, now.who) == ("v1.0.0", head, "Ada")
    assert now.told("verdict") == BETTER
    assert now.told("roc_auc") == "0.9"
    assert now.told("manifest sha256") == io.sha256(repository / "models/bundle/manifest.json")
    from gto import api

    (read,) = api.find_versions_in_stage(str(repository), NAME, "prod")
    assert (read.version, read.commit_hexsha) == ("v1.0.0", head)


def test_a_commit_is_one_version_and_goes_into_a_stage_once(repository):
    mlworkflow(repository, "release", "--stage", "none")
    assert git(repository, "tag") == f"{NAME}@v1.0.0"
    assert "HEAD is v1.0.0 already" in mlworkflow(repository, "release", "--stage", "none", code=1)
    mlworkflow(repository, "release")
    mlworkflow(repository, "release", "--stage", "staging")
    assert "v1.0.0 already, and prod is at it" in mlworkflow(repository, "release", code=1)
    assert "leave --bump and --as away" in mlworkflow(repository, "release", "--bump", "major", code=1)
    assert git(repository, "tag").split() == [f"{NAME}#prod#1", f"{NAME}#staging#2", f"{NAME}@v1.0.0"]


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ([], "v1.1.0"), (["--bump", "patch"], "v1.0.1"), (["--bump", "major"], "v2.0.0"), (["--as", "3.1.4"], "v3.1.4")
    ],
)  # fmt: skip
def test_the_next_version_is_the_one_that_was_asked_for(repository, asked, version):
    mlworkflow(repository, "release")
    model(repository, "second")
    mlworkflow(repository, "release", *asked)
    assert at(repository) == version


def test_every_reason_against_a_release_is_told_at_once_and_nothing_is_tagged(repository):
    model(repository, "bad", verdict=NO_BETTER, good_enough=False, passed={"least_recall": False, "size": True})
    (repository / "models/bundle/card.md").write_text("forged")
    (repository / "dvc.yaml").write_text("stages: {package: {cmd: x}, evaluate: {cmd: y}}\n")
    (repository / "conf/problem/new.yaml").write_text("name: new\n")
    said = mlworkflow(repository, "release", "--because", "it is urgent", "--as", "1.x", "--stage", "a b", code=1)
    for reason in (
        "the verdict is: no better than the baseline (*)",
        "the model does not keep least_recall (*)",
        "not committed: dvc.yaml (*)",
        "Git does not know conf/problem/new.yaml (*)",
        "params.yaml must be composed from conf/",
        "models/bundle is not the one of dvc.lock",
        "card.md has the SHA-256",
        "changed since the last run: the stage evaluate",
        "a version is three numbers",
        "a stage is letters",
    ):
        assert reason in said
    assert git(repository, "tag") == ""


def test_a_verdict_of_no_is_overridden_by_a_reason_that_stays_on_record(repository):
    model(repository, "bad", verdict=NO_BETTER, good_enough=False, passed={"least_recall": False})
    (repository / "dvc.yaml").write_text(f"# edited\n{(repository / 'dvc.yaml').read_text()}")
    assert '--because "REASON"' in mlworkflow(repository, "release", code=1)
    assert git(repository, "tag") == ""
    mlworkflow(repository, "release", "--because", "the old one\nbroke the law")
    now = tags.current("prod", root=repository)
    assert now.told("because") == "the old one broke the law"
    for over in (f"the verdict is: {NO_BETTER}", "the model does not keep least_recall", "not committed: dvc.yaml"):
        assert f"overridden: {over}" in now.message
    assert "because: the old one broke the law" in " ".join(mlworkflow(repository, "releases").split())


def test_where_an_experiment_was_run_the_line_that_makes_it_a_commit_is_told(repository):
    head = git(repository, "rev-parse", "HEAD")
    params = (repository / "params.yaml").read_text()
    for name, seed in (("other-one", 8), ("bold-name", 7)):
        (repository / "params.yaml").write_text(params.replace("seed: 42", f"seed: {seed}"))
        made = git(repository, "stash", "create")
        git(repository, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", made)
    assert "`mlworkflow promote bold-name --commit`" in " ".join(mlworkflow(repository, "release", code=1).split())
    (repository / "params.yaml").write_text(f"{params}# by hand\n")
    assert "promote" not in mlworkflow(repository, "release", code=1)


@pytest.mark.parametrize("harm", ["missing", "damaged", "another", "not recorded"])
def test_no_reason_releases_a_bundle_that_is_not_the_recorded_one(repository, harm):
    place = repository / "models/bundle"
    if harm == "missing":
        shutil.rmtree(place)
    elif harm == "damaged":
        (place / "pipeline.skops").write_bytes(b"forged")
    elif harm == "another":
        before = (repository / "dvc.lock").read_text()
        model(repository, "another")
        (repository / "dvc.lock").write_text(before)
        commit(repository, "an old dvc.lock")
    else:
        io.write_yaml({"schema": "2.0", "stages": {"package": {"cmd": "true"}}}, repository / "dvc.lock")
        commit(repository, "no bundle")
    assert "models/bundle" in mlworkflow(repository, "release", "--because", "it is urgent", code=1)
    assert git(repository, "tag") == ""


def test_a_detached_head_in_a_worktree_is_released_like_any_commit(repository, tmp_path):
    place = tmp_path / "tree"
    git(repository, "worktree", "add", "--quiet", "--detach", str(place))
    shutil.copytree(repository / "models", place / "models")
    mlworkflow(place, "release")
    assert at(repository) == at(place) == "v1.0.0"
    shutil.rmtree(place / "models")
    assert folder.read(bundles.fetch(tags.current("prod", root=place), place))[0]["model"] == "first"


def test_tags_of_other_kinds_are_no_releases(repository):
    git(repository, "tag", "v1")
    git(repository, "tag", f"{NAME}@v9.0.0")  # lightweight
    git(repository, "tag", f"{NAME}#prod#9")
    git(repository, "tag", "-a", "-m", "x", f"{NAME}@nine")
    (repository / ".git/words").write_bytes(b"not UTF-8: \xe4\n")
    git(repository, "tag", "-a", "-F", ".git/words", "v2")
    blob = git(repository, "hash-object", "-w", "dvc.yaml")
    git(repository, "tag", "-a", "-m", "x", f"{NAME}@v8.0.0", blob)
    with pytest.raises(ReleaseError, match="there is no release yet"):
        tags.current("prod", root=repository)
    git(repository, "tag", "-d", f"{NAME}@v8.0.0")  # GTO itself stumbles over it
    mlworkflow(repository, "release", "--as", "v1.0.0")
    git(repository, "tag", "-a", "-m", "x", "other@v1.0.0")
    git(repository, "tag", "-a", "-m", "x", "other#test#1")
    git(repository, "tag", "-a", "-m", "x", f"{NAME}-2@v7.0.0")
    assert at(repository) == "v1.0.0"
    assert tags.current("test", root=repository).problem == "other"
    with pytest.raises(ReleaseError, match=r"no version is in the stage 'test'.*Stages: prod"):
        tags.current("test", "breast_cancer", repository)


# ---- stages ----------------------------------------------------------------------------------------------------------


def test_a_stage_that_is_not_there_is_told_with_the_nearest(repository):
    mlworkflow(repository, "release", "--stage", "staging")
    with pytest.raises(ReleaseError, match=r"no version is in the stage 'stagign', did you mean 'staging'\?"):
        tags.current("stagign", root=repository)
    with pytest.raises(ReleaseError, match=r"'breast_cancr' has no release, did you mean 'breast-cancer'\?"):
        tags.current("staging", "breast_cancr", repository)
    git(repository, "tag", "-a", "-m", "x", "other@v1.0.0")
    git(repository, "tag", "-a", "-m", "x", "other#staging#1")
    with pytest.raises(ReleaseError, match="several problems have a version in staging: breast-cancer, other"):
        tags.current("staging", root=repository)


def test_a_rollback_keeps_the_history_and_goes_on_back_not_to_and_fro(repository):
    mlworkflow(repository, "release")
    released(repository, "second", "third")
    before = git(repository, "tag").split()
    said = mlworkflow(repository, "rollback", "--because", "too many complaints")
    assert f"{NAME}#prod#4" in said
    assert at(repository) == "v1.1.0"
    assert set(before) < set(git(repository, "tag").split())
    mlworkflow(repository, "rollback", "--because", "still")
    assert at(repository) == "v1.0.0"
    said = mlworkflow(repository, "rollback", "--because", "still", code=1)
    assert "v1.0.0 is the first version in prod" in said
    released(repository, "fourth")
    mlworkflow(repository, "rollback", "--because", "that too")
    assert at(repository) == "v1.0.0"
    history = mlworkflow(repository, "releases").split("prod:")[1]
    assert [line.split()[2] for line in history.strip().splitlines()] == [
        "v1.0.0", "v1.3.0", "v1.0.0", "v1.1.0", "v1.2.0", "v1.1.0", "v1.0.0"
    ]  # fmt: skip
    assert "rolled back v1.2.0: too many complaints" in history


def test_a_rollback_to_a_version_that_was_given_up_forgets_the_one_it_replaces(repository):
    mlworkflow(repository, "release")
    released(repository, "second")
    mlworkflow(repository, "rollback", "--because", "a")
    released(repository, "third")
    assert "did you mean 'v1.1.0'" in mlworkflow(repository, "rollback", "--to", "v1.1.1", "--because", "b", code=1)
    assert "prod is at v1.2.0 already" in mlworkflow(repository, "rollback", "--to", "1.2.0", "--because", "b", code=1)
    mlworkflow(repository, "rollback", "--to", "1.1.0", "--because", "b")
    assert at(repository) == "v1.1.0"
    mlworkflow(repository, "rollback", "--because", "c")
    assert at(repository) == "v1.0.0"


def test_what_goes_forward_is_no_rollback_and_the_older_version_is_the_way_back(repository):
    mlworkflow(repository, "release")
    released(repository, "second")
    mlworkflow(repository, "rollback", "--because", "a")
    mlworkflow(repository, "rollback", "--to", "v1.1.0", "--because", "it was the data")
    history = mlworkflow(repository, "releases").split("prod:")[1]
    assert "forward from v1.0.0: it was the data" in history.splitlines()[1]
    assert history.count("rolled back") == 1
    mlworkflow(repository, "rollback", "--because", "no, it was not")
    assert at(repository) == "v1.0.0"
    say = "x\n\nrolled back: v1.0.0\n"  # as it was recorded once
    git(repository, "tag", "-a", "-m", say, f"{NAME}#prod#6", f"{NAME}@v1.1.0^{{}}")
    mlworkflow(repository, "rollback", "--because", "again")
    assert at(repository) == "v1.0.0"


def test_a_rollback_needs_a_reason_and_a_bundle_that_can_be_had(repository):
    mlworkflow(repository, "release")
    released(repository, "second")
    said = mlworkflow(repository, "rollback", code=1)
    assert 'from v1.1.0 to v1.0.0 needs a reason. Type `mlworkflow rollback --because "REASON"`' in said
    shutil.rmtree(repository / ".dvc/cache")
    said = mlworkflow(repository, "rollback", "--because", "a", code=1)
    assert f"the bundle of {NAME}@v1.0.0 is not in DVC's cache, and there is no remote" in said
    assert at(repository) == "v1.1.0"


def test_what_gto_takes_back_is_no_release(repository):
    from gto import api

    mlworkflow(repository, "release")
    released(repository, "second")
    api.unassign(str(repository), NAME, version="v1.1.0", stage="prod")
    assert at(repository) == "v1.0.0"
    api.deregister(str(repository), NAME, version="v1.0.0")
    with pytest.raises(ReleaseError, match="no version is in the stage 'prod'"):
        tags.current("prod", root=repository)


def test_the_table_fits_a_terminal_and_tells_what_each_version_was(repository):
    assert "there is no release yet" in mlworkflow(repository, "releases", code=1)
    assert json.loads(mlworkflow(repository, "releases", "--json")) == []
    git(repository, "config", "user.name", "A person with a name that is rather long")
    mlworkflow(repository, "release", "--stage", "preproduction")
    assert " preproduction " in mlworkflow(repository, "releases").splitlines()[2]  # a person's name is cut first
    mlworkflow(repository, "release", "--stage", "a-stage-with-a-rather-long-name")
    model(repository, "second", verdict=NO_BETTER, good_enough=False)
    mlworkflow(repository, "release", "--because", "words " * 30)
    said = mlworkflow(repository, "releases")
    assert max(map(len, said.splitlines())) <= 80
    lines = [line.split() for line in said.splitlines()]
    assert [(line[0], line[-3]) for line in lines[2:4]] == [("v1.1.0", "no"), ("v1.0.0", "yes")]
    assert "v1.1.0 no better than the baseline; rules missed; because: words words" in said
    (told,) = json.loads(mlworkflow(repository, "releases", "--json"))
    assert told["stages"] == {
        "preproduction": "v1.0.0", "a-stage-with-a-rather-long-name": "v1.0.0", "prod": "v1.1.0"
    }  # fmt: skip
    assert [(one["model"], one["value"]) for one in told["versions"]] == [("second", 0.9), ("first", 0.9)]


def test_every_command_that_the_page_shows_is_one():
    lines = re.findall(r"^mlworkflow (.*)$", (ROOT / "docs/release.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = [cli.parser().parse_args(shlex.split(line, comments=True)).command for line in lines]
    assert set(told) == {"release", "releases", "rollback"}


# ---- bundles ---------------------------------------------------------------------------------------------------------


def test_the_bundle_of_an_older_version_comes_from_the_cache_and_damage_is_mended(repository):
    mlworkflow(repository, "release")
    released(repository, "second")
    first = tags.named("1.0.0", root=repository)
    place = bundles.fetch(first, repository)
    assert folder.read(place)[0]["model"] == "first"
    assert folder.read(bundles.fetch(tags.current("prod", root=repository), repository))[0]["model"] == "second"
    assert git(repository, "status", "--porcelain") == ""
    (place / "pipeline.skops").write_bytes(b"forged")
    assert bundles.fetch(first, repository) == place
    assert folder.read(place)[1]["pipeline.skops"] == b"first"


def test_a_bundle_that_does_not_fit_its_manifest_is_not_given_out(repository):
    place = repository / "models/bundle"
    mlworkflow(repository, "release")
    (place / "card.md").write_bytes(b"forged")  # and recorded by a hand that knows DVC
    digests = {path.name: md5(path.read_bytes()) for path in place.iterdir()}
    lock = yaml.safe_load((repository / "dvc.lock").read_text())
    lock["stages"]["package"]["outs"][0]["md5"] = folder_md5(digests)
    io.write_yaml(lock, repository / "dvc.lock")
    commit(repository, "forged")
    git(repository, "tag", "-a", "-m", "x", f"{NAME}@v2.0.0")
    with pytest.raises(DamagedBundleError, match=r"card\.md has the SHA-256"):
        bundles.fetch(tags.named("v2.0.0", root=repository), repository)


def test_another_clone_takes_the_bundle_from_the_remote(repository, tmp_path):
    remote = tmp_path / "remote"
    remote.mkdir()
    with (repository / ".dvc/config").open("a") as file:
        file.write("    remote = store\n['remote \"store\"']\n    url = ../../remote\n")
    commit(repository, "a remote")
    git(repository, "remote", "add", "origin", str(tmp_path))
    said = mlworkflow(repository, "release")
    assert "$ dvc push --quiet models/bundle" in said
    assert f"git push origin {NAME}@v1.0.0" in said
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(repository), str(other))
    now = tags.current("prod", root=other)
    ran: list[str] = []
    assert folder.read(bundles.fetch(now, other, ran.append))[0]["model"] == "first"
    bundles.fetch(now, other, ran.append)
    assert [line.partition(" -o ")[0] for line in ran] == [f"$ dvc get --quiet . models/bundle --rev {now.commit}"]
    shutil.rmtree(other / ".mlworkflow")
    remote.rename(tmp_path / "gone")
    with pytest.raises(ReleaseError, match=r"is not in DVC's cache, and the remote store cannot be reached"):
        bundles.fetch(now, other)


def test_a_remote_that_was_added_after_the_release_is_asked(repository, tmp_path):
    mlworkflow(repository, "release")
    (tmp_path / "remote").mkdir()
    git(tmp_path, "clone", "--quiet", str(repository), str(tmp_path / "other"))
    for root in (repository, tmp_path / "other"):
        with (root / ".dvc/config").open("a") as file:
            file.write("    remote = store\n['remote \"store\"']\n    url = ../../remote\n")
    shutil.copytree(repository / ".dvc/cache/files", tmp_path / "remote/files")  # as `dvc push` does
    place = bundles.fetch(tags.current("prod", root=tmp_path / "other"), tmp_path / "other")
    assert folder.read(place)[0]["model"] == "first"


def test_a_fetch_that_is_killed_leaves_nothing_that_looks_whole(repository):
    mlworkflow(repository, "release")
    program = (
        "import os, sys, signal; from pathlib import Path; from mlworkflow.releasing import bundles, tags\n"
        "made = []; write = Path.write_bytes\n"
        "def slow(path, content):\n"
        "    write(path, content[:1] if len(made) == 3 else content); made.append(path)\n"
        "    if len(made) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Path.write_bytes = slow; bundles.fetch(tags.current('prod'))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    left = list((repository / bundles.BUNDLES).iterdir())
    assert left
    assert all(path.name.startswith(".") for path in left)
    long_ago = time.time() - 2 * bundles.ABANDONED
    os.utime(left[0], (long_ago, long_ago))
    place = bundles.fetch(tags.current("prod", root=repository), repository)
    assert folder.read(place)[0]["model"] == "first"
    assert [*place.parent.iterdir()] == [place]


def test_the_bundles_used_last_are_kept(repository):
    mlworkflow(repository, "release", "--stage", "none")
    for number in range(bundles.KEPT + 1):
        commit_ = model(repository, f"model {number}")
        git(repository, "tag", "-a", "-m", "x", f"{NAME}@v2.0.{number}", commit_)
        place = bundles.fetch(tags.named(f"v2.0.{number}", root=repository), repository)
        os.utime(place, (number, number))
    first = bundles.fetch(tags.named("v2.0.0", root=repository), repository)
    there = {folder.read(path)[0]["model"] for path in first.parent.iterdir()}
    assert there == {"model 0", *(f"model {number}" for number in range(2, bundles.KEPT + 1))}


def test_yes_and_no_of_dvc_lock_stay_words():
    """DVC writes YAML 1.2, where `yes` is no boolean: a problem about yes and no could not be released."""
    told = io.lock_of("positive: yes\nnegative: no\ntaken: '2024-01-01'\nmissing: false\nrate: 1e-3\n")
    assert told == {"positive": "yes", "negative": "no", "taken": "2024-01-01", "missing": False, "rate": 0.001}
