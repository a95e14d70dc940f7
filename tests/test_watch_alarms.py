"""An alarm is told once when it begins and once when it ends, to people, to a webhook and to Prometheus."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from mlworkflow.core.params import Monitor
from mlworkflow.monitoring import health
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.health import Health
from mlworkflow.monitoring.report import Report, Value, Window
from mlworkflow.monitoring.report import alarms as derived
from mlworkflow.watch import alarms as outbox
from mlworkflow.watch.alarms import FILE, Alarms, alarms, lasting, line
from mlworkflow.watch.metrics import metrics
from mlworkflow.watch.spans import number_of, rows_of, span
from mlworkflow.watch.state import StateError

DAY = 86_400.0
MOMENT = 1_721_049_000.0  # Monday, 2024-07-15, 13:10 UTC


def said(*windows: bool, version="v1", **more) -> Report:
    """Return a report of windows in which one column has drifted, or has not."""
    made = []
    for number, drifted in enumerate(windows):
        check = Check("drift", "paid", 0.3, 0.0, 0.1, drifted, 1e-9, "paid moved up", 500, alarm=drifted)
        made.append(Window(f"week {number}", None, None, True, 500, 20, {"drift/paid/psi": Value(0.3)}, [check]))
    return Report("churn", version, made, derived(made), [], {"paid": 1.0}, {}, None, 0.5, **more)


@dataclass
class Receiver:
    """What takes messages; `broken` answers with 500, `elsewhere` names another address."""

    address: str = ""
    broken: bool = False
    elsewhere: str = ""
    taken: list[dict] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.elsewhere:
                self.send_response(302)
                self.send_header("Location", receiver.elsewhere)
                self.end_headers()
                return
            if not receiver.broken:
                receiver.taken.append(json.loads(content))
                receiver.keys.append(self.headers["Idempotency-Key"])
            self.send_response(500 if receiver.broken else 204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.address = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def told(tmp_path):
    with alarms(tmp_path) as opened:
        yield opened


def events(told: Alarms) -> list[tuple[str, str]]:
    return [(one["event"], one["alarm"]) for one in told.unsaid()]


# ---- alarms ----------------------------------------------------------------------------------------------------------


def test_an_alarm_that_lasts_is_told_once_and_its_end_once(told):
    told.settle(said(False), "page")
    assert events(told) == []
    told.settle(said(False, True), "page")
    told.settle(said(False, True, True), "page")
    assert events(told) == [("begins", "drift/paid")]
    told.settle(said(False, True, True, False), "page")
    told.settle(said(False, True, True, False, False), "page")
    assert events(told) == [("ends", "drift/paid")]


def test_one_that_comes_again_is_told_again_even_of_the_same_window(told):
    for windows in ((True,), (False,), (True,)):
        told.settle(said(*windows), "page")
    ids = [one["id"] for one in told.unsaid()]
    assert len(set(ids)) == 3


def test_a_message_names_evidence_since_when_and_the_command_to_go_on_with(told):
    told.settle(said(False, True, True), "data/monitoring/monitor.html")
    (message,) = told.unsaid()
    assert message["evidence"] == {"value": 0.3, "usual": 0.0, "limit": 0.1, "p": 1e-9, "rows": 500}
    assert (message["since"], message["version"], message["words"]) == ("week 1", "v1", "paid moved up")
    assert message["command"] == "mlworkflow retrain --because drift/paid"
    assert line(message) == ("alarm: paid moved up (since week 1). Type `mlworkflow retrain --because drift/paid`.")


def test_a_model_that_is_replaced_ends_its_alarms(told):
    told.settle(said(True), "page")
    told.settle(said(False, version="v2"), "page")
    _, over = told.unsaid()
    assert (over["event"], over["version"], over["words"]) == ("ends", "v1", "v2 has taken the place of v1")


def test_alarms_of_other_windows_are_others(told):
    told.settle(said(True), "page", "prod week")
    told.settle(said(False), "page", "prod day")
    assert events(told) == [("begins", "drift/paid")]


def test_nothing_is_noted_without_its_message_and_no_message_without_the_note(told, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Alarms, "_put", dies)
        with pytest.raises(KeyboardInterrupt):
            told.settle(said(True), "page")
    assert events(told) == []
    told.settle(said(True), "page")
    assert events(told) == [("begins", "drift/paid")]


# ---- webhook ---------------------------------------------------------------------------------------------------------


def test_a_receiver_gets_each_message_once_in_order_with_its_id_as_key(told):
    with receiving() as receiver:
        for windows in ((True,), (True, False)):
            told.settle(said(*windows), "page")
            told.send(receiver.address)
            told.send(receiver.address)
        assert [one["event"] for one in receiver.taken] == ["begins", "ends"]
        assert receiver.keys == [one["id"] for one in receiver.taken]
        assert len(set(receiver.keys)) == 2


def test_a_receiver_that_names_another_address_has_not_taken_the_message(told):
    with receiving() as receiver:
        receiver.elsewhere = receiver.address
        told.settle(said(True), "page")
        assert told.send(receiver.address) == 0
        assert "302" in told.unheard


def test_an_answer_that_never_ends_is_given_up(told, monkeypatch):
    monkeypatch.setattr(outbox, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def dribble():
            with contextlib.suppress(OSError), listening.accept()[0] as client:
                while True:
                    client.sendall(b"H")
                    time.sleep(0.05)

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        told.settle(said(True), "page")
        assert told.send(f"http://127.0.0.1:{listening.getsockname()[1]}/") == 0
    assert told.unheard


def test_who_tries_other_windows_leaves_what_others_are_told_as_it_was(told):
    told.settle(said(True), "page", "prod", quiet=True)
    assert list(told.unsaid()) == []
    told.settle(said(True), "page", "prod")
    assert events(told) == [("begins", "drift/paid")]


def test_a_damaged_file_is_put_aside_and_alarms_that_last_are_told_again(tmp_path, capsys):
    (tmp_path / FILE).write_text("no database, but long enough to be taken for one" * 10)
    with pytest.raises(StateError, match="not a database"):
        lasting("churn", tmp_path)
    with alarms(tmp_path) as told:
        told.settle(said(True), "page")
        assert events(told) == [("begins", "drift/paid")]
    assert "was damaged, and is begun anew" in capsys.readouterr().err
    assert [one["alarm"] for one in lasting("churn", tmp_path)] == ["drift/paid"]


def test_a_dead_receiver_gets_the_messages_when_it_is_back_after_growing_pauses(told):
    clock = [0.0]
    with receiving() as receiver:
        receiver.broken = True
        told.settle(said(True), "page")
        tries = []
        for second in range(40):
            clock[0] = float(second)
            before = told._next
            told.send(receiver.address, lambda: clock[0])
            if told._next != before:
                tries.append(second)
        assert tries == [0, 1, 3, 7, 15, 31]
        assert "500" in told.unheard
        receiver.broken, clock[0] = False, 100.0
        assert told.send(receiver.address, lambda: clock[0]) == 1
        assert told.unheard is None


def test_no_receiver_at_all_is_said_and_no_crash(told):
    told.settle(said(True), "page")
    for address in ("http://127.0.0.1:9/", "http://"):
        told._next = 0.0
        assert told.send(address, lambda: 1e9) == 0
        assert told.unheard


def test_a_message_is_sent_again_under_the_same_id_where_its_mark_was_lost(tmp_path):
    with receiving() as receiver:
        with alarms(tmp_path) as told:
            told.settle(said(True), "page")
            left = told._left("sent")  # killed between sending and marking: the generator is not asked on
            receiver.taken.append(next(left))
            del left
        with alarms(tmp_path) as told:
            assert told.send(receiver.address) == 1
        assert receiver.taken[0]["id"] == receiver.taken[1]["id"]


# ---- Prometheus ------------------------------------------------------------------------------------------------------


def test_prometheus_reads_what_is_wrong():
    from prometheus_client.parser import text_string_to_metric_families

    text = metrics(said(False, True, log={"newest": 7.0}), now=99.5)
    found = {
        (sample.name.removeprefix("mlworkflow_monitor_"), sample.labels.get("subject") or sample.labels.get("column")):
        sample.value for family in text_string_to_metric_families(text) for sample in family.samples
    }  # fmt: skip
    assert found == {
        ("last_run_timestamp_seconds", None): 99.5, ("newest_row_timestamp_seconds", None): 7.0, ("alarm", "paid"): 1.0,
        ("rows", None): 500.0, ("labelled", None): 20.0, ("psi", "paid"): 0.3,
    }  # fmt: skip


def test_names_with_quotes_do_not_break_it():
    from prometheus_client.parser import text_string_to_metric_families

    report = said(True)
    odd = replace(report, problem='a "b"\n\\c')
    samples = [one for family in text_string_to_metric_families(metrics(odd, 1.0)) for one in family.samples]
    assert {one.labels["problem"] for one in samples} == {'a "b"\n\\c'}


# ---- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "label", "start", "end"),
    [
        ("hour", "2024-07-15 13:00", "2024-07-15T13:00:00Z", "2024-07-15T14:00:00Z"),
        ("6 hours", "2024-07-15 12:00", "2024-07-15T12:00:00Z", "2024-07-15T18:00:00Z"),
        ("day", "2024-07-15", "2024-07-15T00:00:00Z", "2024-07-16T00:00:00Z"),
        ("week", "week of 2024-07-15", "2024-07-15T00:00:00Z", "2024-07-22T00:00:00Z"),
        ("month", "2024-07", "2024-07-01T00:00:00Z", "2024-08-01T00:00:00Z"),
    ],
)
def test_a_moment_is_in_the_window_that_people_mean(window, label, start, end):
    found = span(window, number_of(window, MOMENT))
    assert (found.label, found.written) == (label, (start, end))


@pytest.mark.parametrize("window", ["hour", "day", "week", "month", "6 hours", "2 days", "7 days", "5 hours"])
def test_windows_of_time_follow_each_other_without_a_gap(window):
    number = number_of(window, -40 * DAY)  # before 1970 too
    for _ in range(100):
        found = span(window, number)
        assert number_of(window, found.start) == number_of(window, found.end - 0.001) == number
        assert found.end == span(window, number + 1).start
        number += 1


def test_windows_of_rows_are_called_by_their_rows():
    assert rows_of("800 rows") == 800
    assert (span("800 rows", 1).label, span("800 rows", 1).written) == ("rows 801 to 1,600", (None, None))


# ---- health ----------------------------------------------------------------------------------------------------------


def day(rows: int, milliseconds: float = 10.0, **counts: int) -> Health:
    made = Health(counts=counts)
    made.add(np.full(rows, milliseconds), np.zeros(rows))
    return made


def alarming(now: Health, before: list[Health], milliseconds: float | None = None) -> set[str]:
    promise = {"limits": {"milliseconds": milliseconds}}
    dated = [replace(one, first=DAY * number, last=DAY * number) for number, one in enumerate(before)]
    found = health.checks(now, dated, promise, Monitor(name="test"))
    return {check.subject for check in found if check.beyond and (check.p is None or check.p < 1e-4)}


def test_latencies_are_known_to_an_eighth_from_counts_alone():
    values = np.random.default_rng(0).lognormal(2, 1, 5_000)
    made = Health()
    for part in np.array_split(values, 7):
        made.add(part, np.zeros(len(part)))
    for share in (0.5, 0.95, 0.99):
        assert made.quantile(share) == pytest.approx(np.quantile(values, share), rel=0.125)
    again = Health.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.quantile(0.95) == made.quantile(0.95)
    assert Health().quantile(0.5) is None


def test_silence_is_an_outage_only_where_there_never_was_any():
    week = [day(100)] * 8
    assert alarming(day(0), week) == alarming(day(3), week) == {"rows"}
    assert alarming(day(60), week) == set()
    assert alarming(day(0), [day(100), day(0), day(100)] * 3) == set()  # Sundays
    assert alarming(day(0), [*([day(100), day(0), day(100)] * 3), day(0)]) == {"rows"}


def test_silence_in_the_first_days_or_of_few_rows_is_none():
    assert alarming(day(0), [day(100)] * 5) == set()  # the first weekend may come
    assert alarming(day(0), [*[day(0)] * 8, *[day(100)] * 4]) == set()
    assert alarming(day(0), [day(3)] * 20) == set()


def test_slow_answers_are_set_against_what_the_problem_allows():
    assert alarming(day(100, 80.0), [], 50.0) == {"latency"}
    assert alarming(day(100, 20.0), [], 50.0) == alarming(day(100, 80.0), []) == set()


def test_rejected_and_failed_requests_are_set_against_those_before():
    before = [day(1_000, rejected=20)] * 5
    assert alarming(day(1_000, rejected=120), before) == {"rejected"}
    assert alarming(day(1_000, rejected=30), before) == alarming(day(300, rejected=2), before) == set()
    assert alarming(day(300, failed=900), before) == {"failed"}
