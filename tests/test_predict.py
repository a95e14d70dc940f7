"""`mlworkflow predict`: raw rows in, a prediction for each out, and every mistake told at once."""

import contextlib
import json
import shutil

import pandas as pd
import pytest

from mlworkflow.batch.command import Wanted
from mlworkflow.batch.command import predict as run
from mlworkflow.core import io, paths
from mlworkflow.core.errors import DamagedBundleError, SuffixError, TableError, UnreadableError
from mlworkflow.files.tables import read_rows
from mlworkflow.serving.bundle import load
from tests.test_bundle import customers, make, question


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a bundle."""
    folder = tmp_path_factory.mktemp("predict")
    with contextlib.chdir(folder):
        make(question(), customers())
    return folder


@pytest.fixture
def bundle(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return folder / paths.BUNDLE


def predict(rows, out, bundle=paths.BUNDLE, **more):
    """Return (the exit code, what was said)."""
    said = []
    code = run(Wanted(str(rows), out, bundle, **more), say=said.append)
    return code, "\n".join(said)


def write(tmp_path, rows, name="rows.csv"):
    io.write_table(rows, tmp_path / name)
    return tmp_path / name


def test_raw_rows_come_back_with_key_class_and_probabilities(bundle, tmp_path):
    out = tmp_path / "out.csv"
    code, said = predict(write(tmp_path, customers()), out, bundle)
    scored = pd.read_csv(out)
    assert list(scored) == ["customer", "prediction", "probability_no", "probability_yes"]
    assert scored["customer"].tolist() == customers()["customer"].tolist()
    assert (code, said) == (0, f"60 rows of {tmp_path / 'rows.csv'} are scored in {out}.")


def test_the_file_and_the_bundle_say_the_same(bundle, tmp_path):
    predict(write(tmp_path, customers()), tmp_path / "out.parquet", bundle)
    scored = pd.read_parquet(tmp_path / "out.parquet").drop(columns="customer")
    pd.testing.assert_frame_equal(scored, load(bundle).predict(customers()), check_dtype=False)


def test_csv_and_parquet_with_typed_columns_give_the_same(bundle, tmp_path):
    rows = customers()
    typed = rows.assign(age=pd.to_numeric(rows["age"], errors="coerce"), paid=rows["paid"].astype(float))
    predict(write(tmp_path, rows), tmp_path / "one.csv", bundle)
    predict(write(tmp_path, typed, "typed.parquet"), tmp_path / "two.csv", bundle)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_row_is_scored_alone_as_among_others(bundle, tmp_path):
    predict(write(tmp_path, customers()), tmp_path / "all.csv", bundle)
    predict(write(tmp_path, customers()[7:8], "one.csv"), tmp_path / "one_out.csv", bundle)
    everyone, one = pd.read_csv(tmp_path / "all.csv"), pd.read_csv(tmp_path / "one_out.csv")
    pd.testing.assert_frame_equal(everyone[7:8].reset_index(drop=True), one)


def test_target_and_hidden_columns_may_be_absent_and_an_extra_one_is_told(bundle, tmp_path):
    rows = customers().drop(columns=["left", "worth"]).assign(colour="red")
    _, said = predict(write(tmp_path, rows), tmp_path / "out.csv", bundle)
    assert said.splitlines()[1] == "Ignored, as the model does not know them: 'colour'."


def test_rows_without_their_key_are_numbered(bundle, tmp_path):
    predict(write(tmp_path, customers(3).drop(columns="customer")), tmp_path / "out.csv", bundle)
    assert pd.read_csv(tmp_path / "out.csv")["row"].tolist() == [1, 2, 3]


def test_unknown_categories_and_blanks_are_scored(bundle, tmp_path):
    rows = customers(3).assign(plan=["platinum", "", "NA"], age="")
    predict(write(tmp_path, rows), tmp_path / "out.csv", bundle)
    assert pd.read_csv(tmp_path / "out.csv")["probability_yes"].notna().all()


def test_rows_that_cannot_be_read_are_rejected_with_their_reason_and_the_exit_code_says_so(bundle, tmp_path):
    rows = customers(5).assign(age=["1", "old", "2", "3", "young"], paid=["1", "2", "3", "much", "4"])
    code, said = predict(write(tmp_path, rows), tmp_path / "out.csv", bundle)
    assert code == 3
    assert "3 rows could not be read" in said
    assert pd.read_csv(tmp_path / "out.csv")["customer"].tolist() == ["c0", "c2"]
    rejects = pd.read_csv(tmp_path / "out.csv.rejects.csv")
    assert rejects[["row", "column", "value", "reason"]].to_numpy().tolist() == [
        [2, "age", "old", "it is no number"],
        [4, "paid", "much", "it is no number"],
        [5, "age", "young", "it is no number"],
    ]
    assert json.loads(rejects["values"][0])["customer"] == "c1"
    predict(write(tmp_path, customers(5)), tmp_path / "out.csv", bundle)
    assert not (tmp_path / "out.csv.rejects.csv").exists()


def test_lines_with_too_many_values_are_rejected_and_the_numbers_of_the_others_stay(bundle, tmp_path):
    lines = customers(4).drop(columns="customer").to_csv(index=False).splitlines()
    lines.insert(2, "1,2,3,4,5,6,7,8,9")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    code, _ = predict(tmp_path / "rows.csv", tmp_path / "out.csv", bundle)
    assert code == 3
    assert pd.read_csv(tmp_path / "out.csv")["row"].tolist() == [1, 3, 4, 5]
    rejects = pd.read_csv(tmp_path / "out.csv.rejects.csv")
    assert rejects["row"].tolist() == [2]
    assert "9 values where the header has 6 names" in rejects["reason"][0]


def test_missing_columns_are_all_named(bundle, tmp_path):
    with pytest.raises(TableError, match=r"'age' is missing, did you mean 'Age'\?\n.*'plan' is missing"):
        predict(
            write(tmp_path, customers().rename(columns={"age": "Age"}).drop(columns="plan")), tmp_path / "o.csv", bundle
        )


def test_a_header_without_rows_gives_a_header_without_rows(bundle, tmp_path):
    predict(write(tmp_path, customers()[:0]), tmp_path / "out.csv", bundle)
    assert (tmp_path / "out.csv").read_text() == "customer,prediction,probability_no,probability_yes\n"


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"\xef\xbb\xbfage\n1\n")
    assert list(read_rows(tmp_path / "rows.csv")) == ["age"]


def test_words_stay_as_they_stand_whatever_the_other_rows_hold(tmp_path):
    (tmp_path / "rows.csv").write_text("plan,town\n007,NA\n")
    assert read_rows(tmp_path / "rows.csv").iloc[0].tolist() == ["007", "NA"]


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "rows.csv"), (b"\x00\xff\xfea", "rows.csv"), (b"a\n1\n", "rows.parquet"), (b'a,b\n"1', "rows.csv")],
)
def test_a_file_that_is_no_table_is_one_clear_error(content, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableError, match="must be readable, but it is not"):
        read_rows(tmp_path / name)


def test_a_missing_file_and_another_suffix_are_told(tmp_path):
    with pytest.raises(UnreadableError, match="no such file"):
        read_rows(tmp_path / "rows.csv")
    with pytest.raises(UnreadableError, match=r"none of \.csv, \.tsv"):
        read_rows(tmp_path / "rows.xls")


def test_an_output_that_is_no_table_is_told_before_anything_is_read(tmp_path):
    with pytest.raises(SuffixError, match=r"out\.xlsx must be writable .* none of \.csv, \.parquet, \.jsonl"):
        predict(tmp_path / "nowhere.csv", tmp_path / "out.xlsx")


def test_a_suffix_in_capitals_is_the_same_suffix(tmp_path):
    io.write_table(pd.DataFrame({"a": [1]}), tmp_path / "OUT.CSV")
    assert (tmp_path / "OUT.CSV").read_text(encoding="utf-8") == "a\n1\n"


def test_a_column_that_is_there_twice_is_named(tmp_path):
    (tmp_path / "rows.csv").write_text("age,plan,age\n1,a,2\n")
    with pytest.raises(TableError, match="'age' is there twice"):
        read_rows(tmp_path / "rows.csv")


def test_a_row_with_more_values_than_columns_is_an_error_and_shifts_nothing(tmp_path):
    (tmp_path / "rows.csv").write_text("age,plan\n1,a,2\n3,b,4\n")
    with pytest.raises(UnreadableError, match="row 1 has 3 values where its header has 2 names"):
        read_rows(tmp_path / "rows.csv")


def test_a_damaged_bundle_scores_nothing(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "copy")
    (tmp_path / "copy" / "threshold.json").write_text('{"threshold": 0.9, "words": "mine"}')
    with pytest.raises(DamagedBundleError, match=r"threshold\.json"):
        predict(write(tmp_path, customers()), tmp_path / "out.csv", tmp_path / "copy")
    assert not (tmp_path / "out.csv").exists()
