"""What is made ahead comes in order, with its errors, and ends in its own thread."""

import threading

import pytest

from mlworkflow.core.ahead import ahead


def test_values_come_in_order_and_from_another_thread():
    def made():
        for number in range(5):
            yield number, threading.get_ident()

    found = list(ahead(made()))
    assert [number for number, _ in found] == [0, 1, 2, 3, 4]
    assert threading.get_ident() not in {thread for _, thread in found}


def test_an_error_is_raised_after_the_values_before_it():
    def made():
        yield 1
        raise ValueError("damaged")

    values = ahead(made())
    assert next(values) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(values)


def test_who_stops_early_ends_it_in_the_thread_that_began_it():
    threads = []

    def made():
        threads.append(threading.get_ident())
        try:
            yield from range(100)
        finally:
            threads.append(threading.get_ident())

    values = ahead(made())
    assert next(values) == 0
    values.close()
    assert len(threads) == 2
    assert len({*threads}) == 1
