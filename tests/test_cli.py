"""The command line: every command has its place, and naming them all reads none of them."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from mlworkflow.cli import COMMANDS, main
from tests.conftest import ROOT, environment


def test_the_commands_of_the_packages_are_those_that_are_listed():
    packages = [path.parent.name for path in sorted(ROOT.glob("src/mlworkflow/*/cli.py"))]
    found = {name: one for one in packages for name in importlib.import_module(f"mlworkflow.{one}.cli").COMMANDS}
    assert found == {name: package for name, (package, _) in COMMANDS.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_tells_its_options(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith(f"usage: mlworkflow {name} [-h]")


def test_help_reads_no_module_of_a_command():
    program = "import sys; from mlworkflow import cli\ntry: cli.main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], env=environment(ROOT), capture_output=True, text=True)
    read = {name for name in done.stdout.split() if name.startswith("mlworkflow.")}
    assert read == {"mlworkflow.cli", "mlworkflow.core", "mlworkflow.core.errors"}
