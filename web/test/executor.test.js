// The executor on Dawn: every golden program of ../../tests/programs, and every mistake.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CONTRACT_VERSION, Executor } from "seedbed/executor";
import {
  COPY_DST, COPY_SRC, STORAGE, assertFilled, destination, device, golden, goldenPrograms as files, gpu, reports,
  submit, withoutQueue,
} from "./dawn.js";

test("there are golden programs", () => assert.ok(files.length >= 20, `${files.length} programs`));

for (const file of files) {
  test(`golden program ${file.name}: ${file.what}`, async () => {
    const executor = new Executor(withoutQueue);
    await executor.prepare(file.program);
    const buffers = file.destinations.map((of) => destination(of));
    submit((encoder) => executor.replay(encoder, file.program, buffers));
    await assertFilled(file, buffers);
    assert.deepEqual(reports, []);
  });
}

test("programs are replayed without prepare, many times, and their own buffers are destroyed", async () => {
  const two = ["orthogonal", "trunc_normal"].map(golden);
  const executor = new Executor({ ...withoutQueue });
  const buffers = two.map((file) => file.destinations.map((of) => destination(of)));
  for (let round = 0; round < 2; round++) {
    const own = submit((encoder) =>
      [0, 1, 0].flatMap((i) => executor.replay(encoder, two[i].program, buffers[i])),
    );
    assert.ok(own.length > 4 && own.every((buffer) => !buffers.flat().includes(buffer)));
    own.forEach((buffer) => buffer.destroy());
  }
  for (const [i, file] of two.entries()) await assertFilled(file, buffers[i]);
  assert.deepEqual(reports, []);
});

test("each kernel of a device is compiled once", async () => {
  let compilations = 0;
  const counting = {
    ...withoutQueue,
    createComputePipeline: (descriptor) => (compilations++, device.createComputePipeline(descriptor)),
    createComputePipelineAsync: (descriptor) => (
      compilations++,
      device.createComputePipelineAsync(descriptor)
    ),
  };
  const { program, destinations } = golden("normal");
  const again = structuredClone(program);
  const [first, second] = [new Executor(counting), new Executor(counting)];
  await Promise.all([first.prepare(program), first.prepare(again)]);
  await second.prepare(again);
  const buffers = destinations.map((of) => destination(of));
  submit((encoder) => second.replay(encoder, program, buffers));
  assert.equal(compilations, program.kernels.length);
});

/** An encoder into which nothing may be recorded. */
const untouched = new Proxy(
  {},
  { get: (_, name) => () => assert.fail(`the encoder's ${String(name)} was called`) },
);

test("mistakes are named before anything is recorded, and the executor works on", async () => {
  const file = golden("forty_tensors");
  const cleared = golden("zeros");
  // Nothing is created either.
  const created = () => assert.fail("a buffer was created");
  const executor = new Executor({ ...withoutQueue, createBuffer: created, createBindGroup: created });
  const changed = (change, { program } = file) => {
    const copy = structuredClone(program);
    change(copy);
    return copy;
  };
  const buffers = file.destinations.map((of) => destination(of));
  const [first, second] = buffers;
  const small = destination({ bytes: 64, prefill: 0 });
  const unused = destination(file.destinations[1], COPY_DST | COPY_SRC);
  const clearable = destination(cleared.destinations[0]);
  const unclearable = destination(cleared.destinations[0], STORAGE | COPY_SRC);
  const dispatches = file.program.dispatches;
  const uniform = file.program.kernels[dispatches[0].kernel].bindings.findIndex(
    (kind) => typeof kind === "object",
  );
  assert.ok(uniform >= 0);
  for (const [program, destinations, message] of [
    [undefined, buffers, /it is no program/],
    [JSON.stringify(file.program), buffers, /it is no program/],
    [file, buffers, /it is no program/],
    [
      changed((p) => p.contract++),
      buffers,
      /it follows version 2 of the numeric contract; this executor follows version 1/,
    ],
    [changed((p) => (p.device.int64 = true)), buffers, /64-bit integers/],
    [
      changed((p) => (p.device.limits.max_buffer_size = 2 ** 50)),
      buffers,
      /the device's maxBufferSize is \d+, and the plan relies on/,
    ],
    [
      changed((p) => (p.device.limits.min_uniform_buffer_offset_alignment = 16)),
      buffers,
      /minUniformBufferOffsetAlignment is 256/,
    ],
    [file.program, [first], /it has 2 destinations, but got 1 buffers/],
    [file.program, [first, second, second], /it has 2 destinations, but got 3 buffers/],
    [file.program, [first, small], /dispatch \d+ uses \d+ bytes from \d+ on of buffer 1, which has 64/],
    [file.program, [first, unused], /buffer 1 was created without the usage STORAGE/],
    [cleared.program, [unclearable], /buffer 0 was created without the usage COPY_DST/],
    [cleared.program, [small], /clear 0 uses 76800 bytes from 256 on of buffer 0, which has 64/],
    [changed((p) => (p.clears[0].size = 0), cleared), [clearable], /clear 0 uses 0 bytes/],
    [changed((p) => (p.clears[0].size = 6), cleared), [clearable], /clear 0 is not of whole words/],
    [changed((p) => (p.clears[0].offset = 6), cleared), [clearable], /clear 0 begins at byte 6/],
    [changed((p) => (p.dispatches[0].kernel = 1000)), buffers, /dispatch 0 uses kernel 1000/],
    [
      changed((p) => (p.dispatches[0].bindings[1].buffer = 2 ** 30)),
      buffers,
      /dispatch 0 uses buffer 1073741824/,
    ],
    [
      changed((p) => (p.dispatches[0].bindings[uniform].offset += 4)),
      buffers,
      /dispatch 0 (uses|begins at byte)/,
    ],
    [changed((p) => (p.dispatches[0].bindings[1].offset = 2 ** 60)), buffers, /dispatch 0 uses/],
    [
      changed((p) => p.dispatches[0].bindings.pop()),
      buffers,
      /dispatch 0 binds 1 buffers; its kernel needs 2/,
    ],
    [
      changed((p) => (p.dispatches[0].workgroups[1] = 2 ** 32 - 1)),
      buffers,
      /dispatch 0 has 4294967295 workgroups/,
    ],
    [
      changed((p) => p.buffers[0].contents.words.pop()),
      buffers,
      /its buffer seedbed::params has \d+ words for \d+ bytes/,
    ],
    [changed((p) => (p.buffers[0].usage = "vertex")), buffers, /unknown use vertex/],
  ]) {
    assert.throws(() => executor.replay(untouched, program, destinations), { name: "Error", message });
  }
  assert.equal(CONTRACT_VERSION, 1);
  const working = new Executor(withoutQueue);
  submit((encoder) => working.replay(encoder, file.program, buffers));
  await assertFilled(file, buffers);
  assert.deepEqual(reports, []);
});

test("a kernel that does not compile is named, and the right one compiles afterwards", async () => {
  const { program } = golden("uniform");
  const executor = new Executor({ ...withoutQueue });
  for (const wgsl of ["no WGSL", "@compute @workgroup_size(1) fn another_entry_point() {}"]) {
    const broken = structuredClone(program);
    for (const kernel of broken.kernels) kernel.wgsl = wgsl;
    const message = new RegExp(`^the kernel ${broken.kernels[0].label} does not compile: .`);
    await assert.rejects(executor.prepare(broken), { name: "Error", message });
    // `replay` can't know, but WebGPU reports the mistake, and `prepare` finds it afterwards.
    submit((encoder) =>
      executor.replay(
        encoder,
        broken,
        golden("uniform").destinations.map((of) => destination(of)),
      ),
    );
    await assert.rejects(executor.prepare(broken), { name: "Error", message });
    assert.ok(reports.splice(0).length > 0);
  }
  await executor.prepare(program);
  assert.deepEqual(reports, []);
});

test("a lost device is named", async () => {
  const lost = await (await gpu.requestAdapter()).requestDevice();
  const executor = new Executor(lost);
  lost.destroy();
  await lost.lost;
  const { program } = golden("uniform");
  await assert.rejects(executor.prepare(program), /^Error: the device was lost \(.*\): request another one/);
  assert.throws(() => executor.replay(untouched, program, []), /the device was lost/);
});
