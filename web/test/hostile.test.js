// Values that no program passes on purpose: each is an Error with a text, and leaves nothing behind.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FillRecorder, Key, check, fill, load, selfTest } from "seedbed";
import { Executor } from "seedbed/executor";
import { instance } from "../dist/wasm.js";
import { STORAGE, destination, device, golden, gpu, reports, submit, withoutQueue } from "./dawn.js";

const tensor = { shape: [4], init: "normal" };

/** An encoder into which nothing may be recorded. */
const untouched = new Proxy(
  {},
  { get: (_, name) => () => assert.fail(`the encoder's ${String(name)} was called`) },
);

test("a module that is not the package's is refused, and the right one loads afterwards", async () => {
  const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  const message = /^the WebAssembly module of seedbed could not be loaded: it is another module; pass/;
  for (const other of [empty, new WebAssembly.Module(empty)]) {
    await assert.rejects(load(other), { name: "Error", message });
  }
  for (const garbage of [42, {}, Symbol("module"), "", new ArrayBuffer(0), { then: (_, reject) => reject() }]) {
    const message = /^the WebAssembly module of seedbed could not be loaded: ./;
    await assert.rejects(load(garbage), { name: "Error", message });
  }
  const bytes = readFileSync(new URL("../dist/wasm/seedbed_web_bg.wasm", import.meta.url));
  await assert.rejects(load(new Response(bytes, { status: 404 })), { name: "Error", message: /HTTP status 404/ });
  await load(new Response(bytes, { headers: { "Content-Type": "application/wasm" } }));
  fill(new Float32Array(4), tensor, 1n);
});

test("no value that is passed looks like a trap of the module", () => {
  const instances = instance();
  const recorder = new FillRecorder(withoutQueue);
  const buffer = destination({ bytes: 64, prefill: 0 });
  const named = { ...tensor, buffer, name: "w" };
  const memory = new Float32Array(4);
  const detached = new Float32Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const classless = {
    get constructor() {
      throw new TypeError("no class");
    },
  };
  const endless = [4];
  endless[Symbol.iterator] = function* () {
    for (;;) yield 1;
  };
  const hollow = Object.create(Key.prototype);
  for (const [mistake, message] of [
    [() => fill(memory, tensor, hollow), /^the seed is undefined; it must be a BigInt/],
    [() => fill(memory, { ...tensor, key: hollow }, 1n), /^the seed is undefined/],
    [() => hollow.named("w"), /^the seed is undefined/],
    [() => ["w"].map(new Key(1n).named), /^the key is undefined; it must be a Key/],
    [() => [1].map(new Key(1n).foldIn), /^the key is undefined; it must be a Key/],
    [() => new Key(1n).named("w\ud800"), /^the name is "w\\ud800", which is no Unicode text: it has one half of/],
    [() => fill(memory, { ...tensor, name: "\udc00" }, 1n), /one half of a surrogate pair/],
    [() => fill(memory, { ...tensor, dtype: "constructor" }, 1n), /"constructor" is unknown/],
    [() => fill(detached, tensor, 1n), /^the destination has 0 elements, but 4 are to be written/],
    [() => check("ones", "f32", classless), /^the shape is an object; it must be an array/],
    [() => check("ones", "f32", "x".repeat(1 << 20)), /^.{100,300}$/],
    [() => new Key(1n << 1_000_000n), /^the seed is a BigInt of many digits; it must be/],
    [() => recorder.fillAll(untouched, [named, , { ...named, name: "v" }], 1n), /^fill 1: the fill is undefined/],
    [() => recorder.fillAll(untouched, new Array(2), 1n), /^fill 0: the fill is undefined/],
    // The descriptor of a buffer, behind a fill that is right.
    [
      () =>
        recorder.fillAll(
          untouched,
          [
            { ...named, init: "zeros" },
            { ...named, init: "zeros", name: "v", buffer: { size: 64, usage: buffer.usage } },
          ],
          1n,
        ),
      /^v: the buffer is an object \(Object\); it must be a GPUBuffer/,
    ],
  ]) {
    assert.throws(mistake, { name: "Error", message });
  }
  check("ones", "f32", endless);
  assert.equal(instance(), instances);
  assert.ok(memory.every((element) => element === 0));
});

test("what a caller does to a plan changes no later fill", () => {
  const recorder = new FillRecorder(withoutQueue);
  const fills = [{ ...tensor, buffer: destination({ bytes: 64, prefill: 0 }), name: "w" }];
  const { program } = recorder.plan(fills, 1n);
  const sized = program.kernels[0].bindings.find((kind) => typeof kind === "object");
  assert.throws(() => (sized.uniform.size = 4), TypeError);
  assert.deepEqual(recorder.plan(fills, 1n).program, program);
});

test("all recorders of a device wait for its loss together", () => {
  let waiting = 0;
  const lost = { then: () => void waiting++ };
  const watched = { ...withoutQueue, lost };
  for (let i = 0; i < 100; i++) new FillRecorder(watched);
  assert.equal(waiting, 1);
});

test("prepare rejects on a device that is destroyed meanwhile", async () => {
  const lost = await (await gpu.requestAdapter()).requestDevice();
  const ready = new FillRecorder(lost).prepare([{ ...tensor, name: "w" }]);
  lost.destroy();
  await assert.rejects(ready, { name: "Error", message: /^the device was lost/ });
});

test("a device whose calls fail leaves no rejection behind, and no error scope", async () => {
  const fails = () => {
    throw new Error("refused");
  };
  let scopes = 0;
  const counting = {
    pushErrorScope: () => void scopes++,
    popErrorScope: async () => (scopes--, null),
  };
  // The tests of this file fail on a rejection that nobody handles.
  for (const broken of [
    { createComputePipelineAsync: fails },
    { createComputePipelineAsync: async () => fails() },
    { createShaderModule: fails },
    { createBindGroupLayout: fails, popErrorScope: async () => (scopes--, fails()) },
    { createComputePipelineAsync: fails, popErrorScope: () => (scopes--, fails()) },
  ]) {
    const recorder = new FillRecorder({ ...withoutQueue, ...counting, ...broken });
    const message = /^the kernel seedbed::\S+ does not compile: .*refused/;
    await assert.rejects(recorder.prepare([{ ...tensor, name: "w" }]), { name: "Error", message });
    const report = await selfTest({ ...withoutQueue, ...counting, ...broken }, { extent: "short" });
    assert.ok(report.checks.every(({ outcome }) => outcome === "failed"));
    assert.equal(scopes, 0);
  }
});

/** The path of each value in a program. Of a list, the first two items count. */
function* paths(value, path = []) {
  yield path;
  if (typeof value !== "object" || value === null) return;
  const keys = Object.keys(value).slice(0, Array.isArray(value) ? 2 : undefined);
  for (const key of keys) yield* paths(value[key], [...path, key]);
}

test("a program with any part damaged is refused before anything is recorded, or recorded whole", async () => {
  const damages = [
    undefined, null, NaN, -1, 0.5, 2 ** 53, "", "0", "length", "constructor", true, {}, [], [null], 1n,
    Symbol("damage"), { length: 4 }, { uniform: {} }, { words: { length: 4 } },
  ];
  // What takes any call, as WebGPU's bindings do it: numbers are whole, and in range.
  const number = (value) => {
    if (!(Number(value) >= 0 && Number(value) < 2 ** 32)) throw new TypeError("no number of WebGPU's");
  };
  const limits = device.limits;
  let scopes = 0;
  const any = () => ({});
  const fake = {
    limits, lost: device.lost, createPipelineLayout: any, createShaderModule: any, createBindGroupLayout: any,
    createComputePipeline: any, createComputePipelineAsync: async () => ({}), createBindGroup: any,
    pushErrorScope: () => void scopes++, popErrorScope: async () => (scopes--, null),
    createBuffer: ({ size }) => ({ size, destroy() {}, unmap() {}, getMappedRange: () => new ArrayBuffer(size) }),
  };
  for (const name of ["trunc_normal", "zeros"]) {
    const { program, destinations } = golden(name);
    const text = JSON.stringify(program);
    const executor = new Executor({ ...fake });
    const buffers = destinations.map(({ bytes }) => ({ size: bytes, usage: STORAGE | 0x08, destroy() {} }));
    const kinds = { refused: 0, recorded: 0 };
    for (const path of paths(program)) {
      for (const damage of damages) {
        const root = { program: JSON.parse(text) };
        const steps = ["program", ...path];
        const last = steps.pop();
        steps.reduce((of, step) => of[step], root)[last] = damage;
        let isOpen = false;
        const pass = {
          setPipeline() {}, setBindGroup() {}, end: () => void (isOpen = false),
          dispatchWorkgroups: (x, y) => [x, y].forEach(number),
        };
        let recorded = 0;
        const encoder = {
          clearBuffer: (_, offset, size) => (recorded++, [offset, size].forEach(number)),
          beginComputePass: () => (recorded++, (isOpen = true), pass),
        };
        const where = `${path.join(".")} of ${name} is ${String(typeof damage)}`;
        try {
          executor.replay(encoder, root.program, buffers);
          kinds.recorded++;
          assert.ok(!isOpen, where);
        } catch (error) {
          assert.equal(error.constructor, Error, where);
          assert.match(error.message, /^the program can't be replayed: /, where);
          assert.equal(recorded, 0, where);
          kinds.refused++;
        }
        await executor.prepare(root.program).catch((error) => assert.equal(error.constructor, Error, where));
        assert.equal(scopes, 0, where);
      }
    }
    assert.ok(kinds.refused > 2 * kinds.recorded, JSON.stringify(kinds));
  }
});

test("after all of this the device fills on", () => {
  const recorder = new FillRecorder(device);
  submit((encoder) => recorder.fill(encoder, { ...tensor, buffer: destination({ bytes: 64, prefill: 0 }) }, 1n));
  assert.deepEqual(reports, []);
});
