"""The log is read once: what was asked, what came of it late, twice or otherwise, and whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mlworkflow.measures.metrics import score
from mlworkflow.monitoring.watched import Watched, reference_of
from mlworkflow.recording.errors import LogDamagedError
from mlworkflow.recording.tables import FILE
from mlworkflow.runtime.loading import load
from mlworkflow.watch.decoding import columns_of, said_of
from mlworkflow.watch.look import report, scored_of
from mlworkflow.watch.state import State
from tests.watched import DAY, START, asked, desk, follower, packaged, truths

ROOT = Path(__file__).parents[1]
WEEKS = START + 7 * DAY * 4


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return packaged(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def writer(tmp_path, bundle):
    return desk(tmp_path / "log", bundle)


@pytest.fixture
def state(tmp_path):
    opened = State(tmp_path / "state.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def read(writer, bundle, state):
    """Return what reads all that is new, and gives the follower back."""

    def read(now=WEEKS, **settings):
        following = follower(writer.folder, bundle, state, now, **settings)
        following.follow()
        return following

    return read


def rounded(value):
    """Return JSON with numbers rounded: sums are added up in another order."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.8g}") if isinstance(value, float) else value


def contents(state):
    """Return all that a state knows of windows and outcomes."""
    labelled = [(one.id, one.role, one.number, one.truth, one.label) for one in state.labelled("champion")]
    return rounded([{number: state.window(number) for number in state.windows()}, labelled, state.progress.rows])


def test_windows_hold_what_one_sketch_of_their_rows_holds(read, writer, bundle, state):
    first, second = asked(80, 1), asked(40, 2)
    ids = writer.predict(first, START + 60)
    writer.predict(second, START + 7 * DAY)
    read()
    assert len(state.windows()) == 2
    model, reference = load(bundle), reference_of(bundle)
    columns = model.fields.read(first)
    scored = model.score(columns)
    whole = Watched.empty(reference)
    labels = np.array([model.classes.index(one) for one in scored.predictions])
    whole.add(columns, labels, scored.probabilities, ids, model.impossible(columns))
    found = state.window(min(state.windows()))
    assert rounded(found["sketch"]) == rounded(json.loads(json.dumps(whole.to_dict()["sketch"])))
    assert found["health"]["first"] == START + 60


def test_reading_in_chunks_again_and_again_is_reading_at_once(read, writer, bundle, state, tmp_path, monkeypatch):
    for part in range(4):
        rows = asked(30, part)
        ids = writer.predict(rows, START + part * 3 * DAY, every=3_600)
        writer.tell(ids[::2], truths(rows, part)[::2])
        monkeypatch.setattr("mlworkflow.watch.follow.CHUNK", 7 + part)
        read()
    at_once = State(tmp_path / "other.sqlite")
    follower(writer.folder, bundle, at_once, WEEKS).follow()
    assert contents(at_once) == contents(state)
    assert state.progress.rows == 120
    at_once.close()


def test_late_outcomes_are_scored_in_the_window_of_their_prediction(read, writer, state):
    rows = asked(200, 1)
    ids = writer.predict(rows, START, every=600)
    outcomes = truths(rows, 1)
    before = report(read(now=START + 8 * DAY))
    assert [window.labelled for window in before.windows] == [0, 0]
    assert "performance/roc_auc" not in before.windows[0].numbers
    writer.predict(asked(10, 2), START + 8 * DAY)
    writer.tell(ids, outcomes, START + 9 * DAY)
    after = report(read(now=START + 15 * DAY))
    assert [window.labelled for window in after.windows] == [200, 0, 0]
    said = [one["probabilities"]["yes"] for one in writer.model.predict(rows)]
    from sklearn.metrics import roc_auc_score

    by_hand = roc_auc_score([one == "yes" for one in outcomes], said)
    assert after.windows[0].numbers["performance/roc_auc"].value == pytest.approx(by_hand)


def test_an_outcome_told_twice_counts_once_and_one_that_contradicts_takes_its_place(read, writer, state):
    ids = writer.predict(asked(3, 1), START)
    writer.tell(ids, ["yes", "no", "no"])
    read()
    writer.tell([ids[0], ids[1], ids[1]], ["yes", "yes", "yes"])
    writer.tell([ids[2]], ["maybe"])
    counts = read().state.progress.counts
    assert {one.id: one.truth for one in state.labelled("champion")} == {ids[0]: 1.0, ids[1]: 1.0, ids[2]: 0.0}
    told = ("outcomes told again", "outcomes that contradict an earlier one", "outcomes that cannot be")
    assert [counts[what] for what in told] == [2, 1, 1]


def test_an_outcome_before_its_prediction_waits_for_it(read, writer, state):
    writer.tell(["id-0", "never"], ["yes", "no"])
    found = report(read())
    assert found.log["unknown"] == 2
    assert "2 outcomes of predictions that the log does not hold" in found.notes
    writer.predict(asked(1, 1), START)
    assert report(read()).log["unknown"] == 1
    assert [one.id for one in state.labelled("champion")] == ["id-0"]


def test_rows_of_other_versions_are_counted_and_not_judged(read, writer, state):
    writer.predict(asked(5, 1), START, version="v0")
    ids = writer.predict(asked(4, 2), START)
    writer.predict(asked(4, 2), START, ids=ids, role="shadow", version="v2")
    writer.tell(ids, ["yes"] * 4)
    found = report(read())
    assert (found.log["rows"], found.log["counts"]["rows of other versions"]) == (4, 5)
    assert [len(state.labelled(role)) for role in ("champion", "shadow")] == [4, 4]
    assert found.windows[0].labelled == 4


def test_clocks_that_run_ahead_or_backwards_are_said_and_break_nothing(read, writer, state):
    writer.predict(asked(3, 1), START + DAY)
    writer.predict(asked(2, 2), START)  # earlier than the ones before
    writer.predict(asked(4, 3), START + 400 * DAY)
    found = report(read(now=START + 8 * DAY))
    assert found.log["counts"] == {"rows asked before an earlier one": 2, "rows from the future": 4}
    assert [window.rows for window in found.windows] == [5, 0]


def test_by_the_clock_of_the_rows_a_window_holds_the_rows_of_its_time(read, writer, state):
    old = asked(6, 1, since="2024-02-03")
    writer.predict([*old, *asked(4, 2, since="2024-03-01"), *asked(1, 3, since=None)], START)
    found = report(read(now=START + 90 * DAY, window="month", clock="row"))
    assert [(one.label, one.rows, one.complete) for one in found.windows] == [
        ("2024-02", 6, True),
        ("2024-03", 4, False),
    ]
    assert found.log["counts"]["rows without a time"] == 1


def test_windows_of_rows_go_by_the_rows_of_the_version(read, writer, state):
    writer.predict(asked(3, 1), START, version="v0")
    ids = writer.predict(asked(25, 1), START)
    writer.tell([ids[0], ids[9], ids[10], ids[24]], ["yes"] * 4)
    found = report(read(window="10 rows"))
    told = [(one.label, one.rows, one.labelled, one.complete) for one in found.windows]
    assert told == [("rows 1 to 10", 10, 2, True), ("rows 11 to 20", 10, 1, True), ("rows 21 to 30", 5, 1, False)]


def test_a_log_whose_old_rows_were_removed_is_the_same_log(read, writer, state):
    writer.predict(asked(5, 1), START)
    read()
    with sqlite3.connect(writer.folder / "log.sqlite") as connection:
        connection.execute("DELETE FROM predictions")
    connection.close()
    assert read().state.progress.rows == 5
    writer.predict(asked(2, 2), START)
    assert report(read()).log["rows"] == 7
    assert state.value("replaced") is None


@pytest.mark.parametrize("rows", [2, 9])
def test_another_log_in_its_place_is_counted_anew(read, writer, state, rows):
    writer.predict(asked(5, 1), START)
    read()
    for path in writer.folder.iterdir():
        path.unlink()
    writer.predict(asked(rows, 2), START)
    found = report(read())
    assert found.log["rows"] == rows
    assert "the log was replaced by another, so everything is counted anew" in found.notes


def test_what_was_read_before_damage_is_kept(read, writer, state):
    writer.predict(asked(200, 1), START)
    read()
    path = writer.folder / "log.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(LogDamagedError):
        read()
    assert state.progress.rows == 200


def test_a_damaged_state_is_put_aside_and_found_anew(read, writer, bundle, state, tmp_path):
    writer.predict(asked(5, 1), START)
    (tmp_path / "other.sqlite").write_bytes(b"no database at all" * 300)
    other = State(tmp_path / "other.sqlite")
    following = follower(writer.folder, bundle, other, WEEKS)
    following.follow()
    assert (other.begun_anew, other.progress.rows) == (True, 5)
    assert "what was known was damaged and is found anew from the log" in report(following).notes
    assert (tmp_path / "other.damaged").exists()
    other.close()


HARM = [
    *(f"windows SET content = {value}" for value in ("'{}'", "'x'", "NULL")),
    *(f"known SET value = {value}" for value in ("'{}'", "'x'", "NULL", "'{\"foo\": 1}'")),
    *("labelled SET probabilities = x'00'", "labelled SET truth = NULL"),
]


@pytest.mark.parametrize("harm", HARM)
def test_a_state_whose_contents_are_damaged_is_put_aside_and_found_anew(read, writer, bundle, state, tmp_path, harm):
    writer.tell(writer.predict(asked(60, 1), START), ["yes", "no"] * 30)
    report(read())
    state.close()
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as file:
        file.execute(f"UPDATE {harm}")
        file.commit()
    with closing(State(tmp_path / "state.sqlite")) as anew:
        following = follower(writer.folder, bundle, anew, WEEKS)
        following.follow()
        found = report(following)
    assert (found.windows[0].rows, found.windows[0].labelled) == (60, 60)
    assert "what was known was damaged and is found anew from the log" in found.notes
    assert (tmp_path / "state.damaged").exists()


def test_no_log_one_row_and_one_class_are_no_alarm(read, writer, state):
    assert report(read()).windows == []
    ids = writer.predict(asked(1, 1), START)
    writer.tell(ids, ["yes"])
    found = report(read())
    assert (found.open, found.windows[0].rows, found.windows[0].labelled) == ([], 1, 1)
    assert any("1 row is there" in note for note in found.windows[0].notes)
    rows = asked(120, 2)
    writer.tell(writer.predict(rows, START), ["yes"] * 120)
    found = report(read())
    assert "performance/roc_auc" not in {alarm.key for alarm in found.open}
    json.dumps(found.to_dict(), allow_nan=False)


# ---- decoding --------------------------------------------------------------------------------------------------------


def test_rows_are_read_by_columns_as_one_by_one(bundle):
    fields = load(bundle, "none").fields
    rows = [*asked(50, 1), {**asked(1, 1)[0], "plan": " basic "}, {**asked(1, 1)[0], "plan": "NA", "since": None}]
    texts = [json.dumps(row) for row in rows]
    quick, fit = columns_of(texts, fields)
    slow = fields.read(rows)
    assert len(fit) == 52
    for name, values in slow.items():
        np.testing.assert_array_equal(quick[name], values)


@pytest.mark.parametrize(
    "odd", ['{"age": "old"}', "no json", '{"age": true, "paid": 1, "plan": "a", "since": null}', "[]"]
)
def test_rows_of_another_schema_are_left_out_wherever_they_are(bundle, odd):
    fields = load(bundle, "none").fields
    texts = [json.dumps(row) for row in asked(60, 1)]
    for place in (0, 30):
        _, fit = columns_of([*texts[:place], odd, *texts[place:]], fields)
        assert fit.tolist() == [*range(place), *range(place + 1, 61)]
    _, fit = columns_of([odd] * 60, fields)  # more mistakes than an error tells
    assert len(fit) == 0


def test_answers_are_read_by_columns_as_one_by_one():
    texts = [
        '{"prediction": "b", "probabilities": {"a": 0.25, "b": 0.75}}',
        '{"prediction": "c"}',
        '{"prediction": "a"}',
    ]
    labels, said = said_of(texts, ["a", "b"])
    assert labels.tolist() == [1, -1, 0]
    np.testing.assert_array_equal(said, [[0.25, 0.75], [np.nan, np.nan], [np.nan, np.nan]])
    labels, said = said_of(['{"prediction": 1, "probabilities": {"0": 0.5, "1": 0.5}}'], [0, 1])
    assert (labels.tolist(), said.tolist()) == ([1], [[0.5, 0.5]])
    labels, said = said_of(['{"prediction": 2.5}', '{"prediction": null}'], [])
    assert said is None
    np.testing.assert_array_equal(labels, [2.5, np.nan])


def test_rows_with_outcomes_are_taken_as_metrics_take_them(read, writer, state):
    rows = asked(60, 3)
    ids = writer.predict(rows, START)
    writer.tell(ids, truths(rows, 3))
    read()
    scored = scored_of(state.labelled("champion"), ["no", "yes"])
    answers = writer.model.predict(rows)
    right = [answer["prediction"] == truth for answer, truth in zip(answers, truths(rows, 3), strict=True)]
    assert score(["accuracy"], scored)["accuracy"] == pytest.approx(np.mean(right))


# ---- killed ----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize("call", [1, 2, 4, 7, 10, 13])
def test_a_reader_that_ends_anywhere_loses_and_doubles_nothing(
    read, writer, bundle, state, tmp_path, monkeypatch, call
):
    monkeypatch.setattr("mlworkflow.watch.follow.CHUNK", 20)
    rows = asked(50, 1)
    writer.tell(["id-49"], ["no"])  # before its prediction
    read()
    ids = writer.predict(rows, START, every=20_000)
    writer.tell(ids, truths(rows, 1))
    calls = 0

    def dies(original):
        def dying(*arguments, **named):
            nonlocal calls
            calls += 1
            done = original(*arguments, **named)
            if calls == call:
                raise Killed
            return done

        return dying

    with monkeypatch.context() as patch:
        for name in ("keep_window", "label", "wait_for", "come", "keep"):
            patch.setattr(State, name, dies(getattr(State, name)))
        with pytest.raises(Killed):
            read()
    read()
    at_once = State(tmp_path / "other.sqlite")
    follower(writer.folder, bundle, at_once, WEEKS).follow()
    assert contents(state) == contents(at_once)
    assert (state.progress.rows, len(state.labelled("champion"))) == (50, 50)
    at_once.close()


READER = """
import sys
from pathlib import Path
from mlworkflow.core.params import Monitor
from mlworkflow.monitoring.watched import reference_of
from mlworkflow.runtime.loading import load
from mlworkflow.watch import follow
from mlworkflow.watch.state import State
follow.CHUNK = 5
log, bundle, path = map(Path, sys.argv[1:4])
state, model, reference = State(path), load(bundle, "none"), reference_of(bundle)
while True:
    follow.Follower(log, model, "v1", reference, Monitor(name="test"), state, float(sys.argv[4])).follow()
    print("read", flush=True)
"""


def test_a_reader_that_is_killed_again_and_again_while_the_log_grows_knows_all_of_it(writer, bundle, tmp_path):
    told = {}
    draw = random.Random(0)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    for turn in range(3):
        words = (writer.folder, bundle, tmp_path / "state.sqlite", WEEKS)
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, *map(str, words)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert reader.stdout
        reader.stdout.readline()  # it has looked once
        for part in range(4):
            rows = asked(10, 10 * turn + part)
            ids = writer.predict(rows, START + DAY * part)
            writer.tell(ids, truths(rows, part))
            told |= dict(zip(ids, truths(rows, part), strict=True))
            time.sleep(draw.uniform(0.0, 0.02))
        reader.send_signal(signal.SIGKILL)
        reader.wait()
        reader.stdout.close()
    state = State(tmp_path / "state.sqlite")
    following = follower(writer.folder, bundle, state, WEEKS)
    following.follow()
    assert {one.id: ("no", "yes")[int(one.truth)] for one in state.labelled("champion")} == told
    assert (report(following).log["rows"], report(following).windows[0].rows) == (120, 120)
    state.close()


TAMPERED = ["time = NULL", "time = 'noon'", "latency_ms = NULL", "inputs = NULL", "inputs = x'00'", "output = NULL"]
TAMPERED += ["time = 9e999", "latency_ms = 9e999", "id = x'00'", "version = NULL", "role = NULL"]


@pytest.mark.parametrize("place", [5, 60])
@pytest.mark.parametrize("change", TAMPERED)
def test_a_row_that_no_server_writes_is_left_out_and_stands_in_no_others_way(read, writer, state, change, place):
    ids = writer.predict(asked(60, 1), START)
    writer.tell(ids, ["yes"] * 60)
    with closing(sqlite3.connect(writer.folder / FILE)) as log:
        log.execute(f"UPDATE predictions SET {change} WHERE seq = {place}")
        log.commit()
    found = report(read())
    assert (found.windows[0].rows, found.windows[0].labelled) == (59, 59)
    assert found.log["counts"] == {"rows that no server writes": 1}


@pytest.mark.parametrize("told", ["not json", "", "{", b"\xff", None])
def test_an_outcome_that_cannot_be_read_stands_in_no_others_way(read, writer, state, told):
    ids = writer.predict(asked(60, 1), START)
    writer.tell(ids, ["yes"] * 60)
    with closing(sqlite3.connect(writer.folder / FILE)) as log:
        log.execute("UPDATE outcomes SET outcome = ? WHERE seq = 5", (told,))
        log.commit()
    found = report(read())
    assert found.windows[0].labelled == 59
    assert found.log["counts"]["outcomes that cannot be"] == 1


@pytest.mark.parametrize("said", ['["no"]', "5", '"many"', '{"yes": "many"}'])
def test_probabilities_that_are_none_are_missing(read, writer, state, said):
    writer.predict(asked(60, 1), START)
    output = f'{{"prediction": "yes", "probabilities": {said}}}'
    with closing(sqlite3.connect(writer.folder / FILE)) as log:
        log.execute("UPDATE predictions SET output = ? WHERE seq = 5", (output,))
        log.commit()
    assert report(read()).windows[0].rows == 60


def test_outcomes_of_rows_of_another_schema_are_not_among_those_known(read, writer, state):
    ids = writer.predict(asked(60, 1), START)
    writer.tell(ids, ["yes"] * 60)
    with closing(sqlite3.connect(writer.folder / FILE)) as log:
        log.execute("""UPDATE predictions SET inputs = '{"paid": "50"}' WHERE seq <= 45""")
        log.commit()
    found = report(read())
    assert (found.windows[0].rows, found.windows[0].labelled) == (15, 15)
    assert found.log["counts"]["rows of another schema"] == 45


def test_a_log_whose_tables_are_yet_to_be_made_is_empty(read, writer, state):
    writer.folder.mkdir(parents=True, exist_ok=True)
    (writer.folder / FILE).write_bytes(b"")
    assert report(read()).windows == []
