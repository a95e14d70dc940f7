"""Run one stage: `python -m mlworkflow.stages NAME`, from the repository root, as dvc.yaml does.

What could make the bits of a result depend on the machine is fixed here, before NumPy is imported; and that the code is
that of the folder the stage stands in: DVC runs a queued experiment in a copy of the repository, while the installed
package is the workspace's, which may have been edited since.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

from mlworkflow.core.arithmetic import FIXED


def use_own_code() -> None:
    """Start again with the code in src/ of this folder, where it is not the one that runs."""
    own, path = Path("src").resolve(), os.environ.get("PYTHONPATH", "")
    known = path.split(os.pathsep)
    if (own / "mlworkflow").is_dir() and not Path(__file__).resolve().is_relative_to(own) and known[0] != str(own):
        os.environ["PYTHONPATH"] = os.pathsep.join([str(own), *filter(None, known)])
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def run(name: str) -> None:
    """Run the stage `name` with the parameters that dvc.yaml declares for it; keep its seconds untracked."""
    from mlworkflow.core import io, paths
    from mlworkflow.core.errors import ProjectError
    from mlworkflow.core.params import Sections, read_params

    started = time.perf_counter()
    pipeline = io.read_yaml(paths.PIPELINE)["stages"]
    if name not in pipeline:
        raise ProjectError(f"a stage must be one of dvc.yaml, but {name!r} is none; there are {', '.join(pipeline)}.")
    declared = [key for key in pipeline[name].get("params", []) if isinstance(key, str)]
    sections = Sections(name, declared, read_params())
    importlib.import_module(f"mlworkflow.stages.{name}").main(sections)
    io.write_json({"seconds": round(time.perf_counter() - started, 3)}, paths.TIMINGS / f"{name}.json")


def main() -> int:
    """Return 0, or 1 after printing a user's mistake without a traceback; 130 where the user stopped it."""
    use_own_code()
    os.environ.update(FIXED)
    from mlworkflow.core.errors import ProjectError

    name = " ".join(sys.argv[1:])
    try:
        run(name)
    except ProjectError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"{name}: the table must fit into memory, but it does not. Take fewer rows in collect.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped, nothing is half-written; `dvc repro` goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
