"""dvc.yaml names the code and the files that the stages really use (rule 8), and who sees test rows (rule 2)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlworkflow.checking import upkeep, wiring
from mlworkflow.core import paths
from mlworkflow.core.problem import Problem
from tests.conftest import outputs, run

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / paths.PIPELINE).read_text(encoding="utf-8"))
STAGES = PIPELINE["stages"]


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    """A copy of the code, of conf/ and of dvc.yaml to break."""
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / paths.PIPELINE, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mistakes(root: Path) -> list[str]:
    return wiring.code_mistakes(
        yaml.safe_load((root / paths.PIPELINE).read_text(encoding="utf-8")), upkeep.configs(), root
    )


def test_the_deps_on_code_are_the_real_imports(copy):
    assert mistakes(copy) == []


def test_an_import_that_dvc_yaml_lacks_is_found(copy):
    with (copy / "src/mlworkflow/rows/split.py").open("a") as file:
        file.write("\n\ndef late() -> None:\n    from mlworkflow import summary\n")
    assert "prepare: add the dep src/mlworkflow/summary.py" in mistakes(copy)


def test_an_import_for_types_alone_is_no_dep(copy):
    with (copy / "src/mlworkflow/rows/split.py").open("a") as file:
        file.write("\n\nif TYPE_CHECKING:\n    from mlworkflow import summary\n")
    assert mistakes(copy) == []


def test_a_dep_that_nothing_uses_is_found(copy):
    text = (copy / "dvc.yaml").read_text().replace("- src/mlworkflow/rows\n", "- src/mlworkflow/cli.py\n", 1)
    (copy / "dvc.yaml").write_text(text)
    found = mistakes(copy)
    assert any(line.endswith("remove the dep src/mlworkflow/cli.py, nothing there uses it") for line in found)
    assert any(line.endswith("add the dep src/mlworkflow/rows") for line in found)


def test_a_module_that_only_a_config_names_is_a_dep(copy):
    (copy / "src/mlworkflow/crm.py").write_text(
        '"""Our own source."""\n\n\ndef customers():\n    """Return the customers."""\n'
    )
    (copy / "conf/problem/crm.yaml").write_text("name: crm\nsource: {_target_: mlworkflow.crm.customers}\n")
    assert "collect: add the dep src/mlworkflow/crm.py" in mistakes(copy)


def test_rewiring_mends_what_is_wrong_and_keeps_the_comments(copy):
    with (copy / "src/mlworkflow/rows/split.py").open("a") as file:
        file.write("\n\ndef late() -> None:\n    from mlworkflow import summary\n")
    wiring.rewire(copy, upkeep.configs())
    assert mistakes(copy) == []
    assert (copy / "dvc.yaml").read_text().startswith("# The workflow")


def readers(pipeline: dict, path: str) -> set[str]:
    """Return the stages that read `path`, or a folder that holds it."""
    return {
        stage
        for stage, spec in pipeline["stages"].items()
        for dep in spec["deps"]
        if path == dep or path.startswith(f"{dep}/") or dep.startswith(f"{path}/")
    }


def test_each_stage_is_one_module_and_says_what_it_is_for():
    modules = {path.stem for path in (ROOT / "src/mlworkflow/stages").glob("*.py")} - {"__init__", "__main__"}
    assert set(STAGES) == modules
    assert [name for name, spec in STAGES.items() if not spec.get("desc")] == []
    assert {spec["cmd"] for spec in STAGES.values()} == {f"python -m mlworkflow.stages {name}" for name in STAGES}


def test_test_rows_are_scored_by_evaluate_alone():
    """`package` compares two forms of the model on them, without their truth: tests/test_bundle.py."""
    assert readers(PIPELINE, str(paths.TEST)) == {"evaluate", "package"}
    assert readers(PIPELINE, str(paths.TEST_ROWS)) == {"featurize"}
    assert readers(PIPELINE, str(paths.RAW)) == {"prepare", "explore"}


def test_what_was_said_of_the_test_rows_is_kept_in_the_bundle_and_scored_nowhere_else():
    """`package` reads the predictions that `evaluate` made, as a promise for monitoring: it scores no row."""
    assert readers(PIPELINE, str(paths.PREDICTIONS)) == {"package"}


def test_nothing_is_chosen_after_the_test_rows_were_scored():
    """No stage that chooses or fits reads anything that comes from evaluate."""
    after, waiting = set(), ["evaluate"]
    while waiting:
        stage = waiting.pop()
        after |= {stage}
        waiting += {name for path in outputs(STAGES[stage]) for name in readers(PIPELINE, path)} - after
    assert after == {"evaluate", "decide", "package", "monitor", "report"}


def test_a_second_reader_of_test_rows_would_be_found():
    broken = {"stages": {**STAGES, "tune": {**STAGES["tune"], "deps": [*STAGES["tune"]["deps"], "data/features"]}}}
    assert readers(broken, str(paths.TEST)) == {"evaluate", "package", "tune"}


def test_every_dep_on_data_is_made_by_a_stage_or_kept_in_git():
    made = {path for spec in STAGES.values() for path in outputs(spec)}
    kept = {
        "conf",
        "plugins/hydra_plugins/fingerprint.py",
        "data/production",
        "${problem.snapshot}",
        wiring.ENVIRONMENT,
    }
    asked = {dep for spec in STAGES.values() for dep in spec["deps"] if not dep.startswith("src/")}
    assert asked - kept - made == set()


def test_every_path_in_dvc_yaml_is_one_of_paths_py():
    known = {str(value) for value in vars(paths).values() if isinstance(value, Path)}
    made = {path for spec in STAGES.values() for path in outputs(spec)}
    assert made <= known


def test_a_problem_may_leave_out_what_has_a_default():
    """DVC stops where a declared parameter is missing: every file must have it, or conf/config.yaml has it."""
    kept = yaml.safe_load((ROOT / "conf/config.yaml").read_text(encoding="utf-8"))
    required = {f"problem.{name}" for name, field in Problem.model_fields.items() if field.is_required()}
    declared = {key for spec in STAGES.values() for key in spec.get("params", []) if isinstance(key, str)}
    there = {".".join(parts) for parts in _paths(kept)}
    assert {key for key in declared if key.startswith("problem.")} - required - there == set()


def _paths(section: dict) -> Iterator[tuple[str, ...]]:
    for key, value in section.items():
        yield (key,)
        yield from ((key, *rest) for rest in _paths(value if isinstance(value, dict) else {}))


def test_every_stage_but_the_first_is_kept_in_the_run_cache():
    """DVC keeps none that persists an output, or that has one outside its cache which is neither metric nor plot."""
    uncached = {
        name: [
            out for out in spec.get("outs", []) if isinstance(out, dict) and set(*out.values()) & {"cache", "persist"}
        ]
        for name, spec in STAGES.items()
    }
    assert [name for name, outs in uncached.items() if outs] == ["define"]


def test_a_stage_runs_the_code_of_its_own_folder_though_another_is_installed(copy):
    """So does DVC run a queued experiment: in a copy, while the workspace that is installed may have been edited."""
    (copy / "src/mlworkflow/stages/probe.py").write_text(
        "from mlworkflow.core import io, paths\n\n\ndef main(sections):\n    io.write_text('ran', paths.LEDGER)\n"
    )
    (copy / paths.PIPELINE).write_text("stages: {probe: {}}\n")
    (copy / paths.PARAMS).write_text("seed: 1\n")
    run(copy, "python", "-m", "mlworkflow.stages", "probe", PYTHONPATH=str(ROOT / "src"))
    assert (copy / paths.LEDGER).read_text() == "ran"
