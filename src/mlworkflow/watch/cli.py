"""`mlworkflow monitor`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(monitor: ArgumentParser) -> None:
    """Add the options of `mlworkflow monitor`."""
    which = monitor.add_mutually_exclusive_group()
    which.add_argument("--stage", default="prod", metavar="STAGE", help="watch what this stage is at; prod by default")
    which.add_argument("--bundle", type=Path, metavar="DIR", help="watch this bundle, e.g. models/bundle")
    monitor.add_argument("--problem", metavar="NAME", help="needed where several have that stage")
    monitor.add_argument("--log", type=Path, metavar="DIR", help="of the predictions; data/predictions by default")
    monitor.add_argument(
        "--window", metavar="W", help="hour, day, week, month, '6 hours', '500 rows'; see conf/monitor"
    )
    monitor.add_argument("--clock", choices=("log", "row"), help="when rows were asked, or what their own time says")
    monitor.add_argument("--last", type=int, default=60, metavar="N", help="windows that are reported; 60 by default")
    monitor.add_argument("--watch", action="store_true", help="go on looking, and tell what begins and what ends")
    monitor.add_argument("--every", type=float, default=60.0, metavar="N", help="of --watch: seconds between; 60")
    monitor.add_argument("--webhook", metavar="URL", help="is sent each alarm that begins or ends, as JSON")
    monitor.add_argument("--json", action="store_true", help="print JSON")
    monitor.add_argument("--html", type=Path, metavar="FILE", help="the page; data/monitoring/monitor.html by default")


def run(told: Namespace, here: Path) -> int:
    """Look, or watch; paths are meant from where the user stands."""
    from mlworkflow.watch.command import monitor
    from mlworkflow.watch.wanted import Wanted

    wanted = {name: getattr(told, name) for name in Wanted.__dataclass_fields__}
    wanted |= {name: here / wanted[name] for name in ("bundle", "html") if wanted[name]}
    wanted["log"] = here / told.log if told.log else Wanted.log
    return monitor(Wanted(**wanted))


COMMANDS = {"monitor": (options, run)}
