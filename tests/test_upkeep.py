"""What is made by a command is current, and a change that makes it stale is found."""

from __future__ import annotations

import shutil

import pytest

from mlworkflow.checking import upkeep
from mlworkflow.checking.upkeep import NotCurrentError
from mlworkflow.cli import main
from tests.conftest import ROOT, run


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The files that upkeep looks at, in a folder of their own."""
    for name in ("conf", "plugins", "metrics", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "README.md",
        "pyproject.toml",
        "requirements.lock",
        "requirements-serve.lock",
        "requirements-extras.lock",
        "requirements-dev.lock",
        "params.yaml",
        "dvc.yaml",
    ):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_repository_is_current(copy):
    assert upkeep.check().endswith("are current")


def test_all_that_is_stale_is_told_at_once_with_what_to_type(copy):
    (copy / "conf/config.yaml").write_text((copy / "conf/config.yaml").read_text().replace("seed: 42", "seed: 43"))
    (copy / "pyproject.toml").write_text(
        (copy / "pyproject.toml").read_text().replace('"jinja2', '"tabulate",\n  "jinja2')
    )
    (copy / "metrics/cv.json").write_text((copy / "metrics/cv.json").read_text().replace("0.9", "0.8"))
    with (copy / "src/mlworkflow/rows/split.py").open("a") as file:
        file.write("\n\ndef late() -> None:\n    from mlworkflow import summary\n")
    with pytest.raises(NotCurrentError) as told:
        upkeep.check()
    for words in ("conf/config.yaml", "make lock", "make wire", "mlworkflow readme"):
        assert words in str(told.value)


def test_the_numbers_of_the_readme_come_from_metrics(copy):
    (copy / "README.md").write_text(f"before\n{upkeep.BEGIN}\nold\n{upkeep.END}\nafter\n")
    upkeep.readme()
    text = (copy / "README.md").read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| metric |" in text


def test_no_lock_names_an_index_or_a_folder_of_a_machine():
    for path in upkeep.LOCKS:
        text = (ROOT / path).read_text()
        assert "://" not in text
        assert "--index" not in text
        assert "--find-links" not in text
        assert text.count("--hash=sha256:") > 100


def test_help_fits_a_terminal_and_names_every_command():
    said = run(ROOT, "mlworkflow", "--help", COLUMNS="80")
    assert max(map(len, said.splitlines())) <= 80
    for name in ("compose", "summary", "decide", "predict", "verify", "check", "wire", "readme", "lock"):
        assert f"\n    {name}" in said


def test_an_unknown_command_is_refused_without_a_traceback():
    said = run(ROOT, "mlworkflow", "evaluate", code=2)
    assert "invalid choice" in said
    assert "Traceback" not in said


def test_a_problem_without_a_file_to_check_is_refused(capsys):
    assert main(["check", "--problem", "wine"]) == 1
    assert "no file is named. Name FILE." in capsys.readouterr().err
