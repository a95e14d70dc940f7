"""A user's file becomes a table of words, whatever it is written in; what is wrong with it is told with its place."""

from __future__ import annotations

import csv
import datetime
import gzip
import json
import zipfile
from decimal import Decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mlworkflow.core.errors import ProjectError, TableError, UnreadableError
from mlworkflow.files import tables
from mlworkflow.files.tables import batches, read_rows, sniff
from mlworkflow.sources import file


@pytest.fixture
def write(tmp_path):
    def written(content: bytes | str, name: str = "rows.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def cells(path) -> list[list]:
    table = read_rows(path)
    return [list(table), *table.astype(object).where(table.notna(), None).to_numpy().tolist()]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b;c\n1,5;2,5;x\n", ";"),
        ("a\tb\n1, 2\t3\n", "\t"),
        ("a|b\n1|2,3\n", "|"),
        ('a,"b;c;d"\n1,2\n', ","),
        ("note\nhello, world\n", ","),
        ("name;town, street\nx;y\n", ";"),
    ],
)
def test_the_delimiter_is_found_out(write, text, delimiter):
    assert sniff(write(text))["delimiter"] == delimiter


@pytest.mark.parametrize(
    ("text", "quote"),
    [('a,b\n"1, 5",2\n', '"'), ("a,b\n'1, 5',2\n", "'"), ("a,b\n'1','2'\n", "'"), ("a,b\nit's,'tis\n", '"')],
)
def test_the_quote_is_found_out(write, text, quote):
    assert sniff(write(text))["quote"] == quote


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
def test_the_encoding_is_found_out(write, encoding):
    words = "Zoë" if encoding != "cp1252" else "Zoë 5€"
    path = write(f"name,b\n{words},2\n".encode(encoding))
    assert sniff(path)["encoding"] == encoding
    assert cells(path) == [["name", "b"], [words, "2"]]


def test_what_was_found_out_can_be_told_instead(write):
    path = write(b"a,b;c\n1,5;\xe9\n")
    [told] = file(str(path), delimiter=";", encoding="latin-1", quote='"')
    assert told.to_dict("list") == {"a,b": ["1,5"], "c": ["é"]}
    [told] = file(str(path), delimiter=";")
    assert list(told) == ["a,b", "c"]


def test_words_stay_as_they_stand_and_lines_may_break_inside_quotes(write):
    path = write('a,b\r\n"one\r\ntwo","say ""x"""\r\n007,NA\r\n, 1.50\r\n')
    assert cells(path) == [["a", "b"], ["one\r\ntwo", 'say "x"'], ["007", "NA"], ["", " 1.50"]]


def test_names_of_columns_may_be_anything_but_the_same(write):
    assert list(read_rows(write('a b,c/d,"e ""f""",größe,\n1,2,3,4,5\n'))) == [
        "a b",
        "c/d",
        'e "f"',
        "größe",
        "Unnamed: 4",
    ]
    assert list(read_rows(write(",Unnamed: 0,x,\n1,2,3,4\n"))) == ["Unnamed: 0.1", "Unnamed: 0", "x", "Unnamed: 3"]
    with pytest.raises(TableError, match="'a' is there twice"):
        read_rows(write("a,b,a\n1,2,3\n"))


BIG = b"a,b\n" + b"1,2\n" * 100
BAD = {
    "empty": (b"", "rows.csv", "the file is empty"),
    "blank": (b"\n\n", "rows.csv", "the file is empty"),
    "binary": (b"a,b\n1,2\n3,\0\1\2\n", "rows.csv", "line 3, byte 3 is no text"),
    "parquet called csv": (b"PAR1....", "rows.csv", "begins like Parquet"),
    "two encodings": ("a,b\n1,ü\n".encode() + b"2,\xfc\n", "rows.csv", "two encodings.*1 lines.*line 3, byte 3"),
    "unknown encoding": (b"a,b\n1,\x81\n", "rows.csv", "encoding is unknown, line 2, byte 3"),
    "too long a row": (BIG + b"1,2,3\n" + BIG[4:], "rows.csv", "row 101 has 3 values where its header has 2 names"),
    "too short a row": (b'a,b\n"x\ny",2\n3\n', "rows.csv", "row 2 has 1 values"),
    "open quote": (BIG + b'1,"2\n1,2\n', "rows.csv", 'row 101 has a quote " that is not closed'),
    "open quote in the header": (b'a,"b\n1,2\n', "rows.csv", "not closed|header is no row"),
    "cut gzip": (gzip.compress(BIG)[:-9], "rows.csv.gz", "ended before"),
    "no gzip": (b"a,b\n1,2\n", "rows.csv.gz", "[Nn]ot a gzipped file"),
    "no zstd": (b"a,b\n1,2\n", "rows.csv.zst", "ZSTD"),
    "no zip": (b"a,b\n1,2\n", "rows.zip", "not a zip"),
    "no parquet": (b"a,b\n1,2\n", "rows.parquet", "Parquet"),
    "no excel": (b"a,b\n1,2\n", "rows.xlsx", "no Excel file"),
    "no json": (b'{"a": 1}\n{"a": \n', "rows.jsonl", "row 2 is no JSON"),
    "no object": (b'{"a": 1}\n[1]\n', "rows.jsonl", "row 2 must be an object, but is a list"),
    "a list cut off": (b'[{"a": 1},', "rows.json", "the list is no JSON"),
    "two values of one column": (b'{"a.b": 1, "a": {"b": 2}}\n', "rows.jsonl", "row 1 has two values.*'a.b'"),
    "empty json": (b"\n", "rows.jsonl", "no record"),
    "another suffix": (b"a\n1\n", "rows.doc", "none of .csv"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_file_that_is_no_table_is_told_with_the_place(write, fault):
    content, name, words = BAD[fault]
    path = write(content, name)
    with pytest.raises(UnreadableError, match=words) as told:
        read_rows(path)
    assert str(path) in str(told.value)


def test_every_ragged_row_is_told_at_once(write):
    with pytest.raises(UnreadableError, match=r"row 1 has 1 .*row 2 has 3 .*; and 2 more"):
        read_rows(write("a,b\n1\n1,2,3\n3\n3\n3\n3\n3\n"))


def test_an_inch_sign_is_no_quote(write):
    assert cells(write('a,b\n3" pipe,2\n')) == [["a", "b"], ['3" pipe', "2"]]


def test_an_encoding_that_does_not_fit_is_told_with_the_place(write):
    with pytest.raises(UnreadableError, match="line 2, byte 3 is no utf-8"):
        read_rows(write(b"a,b\n1,\xfc\n"), encoding="utf-8")


def test_a_missing_file_is_told_with_the_nearest(write):
    write("a\n1\n", "customers.csv")
    with pytest.raises(UnreadableError, match=r"no such file, did you mean 'customers\.csv'\? Mend the path"):
        read_rows(write("", "x.csv").with_name("custmers.csv"))


@pytest.mark.parametrize(("name", "content"), [("a.csv", b"a,b\n"), ("a.jsonl", None), ("a.parquet", None)])
def test_a_header_without_rows_is_no_source(tmp_path, name, content):
    path = tmp_path / name
    if content:
        path.write_bytes(content)
    elif name.endswith("parquet"):
        pd.DataFrame({"a": [1]})[:0].to_parquet(path)
    else:
        path.write_bytes(b"{}\n")
    with pytest.raises(UnreadableError, match=r"no rows|no record"):
        list(file(str(path)))


def packed(tmp_path, name, content):
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(content))
    elif name.endswith(".zst"):
        with pa.output_stream(str(path), compression="zstd") as stream:
            stream.write(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("folder/", "")
            archive.writestr("folder/rows.csv", content)
    return path


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.csv.zst", "rows.zip", "rows.csv.zip"])
def test_a_packed_file_is_the_same_table(tmp_path, name):
    path = packed(tmp_path, name, b"a;b\n1;2\n")
    assert sniff(path)["delimiter"] == ";"
    assert cells(path) == [["a", "b"], ["1", "2"]]


def test_a_zip_of_several_members_names_them(tmp_path):
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.writestr("one.csv", "a\n1\n")
        archive.writestr("two.csv", "a\n1\n")
    with pytest.raises(UnreadableError, match=r"it holds 2: one\.csv, two\.csv"):
        read_rows(tmp_path / "rows.zip")


def test_parquet_keeps_its_types_and_is_packed_too(tmp_path):
    table = pd.DataFrame(
        {"n": [1, 2], "w": ["x", None], "d": pd.to_datetime(["2024-01-01", None]), "c": pd.Categorical(["p", "q"])}
    )
    table.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.parquet.gz").write_bytes(gzip.compress((tmp_path / "rows.parquet").read_bytes()))
    for name in ("rows.parquet", "rows.parquet.gz"):
        found = read_rows(tmp_path / name)
        assert [str(kind) for kind in found.dtypes][:2] == ["int64", "str"]
        pd.testing.assert_frame_equal(found, table.astype({"c": "str"}), check_dtype=False)


def test_batches_of_parquet_have_the_same_types_where_only_one_has_gaps(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", 2)
    made = pa.table(
        {
            "n": [1, 2, None],
            "m": [Decimal("1.50"), Decimal("2.25"), None],
            "d": [datetime.date(2024, 1, 1)] * 3,
            "k": [1, 2, 3],
        }
    )
    parquet.write_table(made, tmp_path / "rows.parquet")
    found = list(batches(tmp_path / "rows.parquet"))
    assert [len(table) for table in found] == [2, 1]
    assert [str(kind)[:10] for kind in found[0].dtypes] == ["float64", "float64", "datetime64", "int64"]
    assert (found[0].dtypes == found[1].dtypes).all()


def test_a_nested_column_of_parquet_is_refused(tmp_path):
    parquet.write_table(pa.table({"a": [[1, 2]], "b": [1]}), tmp_path / "rows.parquet")
    with pytest.raises(TableError, match="'a' holds list"):
        read_rows(tmp_path / "rows.parquet")


def test_json_lines_are_flattened_to_dotted_columns_of_words(write):
    lines = [{"id": 1, "who": {"name": "Zoë", "at": {"x": 1.5}}}, {"id": None, "tags": ["a", 2], "ok": True}]
    path = write("\n".join(json.dumps(line) for line in lines), "rows.jsonl")
    assert cells(path) == [
        ["id", "who.name", "who.at.x", "tags", "ok"],
        ["1", "Zoë", "1.5", None, None],
        [None, None, None, '["a", 2]', "true"],
    ]
    assert cells(write(json.dumps(lines, indent=1), "rows.json")) == cells(path)


def test_excel_cells_become_words(tmp_path):
    book = openpyxl.Workbook()
    for row in (["a b", "day", "n", None], ["x", datetime.datetime(2024, 1, 31), 3.0, None], [None, None, 0.5]):
        book.active.append(row)
    book.create_sheet("Other").append(["z"])
    book.save(tmp_path / "rows.xlsx")
    assert sniff(tmp_path / "rows.xlsx") == {"sheet": "Sheet"}
    assert cells(tmp_path / "rows.xlsx") == [["a b", "day", "n"], ["x", "2024-01-31", "3"], [None, None, "0.5"]]
    assert list(read_rows(tmp_path / "rows.xlsx", sheet="Other")) == ["z"]
    with pytest.raises(UnreadableError, match="no sheet 'Third', only 'Sheet', 'Other'"):
        read_rows(tmp_path / "rows.xlsx", sheet="Third")


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_batches_are_of_a_constant_number_of_rows_and_have_the_same_columns(write, monkeypatch, name):
    monkeypatch.setattr(tables, "ROWS", 10)
    text = "a,b\n" + "1,2\n" * 25
    if name == "rows.jsonl":
        text = '{"a": 1}\n' * 24 + '{"b": "x"}\n'
    found = list(batches(write(text, name)))
    assert [len(table) for table in found] == [10, 10, 5]
    assert all(list(table) == ["a", "b"] and (table.dtypes == "str").all() for table in found)


def test_a_large_file_is_read_block_by_block(write, monkeypatch):
    monkeypatch.setattr("mlworkflow.files.delimited.BLOCK", 64)
    path = write("a,b\n" + '1,"x\ny"\n' * 100)
    assert len(read_rows(path)) == 100
    with pytest.raises(ProjectError, match="row 100 has a quote"):
        read_rows(write("a,b\n" + "1,2\n" * 99 + '1,"2\n' + "1,2\n" * 99))


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
RANDOM = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(WORDS, min_size=width, max_size=width), min_size=1, max_size=5)
)


@settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=RANDOM, delimiter=st.sampled_from(",;\t|"), encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_whatever_words_are_written_are_read(tmp_path, rows, delimiter, encoding):
    path = tmp_path / "rows.csv"
    names = [f"c{place}" for place in range(len(rows[0]))]
    with path.open("w", encoding=encoding, newline="") as out:
        csv.writer(out, delimiter=delimiter).writerows([names, *rows])
    assert cells(path) == [names, *rows]
    assert sniff(path) == {"delimiter": delimiter, "encoding": encoding, "quote": '"'}
