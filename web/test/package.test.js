// The package on Dawn: the golden lists of ../../tests/programs/fills.json, on the GPU and on the CPU, and every
// mistake.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import * as seedbed from "seedbed";
import {
  COPY_DST, COPY_SRC, STORAGE, adapter, destination, device, goldenLists, goldenPrograms, gpu, reports, sha256,
  submit, withoutQueue,
} from "./dawn.js";

const { FillRecorder, Key, check, describe, fill, initialisers, load } = seedbed;

test("everything says that load comes first", async () => {
  const message = /^Error: seedbed is not loaded yet: await load\(\) first$/;
  assert.throws(() => new FillRecorder(device), message);
  assert.throws(() => fill(new Float32Array(1), { shape: [1], init: "zeros" }, 1n), message);
  assert.throws(() => new Key(1n).named("x"), message);
  assert.throws(() => check("zeros", "f32", [1]), message);
  assert.throws(() => describe("zeros", [1]), message);
  assert.throws(() => initialisers(), message);
  // A load that fails can be tried again.
  await assert.rejects(load(new URL("nothing.wasm", import.meta.url)), /ENOENT/);
  await assert.rejects(load(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])), /WebAssembly/);
  const bytes = readFileSync(new URL("../dist/wasm/seedbed_web_bg.wasm", import.meta.url));
  const [first, second] = await Promise.all([load(bytes), load()]);
  assert.equal(first, second);
  assert.equal(first.load, load);
  assert.equal(await load(), first);
});

test("the versions are those of the library", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.equal(seedbed.VERSION, version);
  const manifest = readFileSync(new URL("../wasm/Cargo.toml", import.meta.url), "utf8");
  assert.ok(manifest.includes(`\nversion = "${version}"\n`));
  // The module says in each plan which version it follows.
  const { program } = new FillRecorder(device).plan([], 0n);
  assert.equal(program.contract, seedbed.CONTRACT_VERSION);
});

/** The fills of a golden list, as this package takes them. */
function fillsOf(list, buffers) {
  return list.fills.map(({ region, key, ...of }) => ({
    ...of,
    ...(key && { key: new Key(BigInt(key.seed), BigInt(key.offset)) }),
    buffer: buffers[of.buffer],
    ...(region?.elements ? { region: { elements: region.elements.map((end) => BigInt(end)) } } : region && { region }),
  }));
}

for (const list of goldenLists) {
  if (list.large) continue;
  test(`golden list ${list.name} on the GPU`, async () => {
    const recorder = new FillRecorder(withoutQueue);
    const buffers = list.buffers.map((of) => destination(of));
    const fills = fillsOf(list, buffers);
    await recorder.prepare(fills);
    submit((encoder) => recorder.fillAll(encoder, fills, BigInt(list.seed)));
    const hashes = await Promise.all(buffers.map((buffer) => sha256(buffer)));
    assert.deepEqual(hashes, list.buffers.map((of) => of.sha256));
    assert.deepEqual(reports, []);
  });

  test(`golden list ${list.name} on the CPU`, () => {
    const memories = list.buffers.map(({ bytes, prefill }) => new Uint8Array(bytes).fill(prefill));
    for (const { buffer, offset = 0, rowPitch, ...tensor } of fillsOf(list, memories)) {
      const { shape, dtype = "f32", region } = tensor;
      const local = region?.elements ? [Number(region.elements[1] - region.elements[0])] : (region?.shape ?? shape);
      const size = dtype === "f32" ? 4 : 2;
      const count = local.reduce((a, b) => a * b, 1);
      const elements = new (size === 4 ? Float32Array : Uint16Array)(count);
      fill(elements, tensor, BigInt(list.seed));
      const bytes = new Uint8Array(elements.buffer);
      const row = (local.at(-1) ?? 1) * size;
      for (let at = 0; at < bytes.length; at += row) {
        buffer.set(bytes.subarray(at, at + row), offset + (at / row) * (rowPitch ?? row));
      }
    }
    const hashes = memories.map((memory) => createHash("sha256").update(memory).digest("hex"));
    assert.deepEqual(hashes, list.buffers.map((of) => of.sha256));
  });
}

for (const list of goldenLists.filter(({ large }) => large)) {
  test(`golden list ${list.name} on the GPU`, async (context) => {
    const bytes = Math.max(...list.buffers.map((of) => of.bytes));
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    if (maxBufferSize < bytes) return context.skip(`the adapter's maxBufferSize is ${maxBufferSize}`);
    // Larger limits than the default ones, which the plan then uses.
    const requiredLimits = { maxBufferSize, maxStorageBufferBindingSize };
    const large = await (await gpu.requestAdapter()).requestDevice({ requiredLimits });
    const buffers = list.buffers.map((of) => destination(of, STORAGE | COPY_SRC, large));
    submit((encoder) => new FillRecorder(large).fillAll(encoder, fillsOf(list, buffers), BigInt(list.seed)), large);
    for (const [i, of] of list.buffers.entries()) assert.equal(await sha256(buffers[i], large), of.sha256);
    large.destroy();
  });
}

test("there are golden lists", () => assert.ok(goldenLists.length >= 40, `${goldenLists.length} lists`));

/** The text of a kernel without comments and without indentation. */
const code = (wgsl) =>
  wgsl.split("\n").map((line) => line.replace(/\/\/.*/, "").trim()).filter((line) => line !== "").join("\n");

test("a plan is the program that the Rust library makes", async () => {
  const limits = {};
  for (const [name, value] of Object.entries(goldenPrograms[0].program.device.limits)) {
    limits[name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())] = value;
  }
  let compared = 0;
  for (const file of goldenPrograms) {
    if (file.fills.some((of) => of.dtype === "u32")) continue;
    const buffers = file.destinations.map((of) => destination(of));
    const recorder = new FillRecorder({ ...withoutQueue, limits });
    const { program, buffers: used } = recorder.plan(fillsOf(file, buffers), BigInt(file.seed));
    assert.deepEqual(used, buffers);
    const expected = structuredClone(file.program);
    const actual = JSON.parse(JSON.stringify(program));
    for (const kernel of [...expected.kernels, ...actual.kernels]) kernel.wgsl = code(kernel.wgsl);
    assert.deepEqual(actual, expected, file.name);
    compared += 1;
  }
  assert.ok(compared >= 18, `${compared} programs`);
});

test("prepare compiles everything that the fills need, and each kernel once", async () => {
  const compiled = [];
  const counting = () => ({
    ...withoutQueue,
    createComputePipeline: (descriptor) => assert.fail(`${descriptor.label} was not prepared`),
    createComputePipelineAsync: (descriptor) => (
      compiled.push(descriptor.label), device.createComputePipelineAsync(descriptor)
    ),
  });
  const specs = ["normal(std=0.02)", "normal(std=0.5)", "zeros()", "trunc_normal()", "orthogonal()"].map((init, i) => ({
    shape: [40, 30], init, name: `w${i}`, dtype: i === 1 ? "bf16" : "f32",
  }));
  const model = new Key(7n);
  for (const inOne of [true, false]) {
    const recorder = new FillRecorder(counting());
    await Promise.all([recorder.prepare(specs), recorder.prepare(specs)]);
    const own = () => destination({ bytes: 8192, prefill: 1 });
    const one = destination({ bytes: 8192 * specs.length, prefill: 1 });
    const fills = specs.map((spec, i) => ({ ...spec, ...(inOne ? { buffer: one, offset: 8192 * i } : { buffer: own() }) }));
    submit((encoder) => recorder.fillAll(encoder, fills, model));
    for (const [i, { buffer, offset = 0, ...of }] of fills.entries()) {
      const expected = new (of.dtype === "f32" ? Float32Array : Uint16Array)(1200);
      fill(expected, of, 7n);
      const part = destination({ bytes: expected.byteLength, prefill: 0 });
      submit((encoder) => encoder.copyBufferToBuffer(buffer, offset, part, 0, expected.byteLength));
      const hash = createHash("sha256").update(new Uint8Array(expected.buffer)).digest("hex");
      assert.equal(await sha256(part), hash, specs[i].init);
    }
    assert.equal(new Set(compiled).size, compiled.length);
    compiled.length = 0;
  }
  assert.deepEqual(reports, []);
});

test("fill takes a name, a key of its own, or the key itself", async () => {
  const recorder = new FillRecorder(withoutQueue);
  const tensor = { shape: [100], init: "uniform()" };
  const hashOf = async (extra, key) => {
    const buffer = destination({ bytes: 400, prefill: 0 });
    submit((encoder) => recorder.fill(encoder, { ...tensor, ...extra, buffer }, key));
    const memory = new Float32Array(100);
    fill(memory, { ...tensor, ...extra }, key);
    const hash = await sha256(buffer);
    assert.equal(createHash("sha256").update(new Uint8Array(memory.buffer)).digest("hex"), hash);
    return hash;
  };
  const key = new Key(3n).named("a");
  assert.equal(await hashOf({}, key), await hashOf({ name: "a" }, 3n));
  assert.equal(await hashOf({ key }, 9n), await hashOf({}, key));
  assert.notEqual(await hashOf({}, 3n), await hashOf({}, key));
  const { program, buffers } = recorder.plan([{ ...tensor, key, buffer: destination({ bytes: 400, prefill: 0 }) }], 0n);
  submit((encoder) => recorder.replay(encoder, JSON.parse(JSON.stringify(program)), buffers));
  assert.equal(await sha256(buffers[0]), await hashOf({}, key));
});

test("keys are those of the library", () => {
  // tests of the Rust library: PyTorch's fold_in.
  const key = new Key(42n);
  assert.deepEqual(key.split(3), [0, 1, 2].map((data) => key.foldIn(data)));
  assert.deepEqual(key.foldIn(2n ** 64n - 1n), key.foldIn(2n ** 64n - 1n));
  assert.deepEqual({ ...new Key(1n, 2n) }, { seed: 1n, offset: 2n });
  assert.equal(String(new Key(1n, 2n)), "Key(seed 1, offset 2)");
  assert.notDeepEqual(key.named("a"), key.named("b"));
  assert.notDeepEqual(key.named("é"), key.named("e"));
  if (globalThis.crypto) assert.notDeepEqual(Key.random(), Key.random());
  for (const [mistake, message] of [
    [() => new Key(42), /^the seed is 42; it must be a BigInt from 0 to 2\^64 - 1; write 42n$/],
    [() => new Key(-1n), /^the seed is -1n; it must be/],
    [() => new Key(1n << 64n), /^the seed is 18446744073709551616n; it must be/],
    [() => new Key("1"), /^the seed is "1"; it must be/],
    [() => new Key(1n, 0), /^the key's offset is 0; it must be/],
    [() => key.foldIn(-1), /^the data of foldIn is -1; it must be a whole number/],
    [() => key.foldIn(0.5), /^the data of foldIn is 0.5; it must be a whole number/],
    [() => key.foldIn(undefined), /^the data of foldIn is undefined; it must be/],
    [() => key.named(3), /^the name is 3; it must be a string/],
    [() => key.split(NaN), /^the number of keys is NaN; it must be a whole number/],
    [() => key.split(1e9), /^the number of keys is 1000000000; the most are/],
  ]) {
    assert.throws(mistake, { name: "Error", message });
  }
});

test("initialisers describe themselves", () => {
  const all = initialisers();
  assert.ok(all.length > 25);
  for (const { name, signature, example, what } of all) {
    assert.ok(signature.startsWith(`${name}(`) && what.length > 0, signature);
    const shape = name === "dirac" ? [9, 5, 3] : name.includes("::") ? [8, 6, 5, 3] : [8, 12];
    const { init, mean, std, law } = describe(example, shape);
    assert.equal(init, example);
    assert.ok(Number.isFinite(mean) && std >= 0 && law.family, example);
    for (const dtype of ["f32", "f16", "bf16"]) check(example, dtype, shape);
  }
  const { init, mean, std, law } = describe("xavier_uniform", [30, 66]);
  assert.deepEqual([init, mean, law.family, law.low], ["xavier_uniform(gain=1)", 0, "uniform", -law.high]);
  assert.ok(Math.abs(law.high - 0.25) < 1e-12 && Math.abs(std - law.high / Math.sqrt(3)) < 1e-12);
  assert.deepEqual(describe("trunc_normal(std=2,a=-inf,b=inf)", []).law, {
    family: "trunc_normal", mean: 0, std: 2, a: -Infinity, b: Infinity,
  });
  assert.deepEqual(describe("log_normal(0,0.5)", [2]).law, { family: "log_normal", mean: 0, std: 0.5 });
  assert.deepEqual(describe("ones", [2]).law, { family: "constant", value: 1 });
  assert.deepEqual(describe("eye", [2, 2]).law, { family: "other" });
  assert.match(describe("kaiming_normal", [0, 2]).warning, /zero-element/);
  assert.throws(() => describe("xavier_normal", [3]), { name: "Error", message: /^Fan in and fan out can not/ });
  assert.throws(() => describe("nonsense", [3]), { name: "Error", message: /is not an initialiser/ });
  assert.throws(() => describe(undefined, [3]), { name: "Error", message: /^init is undefined; it must be a string/ });
  assert.throws(() => check("normal", "f64", [3]), { name: "Error", message: /f64/ });
  assert.throws(() => check("normal", undefined, [3]), { name: "Error", message: /^the dtype is undefined/ });
  assert.throws(() => check("normal(std=1e5)", "f16", [3]), { name: "Error", message: /overflows f16/ });
  assert.throws(() => check("normal", "f32", [2 ** 40, 2 ** 40]), { name: "Error", message: /more than 2\^60 elements/ });
  assert.throws(() => check("normal", "f32", [2 ** 32, 2 ** 32]), { name: "Error", message: /more than 2\^60 elements/ });
});

/** Mistakes in the fields of a fill, wherever the fill goes. */
const MISTAKES = [
  [undefined, /the fill is undefined; it must be an object with/],
  ["zeros", /the fill is "zeros"; it must be an object with/],
  [{ shape: undefined }, /the shape is undefined; it must be an array of numbers/],
  [{ shape: 3 }, /the shape is 3; it must be an array of numbers/],
  [{ shape: "33" }, /the shape is "33"; it must be an array of numbers/],
  [{ shape: [2, -3] }, /number 1 of the shape is -3; it must be a whole number/],
  [{ shape: [NaN] }, /number 0 of the shape is NaN; it must be a whole number/],
  [{ shape: [2.5] }, /number 0 of the shape is 2.5; it must be a whole number/],
  [{ shape: [Infinity] }, /number 0 of the shape is Infinity; it must be/],
  [{ shape: ["3"] }, /number 0 of the shape is "3"; it must be/],
  [{ shape: [2 ** 53] }, /number 0 of the shape is 9007199254740992; it must be/],
  [{ shape: [1n << 63n] }, /number 0 of the shape is 9223372036854775808n; it must be/],
  [{ shape: new Array(65).fill(1) }, /the shape has 65 numbers/],
  [{ shape: [2 ** 40, 2 ** 40] }, /the shape \[1099511627776, 1099511627776\] has more than 2\^60 elements/],
  [{ shape: [2 ** 52, 2 ** 52, 2 ** 52] }, /more than 2\^60 elements/],
  [{ init: undefined }, /init is undefined; it must be a string such as "xavier_normal\(\)"/],
  [{ init: 3 }, /init is 3; it must be a string/],
  [{ init: "x".repeat(1 << 17) }, /init has 131072 characters/],
  [{ init: "normal(std=-1)" }, /normal expects std >= 0.0, but found std -1/],
  [{ init: "nonsense()" }, /"nonsense\(\)" is not an initialiser/],
  [{ init: "" }, /"" is not an initialiser/],
  [{ init: "\u0000\ud800" }, /is not an initialiser/],
  [{ init: "xavier_normal", shape: [12] }, /Fan in and fan out can not be computed/],
  [{ dtype: "f64" }, /f64/],
  [{ dtype: 4 }, /the dtype is 4; it must be a string such as "f32"/],
  [{ dtype: "u32" }, /u32/],
  [{ name: 4 }, /the name is 4; it must be a string/],
  [{ name: undefined, key: 4n }, /the fill's key is 4n; it must be a Key/],
  [{ key: new Key(1n) }, /the fill has a name and a key of its own; leave one of them out/],
  [{ region: 3 }, /the region is 3; it must be \{ start, shape \} or \{ elements: \[start, end\] \}/],
  [{ region: null }, /the region is null; it must be/],
  [{ region: {} }, /the region is an object \(Object\); it must be \{ start, shape \} or/],
  [{ region: { start: [0, 0] } }, /the region's shape is undefined; it must be an array/],
  [{ region: { start: [0], shape: [1, 1] } }, /both need one number for each of the tensor's 2 dimensions/],
  [{ region: { start: [0, 0], shape: [1] } }, /both need one number for each of the tensor's 2 dimensions/],
  [{ region: { start: [0, 3], shape: [1, 1] } }, /in dimension 1, of which the tensor has 3/],
  [{ region: { start: [0, 0.5], shape: [1, 1] } }, /number 1 of the region's start is 0.5/],
  [{ region: { elements: [0] } }, /the range of elements has 1 numbers; it must have two/],
  [{ region: { elements: [0, 13] } }, /elements 0..13 were asked for/],
  [{ region: { elements: [2, 1] } }, /elements 2..1 were asked for/],
  [{ region: { elements: [-1, 1] } }, /number 0 of the range of elements is -1/],
  [{ region: { elements: [0, 1], start: [0] } }, /the region has the unknown field "start"/],
  [{ ofset: 4 }, /the fill has the unknown field "ofset"; there are/],
];

/** Mistakes about the buffer. */
const buffer = destination({ bytes: 64, prefill: 0 });
const GPU_MISTAKES = [
  [{ offset: -4 }, /the byte offset is -4; it must be/],
  [{ offset: 1.5 }, /the byte offset is 1.5; it must be/],
  [{ offset: "4" }, /the byte offset is "4"; it must be/],
  [{ offset: 2 }, /the byte offset 2 is not a multiple of 4/],
  [{ offset: 20 }, /the tensor needs bytes 20..68 of its buffer, which has 64/],
  [{ offset: 2 ** 52 }, /of its buffer, which has 64/],
  [{ shape: [5, 4] }, /the tensor needs bytes 0..80 of its buffer, which has 64; make the buffer larger/],
  [{ rowPitch: 0 }, /a row pitch of 0 bytes/],
  [{ rowPitch: 14 }, /a row pitch of 14 bytes/],
  [{ rowPitch: NaN }, /the row pitch is NaN; it must be/],
  [{ rowPitch: 2 ** 52 }, /of its buffer, which has 64, for rows/],
  [{ buffer: undefined }, /the buffer is undefined; it must be a GPUBuffer/],
  [{ buffer: new Float32Array(16) }, /the buffer is an object \(Float32Array\); it must be a GPUBuffer/],
  [
    { buffer: device.createBuffer({ size: 64, usage: COPY_DST | COPY_SRC }) },
    /the buffer was created with usage COPY_SRC \| COPY_DST; a fill needs STORAGE too/,
  ],
];

/** An encoder into which nothing may be recorded. */
const untouched = new Proxy(
  {},
  { get: (_, name) => () => assert.fail(`the encoder's ${String(name)} was called`) },
);

test("mistakes in fills of the GPU are errors, before anything is created or recorded", async () => {
  const created = () => assert.fail("something was created");
  const recorder = new FillRecorder({ ...withoutQueue, createBuffer: created, createBindGroup: created });
  const right = { buffer, shape: [4, 3], init: "normal", name: "fc.weight" };
  for (const [mistake, message] of [...MISTAKES, ...GPU_MISTAKES]) {
    const wrong = typeof mistake === "object" ? { ...right, ...mistake } : mistake;
    const name = typeof wrong?.name === "string" ? "fc\\.weight" : "fill 1";
    const named = new RegExp(`^${name}: .*${message.source}`, "s");
    const first = { ...right, name: "first", buffer: destination({ bytes: 64, prefill: 0 }) };
    const list = [first, wrong];
    assert.throws(() => recorder.fillAll(untouched, list, 1n), { name: "Error", message: named });
    assert.throws(() => recorder.plan(list, 1n), { name: "Error", message: named });
    // A fill alone that has no name needs none in its errors.
    const alone = typeof wrong?.name === "string" ? named : new RegExp(`^${message.source}`, "s");
    assert.throws(() => recorder.fill(untouched, wrong, 1n), { name: "Error", message: alone });
    const isAboutBuffer = Object.hasOwn(Object(mistake), "buffer") || /which has 64/.test(message.source);
    if (!isAboutBuffer) {
      await assert.rejects(recorder.prepare(list), { name: "Error", message: named }, String(message));
    }
  }
  const nameless = { buffer, shape: [3], init: "normal" };
  for (const [mistake, message] of [
    [() => recorder.fillAll(untouched, [nameless], 1n), /^fill 0: the fill has neither a name nor a key; in a list/],
    [() => recorder.fillAll(untouched, [right, right], 1n), /two fills of the list are named "fc.weight"/],
    [() => recorder.fillAll(untouched, right, 1n), /^the fills are an object \(Object\); they must be an array/],
    [() => recorder.fillAll(untouched, [right], 1), /^the key is 1; it must be a Key or a BigInt: write 1n/],
    [() => recorder.fillAll(untouched, [right]), /^the key is undefined; it must be a Key or a BigInt/],
    [() => recorder.fill(untouched, right, -1n), /^the key is -1n; it must be a BigInt from 0/],
    [() => recorder.fill(undefined, right, 1n), /^the encoder is not a GPUCommandEncoder/],
    [() => recorder.fill(device, right, 1n), /^the encoder is not a GPUCommandEncoder/],
    [() => new FillRecorder(undefined), /^the device is not a GPUDevice/],
    [() => new FillRecorder(adapter), /^the device is not a GPUDevice/],
  ]) {
    assert.throws(mistake, { name: "Error", message });
  }
  const working = new FillRecorder(withoutQueue);
  submit((encoder) => working.fill(encoder, right, 1n));
  submit((encoder) => working.fillAll(encoder, [], 1n));
  await working.prepare([]);
  assert.deepEqual(reports, []);
});

test("mistakes in fills of memory are errors, and nothing is written", () => {
  const right = { shape: [4, 3], init: "normal", name: "fc.weight" };
  for (const [mistake, message] of MISTAKES) {
    const wrong = typeof mistake === "object" ? { ...right, ...mistake } : mistake;
    const memory = new Float32Array(12).fill(7);
    assert.throws(() => fill(memory, wrong, 1n), { name: "Error", message }, String(message));
    assert.ok(memory.every((element) => element === 7));
  }
  const f32 = (memory) => () => fill(memory, right, 1n);
  for (const [mistake, message] of [
    [f32(undefined), /^the destination is undefined; for f32 it must be a Float32Array/],
    [f32([1, 2, 3]), /^the destination is an array; for f32 it must be a Float32Array/],
    [f32(new Uint16Array(12)), /^the destination is an object \(Uint16Array\); for f32 it must be a Float32Array/],
    [f32(new ArrayBuffer(48)), /^the destination is an object \(ArrayBuffer\); for f32/],
    [() => fill(new Float32Array(12), { ...right, dtype: "bf16" }, 1n), /for bf16 it must be a Uint16Array/],
    [f32(new Float32Array(11)), /^the destination has 11 elements, but 12 are to be written; make them equal/],
    [f32(new Float32Array()), /^the destination has 0 elements, but 12 are to be written/],
    [() => fill(new Float32Array(12), right, 1), /^the key is 1; it must be a Key or a BigInt: write 1n/],
    [() => fill(new Float32Array(12), { ...right, offset: 4 }, 1n), /^the fill has the unknown field "offset"/],
    [
      () => fill(new Float32Array(12), { ...right, shape: [2 ** 30, 2 ** 29], init: "orthogonal" }, 1n),
      /^the destination has 12 elements, but 576460752303423488 are to be written/,
    ],
  ]) {
    assert.throws(mistake, { name: "Error", message });
  }
});

test("memory is filled in parts, at any address", () => {
  const shape = [3, 1 << 20];
  const tensor = { shape, init: "trunc_normal(std=0.02)", dtype: "bf16", name: "w" };
  const whole = new Uint16Array(3 << 20);
  fill(whole, tensor, 5n);
  const elements = [(1 << 20) - 3, (2 << 20) + 5];
  const memory = new Uint16Array((1 << 20) + 10).fill(7);
  fill(memory.subarray(1, -1), { ...tensor, region: { elements } }, 5n);
  assert.deepEqual(memory.subarray(1, -1), whole.subarray(...elements));
  assert.deepEqual([memory[0], memory.at(-1)], [7, 7]);
  const shared = new Float32Array(new SharedArrayBuffer(40));
  fill(shared, { shape: [10], init: "ones" }, 0n);
  assert.deepEqual([...shared], new Array(10).fill(1));
  fill(new Float32Array(0), { shape: [0, 3], init: "normal" }, 0n);
});

test("the module is started anew after a trap", async () => {
  const { call, instance } = await import("../dist/wasm.js");
  const recorder = new FillRecorder(withoutQueue);
  const record = async () => {
    const of = { buffer: destination({ bytes: 64, prefill: 0 }), shape: [16], init: "uniform" };
    submit((encoder) => recorder.fill(encoder, of, 8n));
    return sha256(of.buffer);
  };
  const before = [await record(), new Key(1n).named("x")];
  for (const trap of [
    () => { throw new WebAssembly.RuntimeError("unreachable"); },
    () => { throw new RangeError("Maximum call stack size exceeded"); },
    // More memory than a module can have. The array's own memory is never touched.
    (library) => library.check("normal", "f32", new BigUint64Array(2 ** 29 - 1)),
  ]) {
    const instances = instance();
    assert.throws(() => call(trap), { name: "Error", message: /the module was started anew, and the next call works/ });
    assert.equal(instance(), instances + 1);
    assert.deepEqual([await record(), new Key(1n).named("x")], before);
  }
});

test("WebGPU reports a buffer of another device", async () => {
  const other = await (await gpu.requestAdapter()).requestDevice();
  const foreign = other.createBuffer({ size: 64, usage: STORAGE });
  const recorder = new FillRecorder(device);
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  recorder.fill(encoder, { buffer: foreign, shape: [16], init: "normal" }, 1n);
  const report = await device.popErrorScope();
  assert.match(report.message, /device/i);
  other.destroy();
  reports.splice(0);
});

test("a lost device is an error", async () => {
  const lost = await (await gpu.requestAdapter()).requestDevice();
  const recorder = new FillRecorder(lost);
  lost.destroy();
  await lost.lost;
  const of = { buffer, shape: [16], init: "normal", name: "w" };
  const message = /^the device was lost \(.*\): request another one/s;
  assert.throws(() => recorder.fill(untouched, of, 1n), { name: "Error", message });
  assert.throws(() => recorder.fillAll(untouched, [of], 1n), { name: "Error", message });
  assert.throws(() => recorder.plan([of], 1n), { name: "Error", message });
  await assert.rejects(recorder.prepare([of]), { name: "Error", message });
});

test("a device with limits that are too low is an error", () => {
  const limits = { ...Object.fromEntries(Object.keys(Object.getPrototypeOf(device.limits)).map((name) => [name, device.limits[name]])) };
  const recorder = new FillRecorder({ ...withoutQueue, limits: { ...limits, maxComputeInvocationsPerWorkgroup: 32 } });
  const message = /max_compute_invocations_per_workgroup is 32; a fill needs at least/;
  assert.throws(() => recorder.fill(untouched, { buffer, shape: [16], init: "normal" }, 1n), { name: "Error", message });
});

test("the package works in a worker", async () => {
  const source = `
    const { parentPort } = require("node:worker_threads");
    import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)}).then(async ({ load }) => {
      const { fill } = await load();
      const memory = new Float32Array(4);
      fill(memory, { shape: [4], init: "normal", name: "w" }, 42n);
      parentPort.postMessage(memory);
    });`;
  const worker = new Worker(source, { eval: true });
  const [memory] = await new Promise((resolve, reject) => {
    worker.once("message", (message) => resolve([message]));
    worker.once("error", reject);
  });
  const expected = new Float32Array(4);
  fill(expected, { shape: [4], init: "normal", name: "w" }, 42n);
  assert.deepEqual(memory, expected);
  await worker.terminate();
});
