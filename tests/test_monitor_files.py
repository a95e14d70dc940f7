"""Files in data/production/ are windows in the order of their time."""

from types import SimpleNamespace

import pandas as pd
import pytest

from mlworkflow.rows.schema import Column, Schema
from mlworkflow.stages.monitor import Read, _times, in_time

SCHEMA = Schema("clustering", None, [], [Column("when", "time", "time"), Column("age", "number", "input")], [""])


def file(name, *times):
    """Return what was read of a file whose rows have these times."""
    return Read(name, SimpleNamespace(), times=sum(times), timed=len(times))


def names(found):
    return [one.name for one in in_time(found)]


def test_files_come_in_the_order_of_their_time_whatever_they_are_called():
    assert names([file("april", 40, 42), file("august", 80), file("february", 20)]) == ["february", "april", "august"]


def test_files_come_in_the_order_of_their_names_where_one_tells_no_time():
    assert names([file("april", 40), file("august"), file("february", 20)]) == ["april", "august", "february"]


@pytest.mark.parametrize("values", [["1970-01-02", "", None, "no date"], pd.to_datetime(["1970-01-02", None])])
def test_times_that_are_not_known_do_not_count(values):
    assert _times(pd.DataFrame({"when": values}), SCHEMA).tolist() == [86_400.0]


def test_without_a_column_of_times_no_time_is_known():
    assert len(_times(pd.DataFrame({"age": [1.0]}), SCHEMA)) == 0
