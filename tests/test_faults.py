"""The fault bench, a small part of it: each check finds its planted fault and is quiet on the clean tables."""

from __future__ import annotations

import pytest
from bench import faults

SMALL = [
    table for table in dict.fromkeys(name for fault in faults.FAULTS for name in fault.tables) if "digits" not in table
]


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_named(fault: faults.Fault) -> None:
    table = "orders" if "orders" in fault.tables else fault.tables[0]
    assert fault.kind in {finding.kind for finding in faults.plant(fault, table, seed=3)}


@pytest.mark.parametrize("table", SMALL)
def test_a_clean_table_raises_no_alarm(table: str) -> None:
    assert faults.alarms(table, faults.case_of(table, seed=3)) == []


def test_each_fault_has_a_finding_of_its_own() -> None:
    kinds = [fault.kind for fault in faults.FAULTS]
    assert len(set(kinds)) == len(kinds) == 12
