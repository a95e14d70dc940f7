"""verify: a run that repeats is identical, one that does not is told with its place, and nothing is left behind."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from mlworkflow.checking.recorded import RevisionError
from mlworkflow.checking.variations import Variation, variations
from mlworkflow.checking.verify import Outcome, table_of, verify

pytestmark = pytest.mark.slow
STAGES = {
    "copy": (
        "source.txt",
        "copy.txt",
        "from pathlib import Path; Path('copy.txt').write_text(Path('source.txt').read_text())",
    ),
    "count": ("copy.txt", "count.json", "import json; json.dump({'rows': [1, 2]}, open('count.json', 'w'))"),
}
MARK = "(Path('mark').read_text() if Path('mark').exists() else 'none')"


def git(folder, *words):
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main", "-c", "core.hooksPath="]
    return subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def dvc(folder, *words):
    said = subprocess.run(
        [sys.executable, "-P", "-m", "dvc", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert said.returncode == 0, said.stdout + said.stderr


def environment():
    found = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
    return found | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}", "DVC_NO_ANALYTICS": "1"}


def project(folder, cached=True, **stages):
    """Make a Git repository with a DVC pipeline of one script a stage, run and committed."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (folder / "source.txt").write_text("one\ntwo\n")
    lines = ["stages:"]
    for name, (dep, out, code) in stages.items():
        (folder / f"{name}.py").write_text(code + "\n")
        lines += [f"  {name}:", f"    cmd: python {name}.py", f"    deps: [{dep}, {name}.py]", "    outs:"]
        lines += [f"      - {out}"] if cached else [f"      - {out}: {{cache: false}}"]
    (folder / "dvc.yaml").write_text("\n".join(lines) + "\n")
    ignored = [out for _, out, _ in stages.values()] if cached else []
    (folder / ".gitignore").write_text("\n".join([*ignored, "mark", ""]))
    dvc(folder, "repro", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "run")
    return folder


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    return project(tmp_path_factory.mktemp("steady") / "home", **STAGES)


@pytest.fixture
def copy(steady, tmp_path):
    """A copy of the steady project to change."""
    return Path(shutil.copytree(steady, tmp_path / "copy", symlinks=True))


@pytest.fixture(scope="module")
def unsteady(tmp_path_factory):
    """Outputs that hold the path, the clock and the order of a set."""
    code = (
        "import json, os, time; words = [word for word in {'a', 'b', 'c', 'd', 'e', 'f'}]\n"
        "told = {'rows': 2, 'place': {'folder': os.getcwd()}}; os.mkdir('out')\n"
        "json.dump(told, open('out/place.json', 'w'))\n"
        "open('out/clock.txt', 'w').write(f'rows\\n{time.time_ns()}\\n')\n"
        "open('out/words.txt', 'w').write('\\n'.join(words))\n"
    )
    return project(tmp_path_factory.mktemp("unsteady") / "home", **STAGES, noise=("copy.txt", "out", code))


def run(folder, **arguments):
    lines = []
    code = verify(root=folder, say=lines.append, **arguments)
    return code, "\n".join(lines)


@pytest.fixture(scope="module")
def steady_run(steady, tmp_path_factory):
    """(exit code, lines, what is left in the folder for temporary files) of one run."""
    scratch = tmp_path_factory.mktemp("scratch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        return *run(steady), list(scratch.iterdir())


def test_a_pipeline_that_repeats_is_identical_and_all_stages_were_run(steady_run):
    code, said, _ = steady_run
    assert code == 0
    told = {line.split()[0]: line.split()[-1] for line in said.splitlines() if line.startswith("  ")}
    assert told == dict.fromkeys(STAGES, "identical")
    assert said.endswith("as it is: identical, 2 outputs")


def test_the_commands_are_shown_and_a_clean_workspace_is_no_word(steady_run):
    for command in ("$ git clone", "$ git checkout", "$ dvc repro"):
        assert command in steady_run[1]
    assert "workspace" not in steady_run[1]


def test_a_run_leaves_no_temporary_folder(steady_run):
    assert steady_run[2] == []


def test_what_differs_is_told_with_its_place(unsteady):
    code, said = run(unsteady)
    assert code == 1
    assert "clock.txt: line 2, column" in said
    assert "place.json: at /place/folder:" in said
    assert "1 of 3 differ: out" in said


def test_the_place_is_unknown_where_the_old_content_is_gone(unsteady, tmp_path):
    git(tmp_path, "clone", "--quiet", str(unsteady), "bare")
    code, said = run(tmp_path / "bare")
    assert code == 1
    assert "the old folder is not here" in said


def test_all_variations_at_once_leave_a_steady_pipeline_identical(steady):
    code, said = run(steady, vary=["together"])
    assert code == 0, said


def test_each_variation_really_varies(tmp_path, monkeypatch):
    code = (
        "import os, time; time.sleep(0.01); os.mkdir('out'); home = os.path.expanduser('~/.profile-of-a-test')\n"
        "names = ('PYTHONHASHSEED', 'OMP_NUM_THREADS', 'LC_ALL', 'TZ')\n"
        "told = {name: os.environ.get(name) for name in names} | {\n"
        "    'path': 'before' in os.getcwd(), 'home': os.path.exists(home), 'umask': oct(os.umask(0)),\n"
        "    'cores': len(os.sched_getaffinity(0)), 'year': int(time.time() // 10_000_000)}\n"
        "for name, value in told.items():\n    open(f'out/{name}.txt', 'w').write(str(value))\n"
    )
    (tmp_path / ".profile-of-a-test").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PYTHONHASHSEED", "OMP_NUM_THREADS", "LC_ALL", "TZ"):
        monkeypatch.delenv(name, raising=False)
    folder = project(tmp_path / "p", plain=("source.txt", "out", code))
    monkeypatch.setattr("mlworkflow.checking.recorded.MOST_FILES", 20)
    found, said = run(folder, vary=["together"])
    assert found == 1
    wanted = ["PYTHONHASHSEED", "OMP_NUM_THREADS", "LC_ALL", "TZ", "path", "home", "umask"]
    wanted += ["cores"] if variations()["1 core"].needs is None and len(os.sched_getaffinity(0)) > 1 else []
    wanted += ["year"] if variations()["clock"].needs is None else []
    assert [name for name in wanted if f"{name}.txt: " not in said] == []


def test_the_variations_that_are_asked_for_are_tried_one_by_one(tmp_path):
    code = "import os; open('a.txt', 'w').write(os.environ.get('TZ', 'none'))"
    folder = project(tmp_path / "p", plain=("source.txt", "a.txt", code))
    found, said = run(folder, vary=["hash seed", "timezone"])
    assert found == 1
    assert said.splitlines()[-2:] == ["hash seed  identical, 1 output", "timezone   1 of 1 differ: a.txt"]


def test_a_stage_whose_outputs_are_in_git_is_run_again_too(tmp_path):
    code = f"from pathlib import Path; Path('a.txt').write_text({MARK})"
    folder = project(tmp_path / "p", cached=False, plain=("source.txt", "a.txt", code))
    (folder / "a.txt").write_text("edited")
    git(folder, "commit", "--quiet", "-am", "edit the output by hand")
    lock = (folder / "dvc.lock").read_text()
    code, said = run(folder)
    assert code == 0, said  # what dvc.lock records is what the run gives
    assert "plain" in said
    (folder / "mark").write_text("marked")
    dvc(folder, "repro", "--quiet", "--force")
    assert (folder / "dvc.lock").read_text() != lock
    git(folder, "commit", "--quiet", "-am", "an output that rests on an untracked file")
    (folder / "a.txt").unlink()
    code, said = run(folder)
    assert code == 1
    assert "a.txt: line 1, column 1: 'marked' before, 'none' now" in said


def test_code_that_changed_after_the_run_is_told_though_the_outputs_are_identical(copy):
    with (copy / "count.py").open("a") as file:
        file.write("# a comment\n")
    git(copy, "commit", "--quiet", "-am", "a comment")
    code, said = run(copy)
    assert code == 1
    assert "dvc.lock was not written by this commit's count.py" in said


def test_data_that_dvc_tracks_is_fetched_from_the_repositorys_cache(copy):
    content = (copy / "source.txt").read_bytes()
    digest = hashlib.md5(content).hexdigest()
    place = copy / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    (copy / "source.txt.dvc").write_text(f"outs:\n- md5: {digest}\n  size: 8\n  hash: md5\n  path: source.txt\n")
    with (copy / ".gitignore").open("a") as file:
        file.write("source.txt\n")
    git(copy, "rm", "--quiet", "--cached", "source.txt")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "-m", "track the data")
    code, said = run(copy)
    assert code == 0, said
    assert "$ dvc pull" in said
    place.unlink()
    shutil.rmtree(copy / ".dvc/cache")
    code, said = run(copy)
    assert code == 2
    assert "could not run: `dvc pull" in said


def test_the_clones_own_code_runs_and_not_that_of_another_folder(tmp_path, monkeypatch):
    for folder, value in ((tmp_path / "p/src", "committed"), (tmp_path / "other", "other")):
        folder.mkdir(parents=True)
        (folder / "ours_of_a_test.py").write_text(f"VALUE = {value!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "p/src"))
    code = "import ours_of_a_test; open('a.txt', 'w').write(ours_of_a_test.VALUE)"
    folder = project(tmp_path / "p", plain=("source.txt", "a.txt", code))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    assert run(folder)[0] == 0


def test_a_stage_that_fails_is_named_with_its_last_lines(tmp_path):
    code = f"from pathlib import Path; 1 / ({MARK} != 'none'); Path('a.txt').touch()"
    (tmp_path / "p").mkdir()
    (tmp_path / "p/mark").touch()
    folder = project(tmp_path / "p", plain=("source.txt", "a.txt", code))
    found, said = run(folder)
    assert found == 2
    assert "in the stage plain" in said
    assert "ZeroDivisionError" in said


def test_uncommitted_changes_are_left_out_and_told(steady):
    (steady / "count.py").write_text("raise SystemExit(1)\n")
    try:
        code, said = run(steady)
    finally:
        git(steady, "checkout", "--quiet", "count.py")
    assert code == 0
    assert "not at the workspace: 1 uncommitted change left out" in said


def test_a_worktree_is_verified(steady, tmp_path):
    git(steady, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    try:
        assert run(tmp_path / "tree", revision="HEAD")[0] == 0
    finally:
        git(steady, "worktree", "remove", "--force", str(tmp_path / "tree"))


@pytest.mark.parametrize("revision", ["mian", "--all", "0000000"])
def test_an_unknown_revision_is_named(steady, revision):
    with pytest.raises(RevisionError, match=f"{revision!r} is no "):
        run(steady, revision=revision)


def test_a_folder_without_git_a_commit_or_a_lock_is_told(tmp_path):
    with pytest.raises(RevisionError, match="is in no Git repository"):
        run(tmp_path)
    git(tmp_path, "init", "--quiet")
    with pytest.raises(RevisionError, match="has no commit"):
        run(tmp_path)
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "empty")
    with pytest.raises(RevisionError, match="has none with a stage"):
        run(tmp_path)


def test_a_variation_that_this_machine_lacks_is_skipped_in_words(steady, monkeypatch):
    absent = {"clock": Variation("clock", needs="libfaketime is not installed")}
    monkeypatch.setattr("mlworkflow.checking.variations.variations", lambda: absent)
    code, said = run(steady, vary=["clock"])
    assert (code, said) == (0, "clock: skipped: libfaketime is not installed")


def test_temporary_folders_are_removed_and_children_end_with_it(tmp_path):
    code = (
        "from pathlib import Path; import time, os\n"
        "if 'verify-' in os.getcwd():\n"
        "    Path('../../../started').write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "Path('a.txt').touch()"
    )
    folder = project(tmp_path / "p", plain=("source.txt", "a.txt", code))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = "import sys; from pathlib import Path; from mlworkflow.checking.verify import verify; "
    code += "verify(root=Path(sys.argv[1]))"
    before = environment() | {"TMPDIR": str(scratch), "PYTHONPATH": str(Path("src").resolve())}
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], env=before, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not ((scratch / "started").exists() and (scratch / "started").read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert [path.name for path in scratch.iterdir()] == ["started"]
    assert process.returncode != 0
    assert ends(int((scratch / "started").read_text()))


def ends(number: int, within: float = 10) -> bool:
    """Return whether a process is gone, or dead and waiting for whoever inherited it to notice."""
    deadline = time.monotonic() + within
    while psutil.pid_exists(number) and time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        time.sleep(0.05)
    return not psutil.pid_exists(number)


def test_the_table_of_variations_is_at_most_eighty_columns_wide():
    outcomes = [Outcome("as it is", 20), Outcome("clock", 20, [f"models/{number}" for number in range(20)])]
    lines = table_of(outcomes).splitlines()
    assert lines[1] == "as it is   identical, 20 outputs"
    assert lines[2].startswith("clock      20 of 20 differ: models/0")
    assert max(map(len, lines)) <= 80


def test_the_exit_code_is_that_of_the_worst_outcome():
    assert Outcome("a").code == 0
    assert Outcome("a", 1, ["x"]).code == 1
    assert Outcome("a", failure="no").code == 2
    assert Outcome("a", skipped="no").code == 0
