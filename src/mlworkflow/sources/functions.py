"""The table that a Python function returns: `module:function`, importable from the repository's root."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.errors import nearest
from mlworkflow.sources.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

ADDRESS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def fetch(address: str) -> Iterator[pd.DataFrame]:
    """Yield the table that a function returns, or the tables that it yields.

    Raises:
        SourceError: there is no such module or function, it fails, or what it returns is no table.
    """
    import pandas as pd

    made = _called(address)
    tables = [made] if isinstance(made, pd.DataFrame) else made
    if not isinstance(tables, list) and not hasattr(tables, "__next__"):
        raise SourceError(address, f"it returned {type(made).__name__}", "Return a pandas DataFrame.")
    for table in tables:
        if not isinstance(table, pd.DataFrame):
            raise SourceError(address, f"it gave {type(table).__name__}", "Give pandas DataFrames.")
        yield table.reset_index(drop=True).rename(columns=str)


def _called(address: str) -> Any:
    name, _, attribute = address.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise SourceError(address, f"the module cannot be imported ({error})", "Mend the name before `:`.") from error
    finally:
        sys.path.remove(str(Path.cwd()))
    function = getattr(module, attribute, None)
    if not callable(function):
        near = nearest(attribute, [one for one in vars(module) if not one.startswith("_")])
        raise SourceError(address, f"the module {name} has no function {attribute!r}{near}", "Mend the name after `:`.")
    try:
        return function()
    except Exception as error:
        raise SourceError(address, f"it failed with {type(error).__name__}: {error}", "Mend the function.") from error
