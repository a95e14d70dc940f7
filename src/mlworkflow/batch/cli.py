"""`mlworkflow predict`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(predict: ArgumentParser) -> None:
    """Add the options of `mlworkflow predict`."""
    predict.add_argument(
        "rows", metavar="INPUT", help="a file of raw rows (CSV, Parquet, JSON lines, Excel), a folder, a database"
    )
    predict.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="predictions: .csv, .parquet or .jsonl"
    )
    predict.add_argument("--bundle", type=Path, metavar="DIR", help="another bundle than models/bundle")
    predict.add_argument("--query", metavar="SQL", help="of a database: 'SELECT * FROM customers'")
    predict.add_argument(
        "--reasons", type=int, nargs="?", const=3, default=0, metavar="N", help="the largest contributions; 3"
    )
    predict.add_argument(
        "--backend", choices=("auto", "onnx", "skops"), default="auto", help="auto: ONNX if it is there"
    )
    predict.add_argument("--chunk", type=int, default=50_000, metavar="ROWS", help="that are scored at once; 50000")
    predict.add_argument(
        "--compute", default="local", metavar="WHO", help="local, dask, or the address of a Dask scheduler"
    )


def run(told: Namespace, here: Path) -> int:
    """Score; files are meant from where the user stands."""
    from mlworkflow.batch.command import Wanted, predict

    wanted = {name: getattr(told, name) for name in Wanted.__dataclass_fields__}
    wanted["output"] = here / told.output
    wanted["bundle"] = here / told.bundle if told.bundle else Wanted.bundle
    return predict(Wanted(**wanted), here)


COMMANDS = {"predict": (options, run)}
