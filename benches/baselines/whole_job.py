"""Whole processes: wall time and peak memory: python whole_job.py FOLDER ROUNDS JOB...

A JOB is JSON: {"name": "what it is", "command": ["program", "argument", "OUT"]}. OUT becomes a path in FOLDER, where
the program has to write its file, which is removed after each run. The jobs take turns; a first round is not counted.

One line of JSON for each job, with medians of
  seconds          from the start of the process to its end
  seconds_on_disk  until its file has reached the disk, for which not every program waits by itself
  seconds_inside   what the process itself says, as {"seconds_inside": ...} in the last line that it prints, or null
  peak_bytes       the largest resident set, as the kernel counts it; not below the few MB of this process
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def once(command, out):
    # The disk is done with what came before.
    os.sync()
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read().decode(errors="replace").strip()
    if process.returncode != 0 or not out.exists():
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}: {text[-1000:]}")
    with open(out, "r+b") as file:
        os.fsync(file.fileno())
    on_disk = time.perf_counter() - start
    out.unlink()
    kibibytes = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": seconds,
        "seconds_on_disk": on_disk,
        "seconds_inside": inside(text),
        "peak_bytes": usage.ru_maxrss * kibibytes,
    }


def inside(text):
    try:
        return json.loads(text.splitlines()[-1])["seconds_inside"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def median(values):
    return None if None in values else statistics.median(values)


def main():
    folder, rounds, jobs = sys.argv[1], int(sys.argv[2]), [json.loads(job) for job in sys.argv[3:]]
    runs = [[] for _ in jobs]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        out = pathlib.Path(temporary) / "out.safetensors"
        for round in range(rounds + 1):
            for job, results in zip(jobs, runs):
                command = [str(out) if word == "OUT" else word for word in job["command"]]
                result = once(command, out)
                if round > 0:
                    results.append(result)
    for job, results in zip(jobs, runs):
        medians = {key: median([result[key] for result in results]) for key in results[0]}
        print(json.dumps({"name": job["name"], "rounds": rounds, **medians}))


main()
