"""`mlworkflow monitor` as an operator has it: exit codes, words, files, a watcher that is killed, alerts to export."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml

from mlworkflow.api.command import version_of
from mlworkflow.api.meters import text
from mlworkflow.core import io
from mlworkflow.exporting.alerts import rules
from mlworkflow.watch import metrics
from mlworkflow.watch.alarms import lasting
from mlworkflow.watch.spans import number_of, span
from tests.conftest import ROOT, environment, mlworkflow
from tests.released import recorded
from tests.test_watch_alarms import receiving
from tests.watched import DAY, asked, desk, packaged, truths

START = span("week", number_of("week", time.time()) - 5).start
LABELS = [span("week", number_of("week", START) + number).label for number in range(5)]
PATIENCE = 30.0  # seconds for a watcher to say something


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return packaged(tmp_path_factory.mktemp("bundle"), personal=True)


@pytest.fixture
def root(tmp_path, bundle):
    """A clone in which a model serves, that is no release."""
    made = tmp_path / "clone"
    shutil.copytree(bundle, made / "models/bundle")
    shutil.copy(ROOT / "params.yaml", made)
    (made / "dvc.yaml").write_text("stages: {}\n")
    subprocess.run(["git", "init", "-q"], cwd=made, check=True)
    return made


@pytest.fixture
def writer(root):
    made = desk(root / "data/predictions", root / "models/bundle")
    made.version = version_of(root / "models/bundle")
    return made


def weeks(writer, *changes, first=0, rows=150):
    """Write a week of requests for each of the changes, with its outcomes."""
    for number, change in enumerate(changes, first):
        table = asked(rows, number, **change)
        ids = writer.predict(table, START + 7 * DAY * number, every=600)
        writer.tell(ids, truths(table, number))


QUIET, FAULTY = {}, {"paid": 80.0}  # a little more than ever in training


def monitor(root, *words, code=0):
    return mlworkflow(root, "monitor", *words, code=code)


def reported(root, *words, code=0):
    said = monitor(root, "--json", *words, code=code)
    return json.loads(said[said.index("{") :])


def test_a_quiet_log_is_quiet_and_an_alarm_is_exit_code_1_until_it_is_over(root, writer):
    weeks(writer, QUIET, QUIET)
    assert "quiet" in monitor(root)
    weeks(writer, FAULTY, first=2)
    words = monitor(root, code=1)
    assert f"since {LABELS[2]}" in words
    assert "mlworkflow retrain --because" in words
    assert max(map(len, words.splitlines())) <= 80
    found = reported(root, code=1)
    assert {alarm["subject"] for alarm in found["alarms"] if not alarm["ended"]} == {"paid: outside"}
    weeks(writer, QUIET, first=3)
    assert "quiet" in monitor(root)


def test_what_it_leaves_is_in_data_monitoring_alone(root, writer):
    weeks(writer, QUIET, FAULTY)
    monitor(root, code=1)
    left = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {f"data/monitoring/{name}" for name in ("drift.json", "monitor.html", "metrics.prom")} <= left
    assert not {name for name in left if name.startswith(("metrics/", "reports/"))}
    assert json.loads((root / "data/monitoring/drift.json").read_text())["alarms"] >= 1
    assert "mlworkflow_monitor_alarm{" in (root / "data/monitoring/metrics.prom").read_text()
    monitor(root, "--html", "my.html", code=1)
    assert (root / "my.html").read_text() == (root / "data/monitoring/monitor.html").read_text()


def test_no_log_is_said_and_no_alarm(root):
    words = monitor(root)
    assert "no row has been predicted yet" in words
    assert "There is no release, so models/bundle is watched." in words


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--window", "fortnight"], "a window is hour, day, week, month"),
        (["--window", "0 rows"], "a window is hour, day, week, month"),
        (["--last", "0"], "--last must be at least 1"),
        (["--window", "99999999999 hours"], "a window is hour, day, week, month"),
        (["--watch", "--every", "0"], "--every must be more than 0 seconds"),
        (["--watch", "--every", "nan"], "--every must be more than 0 seconds"),
        (["--webhook", "ftp://x"], "must be an http:// or https:// address"),
        (["--bundle", "nowhere"], "nowhere"),
        (["--stage", "canary"], "there is no release yet"),
    ],
)
def test_what_cannot_be_asked_is_exit_code_2_and_says_what_to_do(root, options, said):
    if "canary" in options:
        shutil.rmtree(root / "models")
    words = monitor(root, *options, code=2)
    assert said in words
    assert "Traceback" not in words


@pytest.mark.parametrize("told", ["{seed: 1}", "{monitor: [1]}"])
def test_a_params_file_that_says_nothing_of_monitoring_is_said(root, told):
    (root / "params.yaml").write_text(told)
    assert "no section `monitor`: type `mlworkflow compose`" in monitor(root, code=2)


def test_an_alarm_lasts_through_a_long_silence_and_hours_of_silence_are_one(root, writer):
    begin = time.time() - 20 * DAY
    writer.predict(asked(1_400, 1), begin, every=900)  # 14.6 days
    writer.predict(asked(200, 2, **FAULTY), begin + 15 * DAY, every=60)
    found = reported(root, "--window", "hour", "--last", "3", code=1)
    lasting = {f"{one['part']}/{one['subject']}" for one in found["alarms"] if not one["ended"]}
    assert {"health/rows", "quality/paid: outside"} <= lasting
    assert len(found["windows"]) == 3


def test_an_alarm_of_a_window_of_rows_began_with_its_first_row(root, writer):
    for number, change in enumerate((QUIET, FAULTY)):
        writer.predict(asked(100, number, **change), START + DAY * number + 0.25)
    found = reported(root, "--window", "100 rows", code=1)
    assert [window["start"][10:] for window in found["windows"]] == ["T00:00:00.250Z"] * 2
    with contextlib.chdir(root):
        (told,) = [one for one in lasting("churn") if one["alarm"] == "quality/paid: outside"]
    assert (told["clock"], told["begun"]) == ("log", START + DAY + 0.25)


def test_a_row_from_far_away_is_set_aside_whatever_clock_is_asked(root, writer):
    days = [time.strftime("%Y-%m-%d", time.gmtime(START + DAY * (number // 20))) for number in range(600)]
    rows = [{**row, "since": day} for row, day in zip(asked(600, 1, **FAULTY), days, strict=True)]
    odd = asked(1, 2, since="9999-12-31") + asked(1, 3, since="2262-04-11")
    writer.predict([*rows, *odd], START)
    found = reported(root, "--clock", "row", code=1)
    assert found["log"]["counts"]["rows from the future"] == 2
    assert {one["label"] for one in found["windows"]} == {*LABELS}


def test_a_damaged_log_of_which_nothing_was_read_is_exit_code_2(root):
    io.write_bytes(b"SQLite format 3\0" + b"\xff" * 20_000, root / "data/predictions/log.sqlite")
    assert "is damaged" in monitor(root, code=2)


def test_a_defect_of_the_monitor_is_no_alarm(root, writer, monkeypatch):
    weeks(writer, QUIET)
    monkeypatch.setattr("mlworkflow.watch.command.write", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in monitor(root, code=2)


def test_what_lasts_does_not_depend_on_how_much_is_shown(root, writer):
    weeks(writer, QUIET, FAULTY, {"paid": 79.0})
    whole, short = (reported(root, *words, code=None) for words in ((), ("--last", "1")))
    assert len(short["windows"]) == 1
    assert short["alarms"] == whole["alarms"] != []


def test_the_version_of_the_stage_is_watched_and_no_other(repository, bundle):
    shutil.rmtree(repository / "models/bundle")
    shutil.copytree(bundle, repository / "models/bundle")
    recorded(repository, "linear")
    mlworkflow(repository, "release")
    writer = desk(repository / "data/predictions", bundle)
    writer.predict(asked(60, 1), START, version="v1.0.0")
    writer.predict(asked(50, 2), START, version="v0.9.0")
    found = reported(repository)
    assert (found["version"], found["log"]["rows"]) == ("v1.0.0", 60)
    assert found["log"]["counts"]["rows of other versions"] == 50


def test_a_webhook_hears_of_each_alarm_once_and_of_its_end(root, writer):
    weeks(writer, QUIET, FAULTY)
    with receiving() as receiver:
        for _ in range(2):
            monitor(root, "--webhook", receiver.address, code=1)
        weeks(writer, QUIET, first=2)
        monitor(root, "--webhook", receiver.address)
        told = [(one["event"], one["alarm"]) for one in receiver.taken]
    begun = [alarm for event, alarm in told if event == "begins"]
    assert "quality/paid: outside" in begun
    assert sorted(told) == sorted((event, alarm) for event in ("begins", "ends") for alarm in set(begun))
    assert {one["page"] for one in receiver.taken} == {"data/monitoring/monitor.html"}


def test_a_receiver_that_is_gone_does_not_stop_a_look(root, writer):
    weeks(writer, FAULTY)
    assert "does not take messages" in monitor(root, "--webhook", "http://127.0.0.1:9/", code=1)


def test_somebody_who_tries_other_windows_alarms_nobody_and_leaves_what_others_read(root, writer):
    weeks(writer, QUIET, FAULTY)
    monitor(root, code=1)
    usual = [root / "data/monitoring" / name for name in ("monitor.html", "drift.json", "metrics.prom")]
    before = [path.read_bytes() for path in usual]
    assert "The page: data/monitoring/tried.html" in monitor(root, "--window", "100 rows", code=1)
    assert [path.read_bytes() for path in usual] == before
    with receiving() as receiver:
        monitor(root, "--webhook", receiver.address, code=1)
        assert {one["since"] for one in receiver.taken} == {LABELS[1]}


# ---- --watch ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def watching(root, *options):
    command = [sys.executable, "-m", "mlworkflow.cli", "monitor", "--watch", "--every", "0.1", *options]
    process = subprocess.Popen(command, cwd=root, env=environment(root) | {"PYTHONPATH": str(ROOT / "src")},
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def await_line(process, part):
    """Return the lines up to one with `part`; a watcher that does not say it in time is killed."""
    lines = []
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if part in line:
                return lines
    finally:
        timer.cancel()
    raise AssertionError(f"{part!r} never came, but {lines}")


def test_a_watcher_is_alone_tells_what_begins_once_though_killed_and_ends_when_asked(root, writer):
    weeks(writer, QUIET)
    with receiving() as receiver:
        with watching(root, "--webhook", receiver.address) as process:
            await_line(process, "quiet, up to")
            assert "one `mlworkflow monitor --watch` runs in a repository" in monitor(root, "--watch", code=2)
            assert "quiet" in monitor(root)  # a look is free
            weeks(writer, FAULTY, first=1)
            await_line(process, "1 alarm lasts")
            process.send_signal(signal.SIGKILL)
            process.wait()
        with watching(root, "--webhook", receiver.address) as process:
            lines = await_line(process, "1 alarm lasts")
            assert not [line for line in lines if line.startswith("alarm:")]
            end = time.monotonic() + PATIENCE
            while not receiver.taken and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        ids = {(one["event"], one["alarm"]): one["id"] for one in receiver.taken}
        assert len(ids) == len({one["id"] for one in receiver.taken}) > 0


# ---- alerts ----------------------------------------------------------------------------------------------------------


def test_alerts_are_on_numbers_that_are_there_and_go_on_with_commands(root):
    import re

    told = yaml.safe_load(mlworkflow(root, "export", "alerts"))["groups"][0]["rules"]
    assert [one["alert"] for one in told] == [one.name for one in rules()]
    from mlworkflow.api import meters

    meters.counted("/predict", 200)
    there = {line.split("{")[0].split(" ")[0] for line in text().decode().splitlines() if not line.startswith("#")}
    there |= {f"mlworkflow_monitor_{name}" for name in metrics.HELP}
    asked_for = {name for one in told for name in re.findall(r"mlworkflow_\w+", one["expr"])}
    assert asked_for <= there
    assert {"mlworkflow_monitor_alarm", "mlworkflow_log_broken", "mlworkflow_request_seconds_bucket"} <= asked_for
    assert all(one["annotations"]["summary"] and one["annotations"]["command"] for one in told)


def test_alerts_are_written_into_a_file_with_the_limit_of_the_problem(root):
    assert "promtool check rules rules.yml" in mlworkflow(root, "export", "alerts", "-o", "rules.yml")
    found = {
        one["alert"]: one["expr"] for one in yaml.safe_load((root / "rules.yml").read_text())["groups"][0]["rules"]
    }
    assert found["MlworkflowSlow"].endswith("> 0.1")
    assert "Leave them out" in mlworkflow(root, "export", "alerts", "--bundle", "models/bundle", code=1)
    assert "Name it with -o" in mlworkflow(root, "export", "onnx", code=1)
