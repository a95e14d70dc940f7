"""Run one stage: `python -m mlworkflow.stages NAME`, from the repository root, as dvc.yaml does.

What could make the bits of a result depend on the machine is fixed here, before NumPy is imported.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

FIXED = {
    "OMP_NUM_THREADS": "1",  # folds run in parallel instead: sums over threads differ in the last bit
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",  # one set of kernels on every x86-64 machine with AVX2
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # exp and log differ in the last bit with AVX-512
    "MPLBACKEND": "svg",
}


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
