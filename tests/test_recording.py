"""The prediction log: what was answered is there, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mlworkflow import cli
from mlworkflow.recording import log as module
from mlworkflow.recording.errors import LogDamagedError, LogFullError, LogUnwritableError, LogVersionError
from mlworkflow.recording.log import Log
from mlworkflow.recording.opening import alone
from mlworkflow.recording.reading import newest, read, read_counts, read_outcomes
from mlworkflow.recording.record import Record, new_id, time_of
from mlworkflow.recording.retention import Keep
from mlworkflow.recording.routing import share_of

START = """
import asyncio, resource, sys, time
from pathlib import Path
from mlworkflow.recording import log as module, record
from mlworkflow.recording.log import Log
from mlworkflow.recording.record import Record, new_id

def made(version="v1", inputs=b'{"tenure": 3}'):
    return Record(new_id(), time.time(), version, "champion", None, inputs, b'{"prediction": "no"}', 1.5)
"""
ACKNOWLEDGES = """
async def main(log):
    while True:
        records = [made() for _ in range(3)]
        await log.put(records)
        print("\\n".join(one.id for one in records), flush=True)

asyncio.run(main(Log(Path(sys.argv[1]), sync=True)))
"""
TELLS_AT_ONCE = """
log = Log(Path(sys.argv[1]), window=0.2)
while True:
    record = made()
    print(record.id, flush=True)
    log.put([record])
    time.sleep(0.0005)
"""
WRITES_MANY = """
log = Log(Path(sys.argv[1]), window=0.01)
for number in range(1000):
    log.put([made(sys.argv[2])])
    time.sleep(0.0002)
log.close()
"""
FULL = """
def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def pause(log):
    before = log.state
    while log.state.error == before.error:
        time.sleep(0.005)

module.QUEUE, module.PAUSE = 20, 0.05
"""
FULL_SYNC = (
    FULL
    + """
async def main(log):
    await log.put([made()])
    room(1)
    try:
        await log.put([made("refused")])
    except module.LogUnwritableError as error:
        print("refused:", error)
    room(resource.RLIM_INFINITY)
    await log.put([made("later")])
    log.close()

asyncio.run(main(Log(Path(sys.argv[1]), sync=True)))
"""
)
FULL_BATCHED = (
    FULL
    + """
log = Log(Path(sys.argv[1]), window=0.02)
room(1)
log.put([made(f"v{number}") for number in range(15)])
pause(log)
for number in range(15, 30):
    log.put([made(f"v{number}")])
while log.state.queued != 20 or log.state.lost != 10:
    time.sleep(0.005)
print(log.state.error)
room(resource.RLIM_INFINITY)
pause(log)
log.close()
print(log.state)
"""
)


def made(**changes: object) -> Record:
    record = Record(new_id(), time.time(), "v1", "champion", "7", {"tenure": 3}, {"prediction": "no"}, 1.5)
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def start(program: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", START + program, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    told, wrong = process.communicate(timeout=30)
    assert process.returncode == 0, wrong
    return told


def killed_after(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Return what a process printed, killed once it had printed so many lines."""
    assert process.stdout
    told = [next(process.stdout).strip() for _ in range(lines)]
    process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return told + rest.rpartition("\n")[0].split()  # the last line may be half a one


def written(folder: Path, *records: Record, **options: object) -> None:
    with contextlib.closing(Log(folder, **options)) as log:
        log.put(records)


def ids(folder: Path) -> list[str]:
    return [one.record.id for one in read(folder)]


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    acknowledged: list[str] = []
    for lines in (1, 50, 200, 401):
        acknowledged += killed_after(start(ACKNOWLEDGES, tmp_path), lines)
        assert set(acknowledged) <= set(ids(tmp_path))
    assert len(acknowledged) > 600


def test_batched_a_killed_process_loses_its_newest_records_alone(tmp_path):
    told = killed_after(start(TELLS_AT_ONCE, tmp_path), 500)
    there = ids(tmp_path)
    assert there == told[: len(there)]
    made_at = [time_of(id) for id in told]
    lost = made_at[len(there) :]
    assert there
    assert not lost or made_at[-1] - lost[0] < 0.2 + 1.0  # the window, and a second for a busy machine


def test_two_processes_write_one_log_and_a_reader_beside_them_sees_each_row_once_in_order(tmp_path):
    Log(tmp_path).close()
    writers = [start(WRITES_MANY, tmp_path, version) for version in ("v1", "v2")]
    seen: list[tuple[int, str]] = []
    turns = 0
    while len(seen) < 2000 and turns < 5000:
        seen += [(one.seq, one.record.version) for one in read(tmp_path, after=seen[-1][0] if seen else 0)]
        turns += 1
        time.sleep(0.002)
    for writer in writers:
        finish(writer)
    assert [seq for seq, _ in seen] == list(range(1, 2001))
    assert Counter(version for _, version in seen) == {"v1": 1000, "v2": 1000}


def test_a_full_disk_fails_what_waits_for_it_and_nothing_after(tmp_path):
    told = finish(start(FULL_SYNC, tmp_path))
    assert told.startswith(f"refused: the prediction log {tmp_path}")
    assert [one.record.version for one in read(tmp_path)] == ["v1", "later"]


def test_batched_a_full_disk_keeps_the_newest_and_counts_the_lost(tmp_path):
    told = finish(start(FULL_BATCHED, tmp_path))
    assert "State(queued=0, lag=0.0, lost=10, removed=0, error=None)" in told
    assert [one.record.version for one in read(tmp_path)] == [f"v{number}" for number in range(10, 30)]


def test_a_full_queue_refuses_and_takes_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "QUEUE", 3)
    with contextlib.closing(Log(tmp_path, window=0.01)) as log:
        with alone(tmp_path / ".turn"):  # as if another process wrote for long
            with pytest.raises(LogFullError, match="3 wait"):
                for _ in range(10):
                    log.put([made()])
            assert log.state.queued >= 3
        while log.state.queued:
            time.sleep(0.001)
        log.put([made()])
    assert newest(tmp_path) >= 4


def test_what_comes_while_a_commit_runs_is_one_commit(tmp_path):
    async def ask(log: Log) -> None:
        with alone(tmp_path / ".turn"):
            first = log.put([made()])
            while log.state.queued and log._waiting.records:
                await asyncio.sleep(0.001)
            futures = [first, *(log.put([made(), made()]) for _ in range(9))]
            assert not any(future.done() for future in futures)
        await asyncio.gather(*futures)

    with contextlib.closing(Log(tmp_path, sync=True)) as log:
        commits = []
        write = log._file.write
        log._file.write = lambda rows, *rest: (commits.append(len(rows)), write(rows, *rest))
        asyncio.run(ask(log))
    assert commits == [1, 18]


@pytest.mark.parametrize("damage", [b"", b"no database at all " * 99])
def test_a_damaged_log_is_moved_aside_and_a_new_one_begun(tmp_path, capsys, damage):
    written(tmp_path, *(made() for _ in range(200)))
    file = tmp_path / "log.sqlite"
    whole = file.read_bytes()
    spoiled = damage or whole[:8192] + os.urandom(4096) + whole[12288:]
    file.write_bytes(spoiled)
    record = made()
    written(tmp_path, record)
    assert ids(tmp_path) == [record.id]
    (aside,) = tmp_path.glob("log.damaged-*.sqlite")
    assert aside.read_bytes() == spoiled
    told = capsys.readouterr().err
    assert f"moved to {aside.name}" in told
    assert "sqlite3" in told


def test_a_log_that_was_removed_under_a_server_is_begun_anew(tmp_path):
    with contextlib.closing(Log(tmp_path, window=0.01)) as log:
        log.put([made()])
        while log.state.queued:
            time.sleep(0.001)
        for file in tmp_path.iterdir():
            file.unlink()
        record = made()
        log.put([record])
    assert ids(tmp_path) == [record.id]


def test_a_log_of_another_version_is_left_as_it_is(tmp_path):
    written(tmp_path, made())
    with contextlib.closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 9")
    for opens in (Log, lambda folder: list(read(folder))):
        with pytest.raises(LogVersionError, match=r"of schema 9\. It was left as it is"):
            opens(tmp_path)
    assert not [*tmp_path.glob("log.damaged*")]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LogUnwritableError, match="Make room or allow writing"):
        Log(tmp_path / "file")


def test_damage_found_while_reading_is_told_after_what_is_good(tmp_path):
    written(tmp_path, *(made(inputs={"words": "x" * 2000}) for _ in range(1500)))
    file = tmp_path / "log.sqlite"
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 4 * 3)
        opened.write(os.urandom(1 << 19))
    outputs = []
    with pytest.raises(LogDamagedError, match="What was read before is good"):
        outputs.extend(one.record.output for one in read(tmp_path))
    assert outputs == [{"prediction": "no"}] * 1000


def test_a_log_can_be_read_without_its_journal_and_a_missing_one_is_empty(tmp_path):
    record = made()
    written(tmp_path / "log", record)
    copied = tmp_path / "copied"
    copied.mkdir()
    (copied / "log.sqlite").write_bytes((tmp_path / "log/log.sqlite").read_bytes())
    assert ids(copied) == [record.id]
    assert ids(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_a_record_comes_back_as_it_went(tmp_path):
    records = [
        made(inputs={"f": 0.1 + 0.2, "big": 10**30, "null": None, "word": "naïve \ud800 \0"}, key="\ud800é"),
        made(inputs=b'{"n": 1e400}', output=b'{"p": [0.1, 0.9]}', key=None, role="challenger"),
        made(inputs={"nan": float("nan"), "array": np.float32([1.5, 2]), "odd": {1, 2}.__class__}),
    ]
    written(tmp_path, *records)
    first, second, third = (one.record for one in read(tmp_path))
    assert first == made(**{**fields(records[0]), "key": "?é"})
    assert second.inputs == {"n": float("inf")}
    assert second.output == {"p": [0.1, 0.9]}
    assert third.inputs == {"nan": None, "array": [1.5, 2.0], "odd": "<class 'set'>"}


def test_a_record_that_is_written_again_is_there_once(tmp_path):
    record = made()
    written(tmp_path, record, record)
    written(tmp_path, record, made(id=record.id, role="shadow"))
    assert [one.record.role for one in read(tmp_path)] == ["champion", "shadow"]


def fields(record: Record) -> dict[str, object]:
    return {name: getattr(record, name) for name in Record.__slots__}


def test_outcomes_come_late_twice_and_contradictory_and_all_are_kept(tmp_path):
    old = made(id="01890000-0000-7000-8000-000000000000")
    answered, shadow = made(), None
    shadow = made(id=answered.id, role="shadow", output={"prediction": "yes"})
    written(tmp_path, old, answered, shadow)
    with contextlib.closing(Log(tmp_path)) as log:
        assert log.feedback(old.id, "yes") == "taken"
        assert log.feedback(answered.id, "yes") == "taken"
        assert log.feedback(answered.id, "no") == "taken"
        assert log.feedback(answered.id, "no") == "taken"
    first, second, third = read(tmp_path)
    assert [told.outcome for told in first.outcomes] == ["yes"]
    assert [told.outcome for told in second.outcomes] == ["yes", "no", "no"]
    assert second.outcomes == third.outcomes
    told = list(read_outcomes(tmp_path, after=1))
    assert [outcome.seq for outcome, _ in told] == [2, 3, 4]
    assert [record.role for record in told[0][1]] == ["champion", "shadow"]


def test_an_unknown_id_is_unknown_and_one_on_its_way_is_not(tmp_path):
    with contextlib.closing(Log(tmp_path)) as log:
        for id in ("", "7", str(uuid.uuid4()), "01890000-0000-7000-8000-000000000000", new_id().upper(), None):
            assert log.feedback(id, 1) == "unknown"
        assert log.feedback(new_id(), 1.5) == "taken"  # another process may hold it still
    ((outcome, records),) = read_outcomes(tmp_path)
    assert (outcome.outcome, records) == (1.5, ())


def test_with_sync_an_outcome_is_on_disk_when_it_is_taken(tmp_path):
    with contextlib.closing(Log(tmp_path, sync=True)) as log:
        log.feedback(new_id(), {"class": "yes"})
        assert [outcome.outcome for outcome, _ in read_outcomes(tmp_path)] == [{"class": "yes"}]


def test_what_left_no_record_is_counted_by_the_minute_of_all_processes(tmp_path):
    for _ in range(2):
        with contextlib.closing(Log(tmp_path)) as log:
            log.count("rejected", 3)
            log.count("failed")
    counted = Counter()
    for minute, kind, number in read_counts(tmp_path):
        assert minute % 60 == 0
        counted[kind] += number
    assert counted == {"rejected": 6, "failed": 2}
    assert read_counts(tmp_path, since=time.time() + 120) == []


def test_old_records_go_with_their_outcomes_and_their_numbers_never_come_back(tmp_path):
    day = 86_400
    old = made(time=time.time() - 8 * day, inputs={"word": "secret-of-a-person"})
    written(tmp_path, old, made(time=time.time() - 6 * day))
    with contextlib.closing(Log(tmp_path)) as log:
        log.feedback(old.id, "yes")
    log = Log(tmp_path, keep=Keep(days=7))
    while not log.state.removed:
        time.sleep(0.005)
    log.close()
    assert [one.seq for one in read(tmp_path)] == [2]
    assert list(read_outcomes(tmp_path)) == []
    assert b"secret-of-a-person" not in (tmp_path / "log.sqlite").read_bytes()
    log = Log(tmp_path, keep=Keep(days=1))
    while not log.state.removed:
        time.sleep(0.005)
    log.put([made()])
    log.close()
    assert [one.seq for one in read(tmp_path)] == [3]


def test_the_oldest_go_when_the_log_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("mlworkflow.recording.retention.STEP", 50)
    records = [made(inputs={"word": "x" * 3000}) for _ in range(300)]
    written(tmp_path, *records)
    log = Log(tmp_path, window=0.01, keep=Keep(gigabytes=0.0005))
    while log.state.removed < 150:
        time.sleep(0.005)
    log.close()
    assert ids(tmp_path) == [one.id for one in records][log.state.removed :]
    assert log.state.removed < 300


def test_ids_are_uuids_that_sort_by_time_and_tell_it():
    made_ids = []
    for _ in range(50):
        made_ids.append(new_id())
        time.sleep(1e-5)
    assert made_ids == sorted(set(made_ids))
    assert {uuid.UUID(id).version for id in made_ids} == {7}
    assert {uuid.UUID(id).variant for id in made_ids} == {uuid.RFC_4122}
    assert abs(time_of(made_ids[-1]) - time.time()) < 60


def test_ids_of_threads_differ():
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(new_id() for _ in range(2000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 8000


def test_a_key_always_goes_the_same_way_and_keys_spread_evenly():
    # printf 'mlworkflow.routing:customer 7' | b2sum -l 64
    assert share_of("customer 7") == (0x25AC08097FFDA2F9 >> 11) / 2**53
    assert share_of("naïve") != share_of("na?ve") == share_of("na\ud800ve")
    shares = np.array([share_of(str(number)) for number in range(20_000)])
    counts = np.histogram(shares, bins=100, range=(0, 1))[0]
    assert ((counts - 200) ** 2 / 200).sum() < 148.2  # chi-square, 99 degrees of freedom, 0.001
    assert shares.min() >= 0
    assert shares.max() < 1


def test_the_newest_predictions_are_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("")
    assert cli.main(["log"]) == 1
    assert "Start `mlworkflow serve`" in capsys.readouterr().err
    records = [made(inputs={"tenure": number, "words": "long " * 50}) for number in range(4)]
    written(tmp_path / "data/predictions", *records)
    with contextlib.closing(Log(tmp_path / "data/predictions")) as log:
        log.feedback(records[3].id, "yes")
    assert cli.main(["log", "--last", "2"]) == 0
    told = capsys.readouterr().out
    assert [line.split()[2] for line in told.splitlines() if "champion" in line] == [one.id for one in records[2:]]
    assert 'answered  {"prediction": "no"} in 1.5 ms' in told
    assert 'outcome   "yes"' in told
    assert max(map(len, told.splitlines())) <= 80
    cli.main(["log", "--last", "1", "--json"])
    assert json.loads(capsys.readouterr().out)["record"]["inputs"]["tenure"] == 3
