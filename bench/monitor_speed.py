"""How fast windows are sketched and judged: from arrays, from a Parquet file, from a prediction log.

Each line is measured in a process of its own, so that its peak memory is its own; before the clock starts the rows are
made (arrays) or written to disk. The peak without rows is that of a process that has loaded the same code and bundle.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench.bundles import MODEL, PROBLEM, packed

from mlworkflow.core.params import Model, Monitor
from mlworkflow.core.problem import Problem

NUMBERS, CATEGORIES, TRAINED = 22, 8, 3_000
SIZES = {"arrays": (100_000, 1_000_000), "parquet": (100_000, 1_000_000), "log": (50_000, 200_000)}
TOGETHER = 131_072  # rows of a chunk of arrays
SINCE, A_WINDOW = 1_700_000_000.0, 2_000  # seconds since 1970; rows of an hour
MONITOR = Monitor(name="bench", window="hour")
Seconds = tuple[float, float]  # of the clock, of the processor
LINES = {"arrays": "arrays", "parquet": "Parquet, with predictions", "log": "prediction log"}


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return 22 numbers, 8 categories and a target."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(rng.normal(50, 10, (rows, NUMBERS)).round(3), columns=[f"number_{n}" for n in range(NUMBERS)])
    words = np.array([f"word {n}" for n in range(12)], dtype=object)
    for place in range(CATEGORIES):
        made[f"category_{place}"] = words[rng.integers(12, size=rows)]
    return made.assign(y=np.where(made["number_0"] + rng.normal(0, 5, rows) > 55, "yes", "no"))


def prepared(folder: Path) -> None:
    """Write a bundle with a sample of training rows into folder/bundle."""
    from mlworkflow.bundling.reference import sample
    from mlworkflow.core import io
    from mlworkflow.preparing.prepare import prepare
    from mlworkflow.serving.folder import MANIFEST, SAMPLE, read, write

    problem, bundle = Problem.model_validate(PROBLEM), folder / "bundle"
    raw = table(TRAINED, seed=1)
    packed(bundle, problem, Model.model_validate(MODEL), raw.astype("str"))
    manifest, contents = read(bundle)
    files = {name: content for name, content in contents.items() if name != MANIFEST}
    some, _ = sample(prepare(raw.astype("str"), problem).train, json.loads(files["profile.json"]), problem.rights, 0)
    about = {name: manifest[name] for name in ("problem", "task", "model", "onnx")}
    write(bundle, files | ({SAMPLE: some} if some else {}), about)
    io.write_json({"made": True}, folder / "made.json")


def _now() -> Seconds:
    return time.perf_counter(), time.process_time()


def _since(started: Seconds) -> Seconds:
    return time.perf_counter() - started[0], time.process_time() - started[1]


# ---- what is measured ------------------------------------------------------------------------------------------------


def of_arrays(folder: Path, rows: int) -> Seconds:
    """Return the seconds that typed arrays with their predictions take, of the clock and of the processor."""
    from mlworkflow.monitoring.watched import Watched, judged, reference_of
    from mlworkflow.rows.arrays import Arrays

    reference = reference_of(folder / "bundle")
    columns = {name: values for name, values in Arrays(table(rows)).items() if name != "y"}
    likely = np.random.default_rng(0).random(rows)
    said, labels = np.column_stack([1 - likely, likely]), (likely > 0.5).astype(int)
    ids = [f"row:{place}" for place in range(rows)]
    started = _now()
    window = Watched.empty(reference)
    for start in range(0, rows, TOGETHER):
        some = slice(start, start + TOGETHER)
        window.add({name: values[some] for name, values in columns.items()}, labels[some], said[some], ids[some])
    judged(window, None, MONITOR)
    return _since(started)


def of_parquet(folder: Path, rows: int) -> Seconds:
    """Return what a file in data/production/ takes: read, cast, predicted, sketched, judged; see `of_arrays`."""
    from mlworkflow.monitoring.watched import judged, reference_of
    from mlworkflow.serving.bundle import load
    from mlworkflow.stages.monitor import read

    path = folder / f"{rows}.parquet"
    if not path.exists():
        table(rows).to_parquet(path)
    bundle, reference = load(folder / "bundle"), reference_of(folder / "bundle")
    started = _now()
    found = read(path, path.name, bundle, reference, Problem.model_validate(PROBLEM))
    judged(found.watched, found.known, MONITOR)
    return _since(started)


def of_log(folder: Path, rows: int) -> Seconds:
    """Return the seconds that a log takes: read, checked, sketched into windows of an hour, kept; see `of_arrays`."""
    from mlworkflow.monitoring.watched import reference_of
    from mlworkflow.runtime.loading import load
    from mlworkflow.watch.follow import Follower
    from mlworkflow.watch.look import report
    from mlworkflow.watch.state import State

    log = folder / f"log-{rows}"
    _log(log, rows)
    bundle, now = folder / "bundle", SINCE + rows / A_WINDOW * 3_600
    state = State(folder / f"state-{time.time_ns()}.sqlite")
    follower = Follower(log, load(bundle, "none"), "v1", reference_of(bundle), MONITOR, state, now)
    started = _now()
    follower.follow()
    seconds = _since(started)
    assert sum(one.rows for one in report(follower, last=1).windows) > 0
    state.close()
    return seconds


def _log(folder: Path, rows: int) -> None:
    """Write a log of rows, evenly over the hours."""
    from mlworkflow.recording.tables import FILE, TABLES, write

    if folder.exists():
        return
    folder.mkdir()
    inputs = [json.dumps(row) for row in table(rows).drop(columns="y").to_dict("records")]
    likely = np.random.default_rng(0).random(rows).round(4).tolist()
    with sqlite3.connect(folder / FILE) as connection:
        connection.executescript(TABLES)
        write(connection, [_record(place, line, likely[place]) for place, line in enumerate(inputs)], [], [])


def _record(place: int, inputs: str, likely: float) -> Any:
    output = {"prediction": "yes" if likely > 0.5 else "no", "probabilities": {"no": 1 - likely, "yes": likely}}
    asked = SINCE + place * 3_600 / A_WINDOW
    return f"id-{place:09}", asked, "v1", "champion", None, inputs, json.dumps(output), 3.0


# ---- lines -----------------------------------------------------------------------------------------------------------


MEASURES: dict[str, Callable[[Path, int], Seconds]] = {"arrays": of_arrays, "parquet": of_parquet, "log": of_log}


def speed(runs: int) -> None:
    """Print a line for each source and size; `runs` is not looked at: each line is the best of three."""
    print("\n| From | rows x columns | seconds | of the processor | rows a second | peak memory |")
    print("|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepared(folder)
        for source, sizes in SIZES.items():
            for rows in sizes:
                told = [_apart(source, folder, rows) for _ in range(3)]
                seconds, cpu, memory = (min(one[place] for one in told) for place in range(3))
                shape = f"{rows:,} x {NUMBERS + CATEGORIES}"
                speeds = f"{seconds:.1f} | {cpu:.1f} | {rows / seconds:,.0f}"
                print(f"| {LINES[source]} | {shape} | {speeds} | {memory:,.0f} MB |", flush=True)


def _apart(source: str, folder: Path, rows: int) -> tuple[float, float, float]:
    """Return (seconds, those of the processor, peak memory in MB) of a process of its own."""
    told = subprocess.run(
        [sys.executable, "-m", "bench.monitor_speed", source, str(folder), str(rows)],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()[-1]  # fmt: skip
    seconds, cpu, memory = map(float, told.split())
    return seconds, cpu, memory


if __name__ == "__main__":
    took = MEASURES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
    print(*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
