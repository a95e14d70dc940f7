"""Takes the table that a Python function of the repository returns, into a Parquet file."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError, ended, nearest

if TYPE_CHECKING:
    import pandas as pd


class FunctionError(ProjectError):
    """A function is not there, fails, or returns no table."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"{address} must be a function without arguments that returns a pandas DataFrame, but {ended(reason)} "
            "Mend it, or give its module as it is imported from the repository's root."
        )


def take(address: str, out: Path) -> None:
    """Write the table that `module:function` returns to `out`; a named index becomes columns.

    Raises:
        FunctionError: there is no such function, it fails, or returns no table.
    """
    import pyarrow as pa

    table = _called(address)
    if table.index.names != [None]:
        table = table.reset_index()
    if table.columns.duplicated().any():
        raise FunctionError(address, f"it returns the column {table.columns[table.columns.duplicated()][0]!r} twice")
    try:
        io.write_table(table.rename(columns=str), out)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise FunctionError(address, f"a column of its table has no single type ({error.args[0]})") from error


def _called(address: str) -> pd.DataFrame:
    import pandas as pd

    function = _function(address)
    try:
        table = function()
    except (Exception, SystemExit) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        told = f"it raises {type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        raise FunctionError(address, told) from error
    if not isinstance(table, pd.DataFrame):
        raise FunctionError(address, f"it returns {type(table).__name__}")
    return table


def _function(address: str) -> Any:
    """Return the function, its module imported anew from the repository's root."""
    name, _, word = address.partition(":")
    root = str(Path.cwd())
    sys.path.insert(0, root)
    try:
        importlib.invalidate_caches()
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and name.startswith(error.name):
            known = [path.stem for path in Path().glob("*.py")] + [path.parent.name for path in Path().glob("*/*.py")]
            raise FunctionError(address, f"there is no module {error.name!r}{nearest(error.name, known)}") from error
        told = f"importing {name} raises {type(error).__name__}: {error}"
        raise FunctionError(address, told) from error
    finally:
        sys.path.remove(root)
    if not callable(function := getattr(module, word, None)):
        raise FunctionError(address, f"{name} has no function {word!r}{nearest(word, vars(module))}")
    return function
