"""`mlworkflow serve` and `key`: their options, and what carries them out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def serve_options(serve: ArgumentParser) -> None:
    """Add the options of `mlworkflow serve`."""
    which = serve.add_mutually_exclusive_group()
    which.add_argument("--stage", default="prod", metavar="STAGE", help="serve what this stage is at; prod by default")
    which.add_argument("--bundle", type=Path, metavar="DIR", help="serve this bundle, e.g. models/bundle")
    serve.add_argument("--host", default="127.0.0.1", help="127.0.0.1 by default; any other needs --keys")
    serve.add_argument("--port", type=int, default=8000, help="8000 by default; 0: a free one")
    serve.add_argument("--workers", type=int, default=1, metavar="N", help="processes; 1 by default")
    serve.add_argument("--keys", type=Path, metavar="FILE", help="the API keys' hashes: see mlworkflow key")
    serve.add_argument(
        "--log", choices=("batched", "sync", "off"), default="batched", help="sync answers when it is on disk"
    )
    serve.add_argument("--log-folder", type=Path, default=Path("data/predictions"), metavar="DIR", help="of the log")
    serve.add_argument("--keep-days", type=float, metavar="N", help="of the log; by default until it has 10 GB")
    serve.add_argument(
        "--challenger", metavar="VERSION", help="a second model: a released version or a bundle's folder"
    )
    serve.add_argument(
        "--share", type=float, metavar="SHARE", help="of the rows that it answers, by a hash of their key"
    )
    serve.add_argument("--shadow", action="store_true", help="it answers none, but is asked and recorded")
    serve.add_argument("--rate", type=float, default=1000.0, metavar="N", help="requests a second of a key; 1000")
    serve.add_argument("--most-rows", type=int, default=10_000, metavar="N", help="of a request; 10000")
    serve.add_argument("--most-bytes", type=int, default=10_000_000, metavar="N", help="of a request; 10 million")
    serve.add_argument("--seconds", type=float, default=30.0, metavar="N", help="that a prediction may take; 30")


def serve(told: Namespace, here: Path) -> int:
    """Serve until it is stopped; files are meant from where the user stands."""
    from mlworkflow.api import command

    wanted = {name: getattr(told, name) for name in command.Wanted.__dataclass_fields__}
    wanted |= {name: here / wanted[name] for name in ("bundle", "keys") if wanted[name] is not None}
    if wanted["challenger"] and (here / wanted["challenger"]).is_dir():
        wanted["challenger"] = str(here / wanted["challenger"])
    return command.serve(command.Wanted(**wanted))


def key_options(key: ArgumentParser) -> None:
    """Add the options of `mlworkflow key`."""
    key.add_argument("name", metavar="NAME", help="whose key it is")
    key.add_argument("--file", type=Path, default=Path("keys.txt"), metavar="FILE", help="keys.txt by default")


def key(told: Namespace, here: Path) -> int:
    """Make a key; the file is meant from where the user stands."""
    from mlworkflow.api import keys

    print(keys.add(told.name, here / told.file))
    return 0


COMMANDS = {"serve": (serve_options, serve), "key": (key_options, key)}
