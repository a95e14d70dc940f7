"""Differences: the place where two versions of a file part is told in the words of its format."""

import io
import zipfile

import pandas as pd
import pytest

from mlworkflow.checking.differences import difference, shorten


def parquet(**columns):
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def archive(date=1980, **members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(f"{name}.json", (date, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("before", "after", "name", "said"),
    [
        (b"a\nbc\n", b"a\nbd\n", "a.txt", "line 2, column 2: 'bc' before, 'bd' now"),
        (b"a\n", b"a\nb\n", "a.csv", "1 lines before, 2 now"),
        (b'{"a": [1, 2]}', b'{"a": [1, 3]}', "a.json", "at /a/1: '2' before, '3' now"),
        (b'{"a": 1}', b'{"b": 1}', "a.json", "at /a: '1' before, '\"(nothing)\"' now"),
        (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', "a.json", 'at /: \'["a", "b"]\' before, \'["b", "a"]\' now'),
        (b'{"a": 1}', b'{"a": 1.0}', "a.json", "at /a: '1' before, '1.0' now"),
        (b'{"a":1}', b'{"a": 1}', "a.json", "line 1, column 6: '{\"a\":1}' before, '{\"a\": 1}' now"),
        (b"\xff\x00\x01", b"\xff\x00\x02", "a.bin", "byte 3: 01 before, 02 now"),
        (b"a\n", b"a\r\n", "a.txt", "byte 2: 0a before, 0d 0a now"),
        (parquet(x=[1, 2], y=["a", None]), parquet(x=[1, 2], y=["b", None]), "a.parquet", "row 1, column 'y': \"'a'\""),
        (parquet(x=[1.0]), parquet(x=[1]), "a.parquet", "column 'x': float64 before, int64 now"),
        (parquet(x=[1]), parquet(x=[1, 2]), "a.parquet", "1 rows before, 2 now"),
        (parquet(x=[1]), parquet(y=[1]), "a.parquet", "columns"),
        (b"no table", b"no tabla", "a.parquet", "line 1, column 8"),
        (archive(a='{"x": 1}'), archive(a='{"x": 2}'), "m.skops", "a.json: at /x: '1' before, '2' now"),
        (archive(a="1"), archive(2000, a="1"), "m.skops", "a.json: dated"),
        (archive(a="1"), archive(a="1", b="2"), "m.skops", "b.json is new"),
    ],
)
def test_the_place_of_a_difference(before, after, name, said):
    assert difference(before, after, name).startswith(said)


def test_long_values_are_cut():
    assert difference(b"a" * 99, b"b" * 99, "a.txt") == f"line 1, column 1: '{'a' * 37}...' before, '{'b' * 37}...' now"
    assert shorten("four", 4) == "four"
