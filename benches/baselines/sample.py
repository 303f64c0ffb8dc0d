"""Repetitions of one measurement, and one line of JSON for each: as `seedbed bench` does it."""

import json
import statistics
import time

BUDGET_SECONDS = 1.5
LEAST = 7
MOST = 101


def shape(elements):
    """A matrix of so many elements, as `seedbed bench` fills it."""
    rows = 1 << ((elements & -elements).bit_length() - 1) // 2
    return rows, elements // rows


def seconds(once, wait=lambda: None):
    """The median, after one call that is not counted. `wait` returns when the work is done."""
    once()
    wait()
    times = []
    begin = time.perf_counter()
    while len(times) < LEAST or (len(times) < MOST and time.perf_counter() - begin < BUDGET_SECONDS):
        start = time.perf_counter()
        once()
        wait()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(name, version, case, dtype, elements, median):
    print(
        json.dumps(
            {
                "name": name,
                "version": version,
                "case": case,
                "dtype": dtype,
                "elements": elements,
                "seconds": median,
            }
        ),
        flush=True,
    )
