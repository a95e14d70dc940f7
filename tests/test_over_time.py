"""What is said of alarms over time: charts, the page, the terminal."""

import re
from dataclasses import replace

from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.page import page
from mlworkflow.monitoring.report import Alarm, Report, Value, Window, alarms
from mlworkflow.monitoring.steps import next_steps, steps
from mlworkflow.monitoring.words import evidence, words
from mlworkflow.pages.over_time import Course, over_time

MARK, RING = 'fill="var(--bad)"', 'stroke="var(--c1)" stroke-width="1.4"'


def moved(psi, p, *, alarm):
    return Check(
        "drift", "age", psi, 0.0, 0.1, psi > 0.1, p, "age moved up: mean 60, in training 40", 500, 0.7, alarm=alarm
    )


def window(label, check, *, complete=True):
    numbers = {"drift/age/psi": Value(check.value if check else None)}
    return Window(label, None, None, complete, 500, 100, numbers, [check] if check else [])


def report(*windows):
    return Report("people", "v1.0.0", windows, alarms(windows), [], {"age": 1.0}, {}, None, 0.5)


SURE, WEAK, QUIET = moved(0.3, 1e-12, alarm=True), moved(0.15, 0.02, alarm=False), moved(0.01, 0.6, alarm=False)
YEAR = report(
    window("1", QUIET), window("2", SURE), window("3", WEAK), window("4", None), window("5", SURE, complete=False)
)


def test_an_alarm_lasts_from_window_to_window_but_not_in_one_that_runs():
    assert YEAR.lasting() == [set(), {"drift/age"}, {"drift/age"}, {"drift/age"}, set()]
    over = report(window("1", SURE), window("2", QUIET), window("3", QUIET))
    assert over.lasting() == [{"drift/age"}, set(), set()]


def test_the_terminal_counts_the_alarms_that_last():
    lines = words(YEAR).splitlines()
    assert [line.split()[-1] for line in lines if re.match(r"\d ", line)] == ["0", "1", "1", "1", "runs"]
    assert max(map(len, lines)) <= 80


def of(part, subject="a"):
    return Alarm(part, subject, "7", None, replace(SURE, part=part, subject=subject))


def test_a_new_model_is_no_answer_to_a_broken_service_or_source():
    retrain, look = "mlworkflow retrain --because", "mlworkflow log --last 20"
    typed = {
        parts: [step.command for step in next_steps([of(part) for part in parts])]
        for parts in [("drift",), ("health",), ("quality",), ("performance", "quality"), ("performance", "health")]
    }
    assert typed == {
        ("drift",): [f"{retrain} drift/a"],
        ("health",): [look],
        ("quality",): [look, f"{retrain} quality/a"],
        ("performance", "quality"): [look, f"{retrain} performance/a"],
        ("performance", "health"): [look, f"{retrain} performance/a"],
    }
    assert [step.command for step in steps(of("quality"), logged=False)] == [f"{retrain} quality/a"]


def test_evidence_is_told_in_round_numbers():
    (alarm,) = report(window("7", SURE)).open
    assert evidence(alarm).startswith("since 7, 1 window; 0.3000, where the limit is 0.1000; chance alone")
    assert evidence(alarm).endswith("less than once in a million windows")
    (alarm,) = report(window("7", moved(0.2, 3.0734e-5, alarm=True))).open
    assert evidence(alarm).replace("\u202f", ",").endswith("once in 33,000 windows")


def test_the_page_marks_the_windows_of_an_alarm_that_were_asked_and_rings_the_one_that_runs():
    made = page(YEAR)
    assert made.count(MARK) == 2
    assert made.count(RING) == 2  # of the column, and of the outcomes that are known
    assert "a window that still runs" in " ".join(made.split())
    assert "mlworkflow retrain --because drift/age" in made
    quiet = page(report(window("1", QUIET)))
    assert MARK not in quiet
    assert "still runs" not in quiet


def test_the_limit_has_its_number_unless_it_would_lie_on_the_newest():
    far = over_time([Course("PSI", [0.01, 0.02])], ["1", "2"], title="PSI", limit=0.1)
    assert ">0.1000<" in far
    near = over_time([Course("PSI", [0.0, 0.099])], ["1", "2"], title="PSI", limit=0.1)
    assert ">0.1000<" not in near
    assert ">0.0990<" in near


def test_what_never_happened_lies_at_the_foot():
    (height,) = re.findall(r'd="M2 (\d+)L', over_time([Course("rejected", [0.0, 0.0])], ["1", "2"], title="Rejected"))
    assert height == "66"
