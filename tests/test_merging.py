"""Merges that merge: what can be made again never stops a merge, and what cannot is never lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlworkflow.checking import upkeep
from mlworkflow.merging import driver, lockfile, params, readme, results, setup
from mlworkflow.merging.threeway import UnmergeableError, order, same
from tests.conftest import ROOT, environment, run


def lock(**stages: str) -> str:
    """Return a dvc.lock as DVC writes it: {stage: the MD5 of its output}."""
    parts = [
        f"  {name}:\n    cmd: python {name}.py\n    outs:\n    - path: {name}.txt\n      md5: {digest}\n"
        for name, digest in stages.items()
    ]
    return "".join(["schema: '2.0'\n", "stages:\n" if parts else "", *parts])


BASE = lock(a="a0", b="b0", c="c0")


@pytest.mark.parametrize(
    ("ours", "theirs", "merged", "left_out"),
    [
        (lock(a="a1", b="b0", c="c0"), lock(a="a0", b="b0", c="c1"), lock(a="a1", b="b0", c="c1"), []),
        (lock(a="a1", b="b0", c="c0"), lock(a="a1", b="b0", c="c1"), lock(a="a1", b="b0", c="c1"), []),
        (lock(a="a1", b="b0", c="c0"), lock(a="a2", b="b0", c="c1"), lock(b="b0", c="c1"), ["a"]),
        (lock(a="a0", b="b0", c="c1"), lock(a="a0", n="n1", b="b0", c="c0"), lock(a="a0", n="n1", b="b0", c="c1"), []),
        (lock(a="a0", c="c0"), lock(a="a0", b="b0", c="c1"), lock(a="a0", c="c1"), []),
        (lock(a="a0", c="c0"), lock(a="a0", b="b1", c="c0"), lock(a="a0", c="c0"), ["b"]),
        (lock(a="a0", b="b0", c="c0", n="n1"), lock(a="a0", b="b0", c="c0", n="n2"), BASE, ["n"]),
        (lock(a="a1"), lock(a="a2"), "schema: '2.0'\n", ["a"]),
    ],
    ids=["each", "equal", "different", "added", "removed", "removed-and-changed", "added-differently", "none-left"],
)
def test_each_stage_comes_from_the_side_that_changed_it_and_in_both_orders(ours, theirs, merged, left_out):
    assert lockfile.merge(BASE, ours, theirs) == (merged, left_out)
    again, dropped = lockfile.merge(BASE, theirs, ours)
    assert (yaml.safe_load(again), dropped) == (yaml.safe_load(merged), left_out)


def test_two_locks_without_an_ancestor_keep_what_is_equal():
    assert lockfile.merge("", lock(a="a0", b="b1"), lock(a="a0", b="b2")) == (lock(a="a0"), ["b"])


def test_other_keys_come_from_the_side_that_changed_them_or_are_a_conflict():
    def sets(url: str) -> str:
        return f"datasets:\n- name: rows\n  url: {url}\n"

    merged, _ = lockfile.merge(BASE + sets("x"), lock(a="a1", b="b0", c="c0") + sets("x"), BASE + sets("y"))
    assert yaml.safe_load(merged) == yaml.safe_load(lock(a="a1", b="b0", c="c0") + sets("y"))
    with pytest.raises(UnmergeableError, match="both sides changed datasets"):
        lockfile.merge(BASE + sets("x"), BASE + sets("z"), BASE + sets("y"))
    with pytest.raises(UnmergeableError, match="both sides changed schema"):
        lockfile.merge(BASE, BASE.replace("2.0", "3.0"), BASE.replace("2.0", "4.0"))


@pytest.mark.parametrize(
    "broken",
    [
        "<<<<<<< HEAD\n" + BASE,
        "schema: '2.0'\nstages: {a: {cmd: x}}\n",
        "schema: '2.0'\nstages:\n- a\n",
        BASE + "  a:\n    cmd: another\n",
        "just words\n",
    ],
    ids=["markers", "flow", "list", "twice", "words"],
)
def test_a_lock_that_dvc_did_not_write_is_not_merged(broken):
    for sides in ((BASE, broken, BASE), (BASE, BASE, broken), (broken, BASE, BASE)):
        with pytest.raises(UnmergeableError):
            lockfile.merge(*sides)


def test_a_stage_that_is_written_as_an_alias_of_one_left_out_is_not_merged():
    base, theirs = ("stages:\n  a: &all\n    cmd: x\n  b: *all\n".replace("x", word) for word in "xz")
    with pytest.raises(UnmergeableError):
        lockfile.merge(base, "stages:\n  a:\n    cmd: y\n  b:\n    cmd: x\n", theirs)


def test_the_real_lock_is_merged_as_it_stands():
    text = (ROOT / "dvc.lock").read_text(encoding="utf-8")
    ours, theirs = text.replace("seed: 42", "seed: 43"), text.replace("psi: 0.1", "psi: 0.3")
    merged, dropped = lockfile.merge(text, ours, theirs)
    assert dropped == ["define"]  # it records the whole of params.yaml
    rest = ours[ours.index("  collect:") :].replace("psi: 0.1", "psi: 0.3")
    assert merged == f"schema: '2.0'\nstages:\n{rest}"


# ---- params.yaml, results, the README --------------------------------------------------------------------------------


def test_keys_that_different_sides_changed_come_together_and_the_fingerprint_gives_way():
    base = "seed: 1\nmodel:\n  C: 1.0\n  name: linear\nfingerprint:\n  files: {a.yaml: x}\n  composed: x\n"
    ours = base.replace("seed: 1", "seed: 2").replace("composed: x", "composed: y").replace("name: linear", "wide: {}")
    theirs = base.replace("C: 1.0", "C: 0.5").replace("composed: x", "composed: z") + "new: 1\n"
    merged, clashes = params.merge(base, ours, theirs)
    assert yaml.safe_load(merged) == {
        "seed": 2, "model": {"C": 0.5, "wide": {}}, "fingerprint": params.NOTE, "new": 1
    }  # fmt: skip
    assert clashes == []


def test_a_key_that_both_sides_changed_is_told_with_both_values():
    merged, clashes = params.merge("m: {C: 1, k: 1}\n", "m: {C: 2, k: 1}\n", "m: {C: 3}\n")
    assert yaml.safe_load(merged) == {"m": {"C": 2}}
    assert clashes == ["m.C (ours 2, theirs 3)"]
    with pytest.raises(UnmergeableError, match="no YAML"):
        params.merge("a: 1\n", "<<<<<<< x\na: 1\n", "a: 2\n")


def test_values_of_another_kind_are_not_the_same():
    assert not same(1, 1.0)
    assert not same({"a": True}, {"a": 1})
    assert same({"a": 1, "b": float("nan")}, {"b": float("nan"), "a": 1})


def test_a_name_that_only_they_have_stands_where_they_have_it():
    assert order("abc", "axbyc") == list("axbyc")
    assert order("ab", "xb") == list("xab")


def test_results_are_those_of_a_side_that_can_be_read():
    assert results.merge('{"a": 1}', '{"a": 2}', "metrics/test.json") == ('{"a": 1}', "ours")
    assert results.merge('<<<<<<< x\n{"a": 1}', '{"a": 2}', "metrics/test.json") == ('{"a": 2}', "theirs")
    assert results.merge("<<<<<<< x\nrule\n", "rule\n", "reports/ledger.csv") == ("rule\n", "theirs")
    with pytest.raises(UnmergeableError):
        results.merge("[1]", "{", "metrics/test.json")


def test_the_marks_of_the_readme_are_those_that_its_numbers_are_written_between():
    assert (readme.BEGIN, readme.END) == (upkeep.BEGIN, upkeep.END)


# ---- the driver as Git calls it --------------------------------------------------------------------------------------


def drive(folder: Path, kind: str, base: str, ours: str, theirs: str, path: str) -> tuple[int, str]:
    """Return (exit code, merged text)."""
    files = [folder / name for name in "OAB"]
    for file, text in zip(files, (base, ours, theirs), strict=True):
        file.write_text(text, encoding="utf-8")
    code = driver.main([kind, *map(str, files), path])
    return code, files[1].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "path"), [("lock", "dvc.lock"), ("params", "params.yaml"), ("results", "m.json"), ("readme", "README.md")]
)
def test_what_no_driver_understands_is_a_conflict_with_both_sides_in_it(tmp_path, capfd, kind, path):
    code, text = drive(tmp_path, kind, "x: [1\n", "x: [2\n", "x: [3\n", path)
    assert code == 1
    assert text == "<<<<<<< ours\nx: [2\n=======\nx: [3\n>>>>>>> theirs\n"
    assert "merged line by line" in capfd.readouterr().err


def test_the_driver_says_what_it_left_out_and_what_to_type(tmp_path, capfd):
    code, text = drive(tmp_path, "lock", BASE, BASE.replace("a0", "a1"), BASE.replace("a0", "a2"), "dvc.lock")
    assert (code, text) == (0, lock(b="b0", c="c0"))
    said = capfd.readouterr().err
    assert "both sides changed a, which it leaves out" in said
    assert "mlworkflow compose && dvc repro" in said


def test_only_the_numbers_of_the_readme_give_way(tmp_path):
    def page(first: str, number: str, last: str) -> str:
        between = "\n\nfar\n\naway\n\n"
        return f"{first}{between}{readme.BEGIN}\n{number}\n{readme.END}{between}{last}\n"

    base = page("title", "1", "end")
    assert drive(tmp_path, "readme", base, page("Title", "2", "end"), page("title", "3", "End"), "README.md") == (
        0,
        page("Title", "2", "End"),
    )
    code, text = drive(tmp_path, "readme", base, page("ours", "2", "end"), page("theirs", "3", "end"), "README.md")
    assert code == 1
    assert "<<<<<<< ours\nours\n=======\ntheirs\n>>>>>>> theirs\n" in text


def test_the_driver_starts_without_heavy_libraries():
    code = "import sys, mlworkflow.merging.driver, mlworkflow.merging.lockfile, mlworkflow.core.io; print(*sys.modules)"
    loaded = set(run(ROOT, "python", "-c", code).split())
    assert loaded & {"numpy", "pandas", "pydantic", "sklearn", "hydra", "dvc"} == set()


# ---- Git -------------------------------------------------------------------------------------------------------------


def git(root: Path, *words: str, code: int | None = 0) -> str:
    return run(root, "git", *words, code=code)


def build(top: Path, inside: str = "") -> Path:
    """Make a repository with two branches that changed other things: a merge of them conflicts without drivers."""
    root = top / inside
    for folder in ("src/mlworkflow/core", "src/mlworkflow/merging"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "src/mlworkflow/__init__.py", root / "src/mlworkflow")
    shutil.copy(ROOT / ".gitattributes", root)
    (root / "metrics").mkdir()
    files = {"dvc.lock": BASE, "params.yaml": "seed: 1\nC: 1\n", "metrics/test.json": '{"a": 0}\n', "dvc.yaml": "\n"}
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    git(top, "init", "-q", "-b", "main")
    git(top, "config", "user.name", "tests")
    git(top, "config", "user.email", "tests@localhost")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "start")
    for number, name in enumerate(("one", "two"), start=1):
        git(top, "checkout", "-q", "-b", name, "main")
        digests = {"a": "a1", "b": "b1", "c": "c0"} if name == "one" else {"a": "a0", "b": "b2", "c": "c2"}
        (root / "dvc.lock").write_text(lock(**digests), encoding="utf-8")
        (root / "params.yaml").write_text("seed: 2\nC: 1\n" if name == "one" else "seed: 1\nC: 2\n", encoding="utf-8")
        (root / "metrics/test.json").write_text(f'{{"a": {number}}}\n', encoding="utf-8")
        git(top, "commit", "-qam", name)
    return root


@pytest.fixture
def repository(tmp_path) -> Path:
    return build(tmp_path / "two words")


def setup_here(root: Path) -> str:
    """Type `mlworkflow setup-git`."""
    return run(root, "python", "-m", "mlworkflow.cli", "setup-git", PYTHONPATH=str(ROOT / "src"))


def clean(root: Path, ours: str, theirs: str) -> None:
    """Merge one branch into another without a conflict."""
    git(root, "checkout", "-q", ours)
    said = git(root, "merge", "--no-edit", theirs)
    assert "mlworkflow compose && dvc repro" in said
    assert yaml.safe_load((root / "dvc.lock").read_text()) == yaml.safe_load(lock(a="a1", c="c2"))
    assert yaml.safe_load((root / "params.yaml").read_text()) == {"seed": 2, "C": 2}
    assert (root / "metrics/test.json").read_text() == ('{"a": 1}\n' if ours == "one" else '{"a": 2}\n')


@pytest.mark.parametrize(("ours", "theirs"), [("one", "two"), ("two", "one")])
def test_two_branches_merge_in_both_orders_once_git_knows_the_drivers(repository, ours, theirs):
    said = setup_here(repository)
    assert said.count("$ git config --local merge.mlworkflow-") == 2 * len(driver.KINDS)
    clean(repository, ours, theirs)


def test_a_project_in_a_folder_of_a_repository_merges_too(tmp_path):
    project = build(tmp_path / "company", "models of churn")
    setup_here(project)
    clean(project, "one", "two")


def test_setting_up_twice_does_nothing(repository):
    setup_here(repository)
    before = (repository / ".git/config").read_bytes()
    assert "Git knew already the merge drivers" in setup_here(repository)
    assert (repository / ".git/config").read_bytes() == before


def test_a_clone_that_was_not_set_up_has_conflicts_as_ever(repository):
    git(repository, "checkout", "-q", "one")
    assert "CONFLICT (content): Merge conflict in dvc.lock" in git(repository, "merge", "two", code=1)
    assert "<<<<<<<" in (repository / "dvc.lock").read_text()


def test_a_moved_repository_and_its_worktree_merge_still(repository):
    setup_here(repository)
    moved = repository.rename(repository.parent / "moved")
    clean(moved, "one", "two")
    git(moved, "reset", "-q", "--hard", "HEAD~1")
    git(moved, "checkout", "-q", "main")
    git(moved, "worktree", "add", "-q", "../beside", "two")
    clean(moved.parent / "beside", "two", "one")


def test_the_python_of_the_repository_is_found_though_the_one_that_registered_is_gone(repository):
    folder = repository / ".venv/bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text('#!/bin/sh\necho own >&2\nexec python "$@"\n')
    (folder / "python").chmod(0o755)
    for key, value in setup.wanted(repository).items():
        git(repository, "config", key, value.replace(sys.executable, "/nowhere/python"))
    git(repository, "checkout", "-q", "one")
    assert "own\n" in git(repository, "merge", "--no-edit", "two")


@pytest.mark.parametrize("lost", ["driver", "python", "library"])
def test_without_a_python_that_works_or_in_an_older_commit_conflicts_are_as_ever(repository, lost):
    for key, value in setup.wanted(repository).items():
        gone = value if lost == "driver" else value.replace(sys.executable, "/nowhere/python")
        git(repository, "config", key, gone)
    git(repository, "checkout", "-q", "one")
    if lost == "driver":
        git(repository, "rm", "-qr", "src/mlworkflow/merging")
        git(repository, "commit", "-qm", "older")
    if lost == "library":
        broken_python(repository)
    assert "CONFLICT (content): Merge conflict in dvc.lock" in git(repository, "merge", "two", code=1)
    text = (repository / "dvc.lock").read_text()
    assert text.count("<<<<<<< ours") == text.count(">>>>>>> theirs") > 0
    assert "b1" in text
    assert "b2" in text


def broken_python(root: Path) -> None:
    """Put a Python into .venv that cannot start."""
    python = root / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)


def test_make_repro_tells_git_and_is_quiet_outside_of_it(repository, tmp_path):
    told = (
        (ROOT / "Makefile").read_text(encoding="utf-8").split("\nrepro:")[1].splitlines()[1].strip().removeprefix("@")
    )
    assert "setup-git" in told
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mlworkflow").write_text('#!/bin/sh\nexec python -m mlworkflow.cli "$@"\n')
    (tmp_path / "bin/mlworkflow").chmod(0o755)
    changes = {"PATH": f"{tmp_path / 'bin'}:{environment(ROOT)['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    assert "$ git config --local" in run(repository, "sh", "-c", told, **changes)
    clean(repository, "one", "two")
    assert run(tmp_path, "sh", "-c", told, **changes) == ""


def test_every_driver_that_gitattributes_names_is_one():
    named = set(subprocess.run(
        ["grep", "-o", "merge=.*", ".gitattributes"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split())  # fmt: skip
    assert named == {f"merge=mlworkflow-{kind}" for kind in driver.KINDS}


def test_outside_git_the_command_says_so(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    said = run(tmp_path, "python", "-m", "mlworkflow.cli", "setup-git", code=1, PYTHONPATH=str(ROOT / "src"))
    assert "is in no Git repository. Type `git init`." in said
