"""The fault bench, a small part of it: each check finds its planted fault and is quiet on the clean tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from bench import faults
from bench.faults import At

from mlworkflow.exploring.explore import CHECKS

SMALL = [
    table for table in dict.fromkeys(name for fault in faults.FAULTS for name in fault.tables) if "digits" not in table
]


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_named_by_the_whole_workflow(fault: faults.Fault) -> None:
    case = At("orders" if "orders" in fault.tables else fault.tables[0], seed=3).with_fault(fault)
    said = faults.arrived(case) if fault.check is None else faults.explored(case)
    assert fault.kind in {finding.kind for finding in said}


@pytest.mark.parametrize("table", SMALL)
def test_a_clean_table_raises_no_alarm(table: str) -> None:
    assert faults.alarms(At(table, seed=3)) == []


def test_each_fault_has_a_finding_of_its_own() -> None:
    kinds = [fault.kind for fault in faults.FAULTS]
    assert len(set(kinds)) == len(kinds) == 12


def test_the_check_of_a_fault_is_one_that_the_workflow_runs() -> None:
    assert {fault.check for fault in faults.FAULTS} - {None} <= set(CHECKS)


def test_a_fault_that_may_be_missed_says_why_and_how_often() -> None:
    assert [fault.name for fault in faults.FAULTS if fault.least < 1 and not fault.why] == []
    assert [fault.name for fault in faults.FAULTS if fault.why and fault.times < 10] == []


def told(fault: faults.Fault, missed: int, false: int) -> faults.Told:
    """A fault that was planted ten times in the orders."""
    places = [At("orders", seed) for seed in range(10)]
    return faults.Told(fault, places, places[:missed], places, places[:false])


@pytest.mark.parametrize(
    ("least", "missed", "false", "fails"),
    [(1, 0, 0, False), (1, 1, 0, True), (1, 0, 1, True), (0.8, 2, 0, False), (0.8, 3, 0, True), (0.8, 0, 1, True)],
)
def test_the_bench_fails_where_a_fault_is_missed_more_often_than_it_says_or_taken_for_there(
    least: float, missed: int, false: int, *, fails: bool
) -> None:
    assert told(faults.FAULTS[0]._replace(least=least), missed, false).fails is fails


def test_the_share_of_a_fault_that_chance_can_hide_is_told_by_table_with_the_reason() -> None:
    lines = "\n".join(told(faults.FAULTS[0]._replace(least=0.8, why="few rows"), 2, 0).lines())
    assert "at least 80%, not always: few rows. orders 8 of 10." in lines


def test_misses_and_false_alarms_are_told_with_table_and_seed() -> None:
    assert list(told(faults.FAULTS[0], 1, 1).places()) == [
        "Missed: target leak: orders, seed 0",
        "False alarm: target leak: orders, seed 0",
    ]


def test_a_fault_that_chance_can_hide_is_looked_for_in_clean_tables_as_often_as_it_is_planted() -> None:
    (fault,) = (fault._replace(tables=("orders",), times=2) for fault in faults.FAULTS if fault.name == "label shift")
    with ThreadPoolExecutor() as pool:
        came = faults.looked_for(fault, 1, {At("orders", 0): [], At("wine", 0): []}, pool)
    assert came.clean == [At("orders", 0), At("wine", 0), At("orders", 1)]
    assert came.planted == [At("orders", 0), At("orders", 1)]
    assert not came.missed
    assert not came.false
