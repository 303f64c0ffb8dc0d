"""Threads and processes: Python's global lock, memory that two fills share, forks."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from seedbed import Key, Region, fill

KEY = Key(3)
N = 1 << 24


def test_other_threads_run_during_a_fill():
    x = np.zeros(N, np.float32)
    fill(x, "zeros", KEY)
    progress, done = [0], threading.Event()

    def count():
        while not done.is_set():
            progress[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before, start = progress[0], time.perf_counter()
        while time.perf_counter() - start < 0.5:
            fill(x, "trunc_normal", KEY)
        during = progress[0] - before
    finally:
        done.set()
        thread.join()
    # With the lock held, the thread would run between two fills at most.
    assert during > 50


def test_fills_of_the_same_memory_wait_for_each_other():
    x = np.zeros((64, 1 << 14), np.float32)
    inits = [f"constant({i})" for i in range(8)]

    def run(init):
        for _ in range(20):
            fill(x, init, KEY)

    threads = [threading.Thread(target=run, args=[init]) for init in inits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The last fill has written all elements.
    assert (x == x[0, 0]).all() and x[0, 0] in range(8)


def test_many_threads_fill_columns_of_one_array():
    expected = fill(np.empty((500, 640), np.float32), "normal", KEY)
    x = np.zeros((500, 640), np.float32)
    errors = []

    def run(i):
        try:
            for _ in range(5):
                region = Region([500, 640]).shard([0, 80 * i], [500, 80])
                fill(x[:, 80 * i : 80 * (i + 1)], "normal", KEY, region=region)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    np.testing.assert_array_equal(x, expected)


def child(queue=None):
    x = fill(np.empty(1 << 20, np.float32), "normal", KEY)
    y = fill(torch.empty(100, 100), "orthogonal", KEY)
    sums = float(x.sum(dtype=np.float64)), float(y.numpy().sum(dtype=np.float64))
    if queue is not None:
        queue.put(sums)
    return sums


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("function", ["fill_in_forked_processes", "fill_in_workers_of_a_data_loader"])
def test_a_forked_process_fills(function):
    """In a process without the threads of other libraries, such as JAX's, which may wait forever after a fork."""
    code = f"import test_threads; test_threads.{function}()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=180, cwd=os.path.dirname(__file__))


def fill_in_forked_processes():
    expected = child()
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        queue = context.SimpleQueue()
        process = context.Process(target=child, args=[queue])
        process.start()
        process.join(60)
        if process.is_alive():
            process.kill()
            raise AssertionError("the fill of a forked process waits forever")
        assert process.exitcode == 0 and queue.get() == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_during_a_fill_of_another_thread():
    """The child forks again, and fills the memory that the parent was filling."""
    code = """
import os, threading, time
import numpy as np
from seedbed import Key, fill
x = np.zeros(1 << 24, np.float32)
fill(x, "normal", Key(1))
stop = threading.Event()
def run():
    while not stop.is_set():
        fill(x, "trunc_normal", Key(1))
threads = [threading.Thread(target=run) for _ in range(3)]
for t in threads: t.start()
time.sleep(0.2)
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        fill(x[:1 << 18], "ones", Key(1))
        grandchild = os.fork()
        if grandchild == 0:
            fill(x[:1 << 18], "normal", Key(1))
            os._exit(0 if x[0] != 1 else 3)
        _, status = os.waitpid(grandchild, 0)
        os._exit(os.waitstatus_to_exitcode(status) or (0 if (x[:1 << 18] == 1).all() else 4))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
stop.set()
for t in threads: t.join()
"""
    warnings = ["-W", "ignore::DeprecationWarning"]
    subprocess.run([sys.executable, *warnings, "-c", code], check=True, timeout=120)


class Noise(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return fill(torch.empty(1 << 18), "normal", KEY.fold_in(index))


def fill_in_workers_of_a_data_loader():
    expected = [Noise()[i] for i in range(4)]
    loader = torch.utils.data.DataLoader(Noise(), num_workers=2, timeout=60, multiprocessing_context="fork")
    for x, y in zip(loader, expected, strict=True):
        assert torch.equal(x[0], y)


def test_number_of_threads():
    code = """
import numpy as np, os, time
from seedbed import Key, fill
x = fill(np.zeros(1 << 22, np.float32), "normal", Key(1))
time.sleep(0.5)  # A thread of the pool names itself, and a small fill may end before that.
names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
print(sum(name.startswith("seedbed-") for name in names), x.sum(dtype=np.float64))
"""
    if not os.path.exists("/proc/self/task"):
        pytest.skip("the system has no /proc")
    sums = set()
    for threads in ["1", "3", None]:
        environment = {name: value for name, value in os.environ.items() if name != "RAYON_NUM_THREADS"}
        if threads:
            environment["RAYON_NUM_THREADS"] = threads
        output = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
        )
        count, total = output.stdout.split()
        sums.add(total)
        assert int(count) == (int(threads) if threads else len(os.sched_getaffinity(0)))
    assert len(sums) == 1


def test_an_interrupt_of_the_first_fill_is_no_panic():
    # The native half looks up numpy's functions when it is imported, and no exception of Python is in the way later.
    code = (
        "import sys, numpy, seedbed\n"
        "x = numpy.empty(4, numpy.float32)\n"
        "for name in ('numpy.lib', 'numpy._core.multiarray', 'numpy.core.multiarray'): sys.modules[name] = None\n"
        "seedbed.fill(x, 'arange()', seedbed.Key(0))\n"
        "assert x.tobytes() == b'\\0\\0\\0\\0\\0\\0\\x80\\x3f\\0\\0\\0\\x40\\0\\0\\x40\\x40'\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_fill_imports_no_module():
    # A process that is forked during an import of another thread waits forever at its own import of the module.
    code = (
        "import sys, numpy, seedbed\n"
        "before = set(sys.modules)\n"
        "seedbed.fill(numpy.empty((4, 4), numpy.float32)[:, :3], 'trunc_normal()', seedbed.Key(0))\n"
        "seedbed.fill(bytearray(8), 'ones', seedbed.Key(0), dtype='float32')\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, "[]\n"), result.stderr
