"""Replays the golden programs of tests/programs with wgpu for Python, and compares the hashes.

The replay follows tests/programs/README.md and knows nothing of seedbed but the text of the programs. The package
`wgpu` holds wgpu-native, and so another major version of wgpu and of naga than the library's; the package `wgpudawn` has
the same interface and holds Dawn, whose compiler of WGSL is Tint.
"""

import argparse
import hashlib
import importlib
import json
import re
import struct
import sys
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "programs"

# keep(x), keep4(x) and keep_lanes(x) are x, by an xor with a zero that no compiler knows: shaders/math/keep.wgsl.
KEEP = re.compile(r"return bitcast<[^;]*>\(bitcast<[^;]*>\(x\) \^ [^;]*params\.zero\)*;")


def without_keep(wgsl):
    changed, count = KEEP.subn("return x;", wgsl)
    if count != wgsl.count("fn keep"):
        raise ValueError("a kernel has a keep() that this program does not know")
    return changed


class Executor:
    """An adapter's device, which replays programs."""

    def __init__(self, wgpu, adapter, change):
        self.wgpu, self.change = wgpu, change
        self.device = adapter.request_device_sync()
        self.pipelines = {}

    def check(self, program):
        if program["contract"] != 1 or program["device"]["int64"]:
            raise ValueError("a program of another contract, or with 64-bit integers")
        for name, value in program["device"]["limits"].items():
            ours = self.device.limits[name.replace("_", "-")]
            if (ours > value) if name.endswith("alignment") else (ours < value):
                raise ValueError(f"the device has {name} {ours}, the program needs {value}")

    def pipeline(self, kernel):
        key = kernel["wgsl"], kernel["entry_point"]
        if key not in self.pipelines:
            module = self.device.create_shader_module(code=self.change(kernel["wgsl"]))
            stage = {"module": module, "entry_point": kernel["entry_point"]}
            self.pipelines[key] = self.device.create_compute_pipeline(layout="auto", compute=stage)
        return self.pipelines[key]

    def buffer(self, spec):
        usage = self.wgpu.BufferUsage
        uses = {"uniform": usage.UNIFORM, "table": usage.UNIFORM | usage.STORAGE, "scratch": usage.STORAGE}
        if spec["contents"] == "zeros":
            return self.device.create_buffer(size=spec["size"], usage=uses[spec["usage"]])
        words = spec["contents"]["words"]
        data = struct.pack(f"<{len(words)}I", *words)
        return self.device.create_buffer_with_data(data=data, usage=uses[spec["usage"]])

    def destination(self, spec):
        usage = self.wgpu.BufferUsage
        data = bytes([spec["prefill"]]) * spec["bytes"]
        return self.device.create_buffer_with_data(
            data=data, usage=usage.STORAGE | usage.COPY_DST | usage.COPY_SRC
        )

    def replay(self, program, destinations):
        pipelines = [self.pipeline(kernel) for kernel in program["kernels"]]
        buffers = destinations + [self.buffer(spec) for spec in program["buffers"]]
        encoder = self.device.create_command_encoder()
        for clear in program["clears"]:
            encoder.clear_buffer(buffers[clear["buffer"]], clear["offset"], clear["size"])
        computing = encoder.begin_compute_pass()
        for dispatch in program["dispatches"]:
            pipeline = pipelines[dispatch["kernel"]]
            entries = [
                {"binding": number, "resource": {**binding, "buffer": buffers[binding["buffer"]]}}
                for number, binding in enumerate(dispatch["bindings"])
            ]
            group = self.device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries)
            computing.set_pipeline(pipeline)
            computing.set_bind_group(0, group)
            computing.dispatch_workgroups(*dispatch["workgroups"], 1)
        computing.end()
        self.device.queue.submit([encoder.finish()])

    def differences(self, golden):
        """The destinations whose bytes are not the golden ones, after either of two replays."""
        self.check(golden["program"])
        destinations = [self.destination(spec) for spec in golden["destinations"]]
        wrong = []
        for time in ("first", "second"):
            self.replay(golden["program"], destinations)
            for number, (buffer, spec) in enumerate(zip(destinations, golden["destinations"], strict=True)):
                data = bytes(self.device.queue.read_buffer(buffer))
                if hashlib.sha256(data).hexdigest() != spec["sha256"]:
                    wrong.append(f"buffer {number} after the {time} replay")
        return wrong


def replay_all(executor, adapter, goldens):
    """Replays the programs, and prints how each went: the numbers of those that are equal, and that differ."""
    print(f"\n{adapter.summary}: {json.dumps(dict(adapter.info))}")
    counts = {"equal": 0, "DIFFERS": 0, "REFUSED": 0}
    total = 0
    for golden in goldens:
        size = sum(spec["bytes"] for spec in golden["destinations"])
        try:
            wrong = executor.differences(golden)
            outcome = "DIFFERS" if wrong else "equal"
        # Whatever a compiler or a driver says about one program, the others run.
        except Exception as error:
            outcome, wrong = "REFUSED", [str(error).strip()]
        counts[outcome] += 1
        total += size if outcome == "equal" else 0
        print(f"  {golden['name']:<20}{size:>8} bytes  {outcome} {', '.join(wrong)}".rstrip())
    results = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print(
        f"{adapter.summary}: {len(goldens)} programs, each replayed twice: {results}; {total} bytes equal",
        flush=True,
    )
    return counts["equal"], counts["DIFFERS"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--package", default="wgpu", choices=["wgpu", "wgpudawn"], help="the package that runs WGSL"
    )
    parser.add_argument("--adapter", default="", help="only adapters with this text in their description")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="the folder of the golden programs")
    parser.add_argument(
        "--without-keep",
        action="store_true",
        help="make keep() of the kernels the identity, and succeed if a program differs then on each adapter",
    )
    arguments = parser.parse_args()
    change = without_keep if arguments.without_keep else str
    goldens = [json.loads(path.read_text()) for path in sorted(arguments.golden.glob("*.json"))]
    goldens = [golden for golden in goldens if "program" in golden]
    if not goldens:
        parser.error(f"there is no golden program in {arguments.golden}")

    wgpu = importlib.import_module(arguments.package)
    native = {"wgpu": "wgpu_native", "wgpudawn": "dawn"}[arguments.package]
    backend = importlib.import_module(f"{arguments.package}.backends.{native}")
    python = sys.version.split()[0]
    print(f"Python {python}, {arguments.package} {wgpu.__version__}, {native} {backend.__version__}")
    adapters = [
        adapter for adapter in wgpu.gpu.enumerate_adapters_sync() if arguments.adapter in adapter.summary
    ]
    if not adapters:
        parser.error(f"no adapter has {arguments.adapter!r} in its description")
    results = [replay_all(Executor(wgpu, adapter, change), adapter, goldens) for adapter in adapters]
    if arguments.without_keep:
        return int(not all(differ for _, differ in results))
    return int(any(equal != len(goldens) for equal, _ in results))


if __name__ == "__main__":
    sys.exit(main())
