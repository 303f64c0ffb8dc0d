// Dawn, Chromium's implementation of WebGPU, in node: one device for a file of tests.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { after, beforeEach } from "node:test";
import { create, globals } from "webgpu";

export const { COPY_DST, COPY_SRC, MAP_READ, STORAGE } = globals.GPUBufferUsage;
export { globals };

const folder = new URL("../../tests/programs/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));

/** The golden lists of fills. */
export const goldenLists = read("fills.json").lists;

/** The golden programs. */
export const goldenPrograms = readdirSync(folder)
  .filter((name) => name.endsWith(".json") && name !== "fills.json")
  .map(read);
export const golden = (name) => goldenPrograms.find((file) => file.name === name);

export const gpu = create([]);
export const adapter = await gpu.requestAdapter();
assert.ok(adapter, "Dawn finds no adapter: run `cargo xtask setup`, and set what scripts/adapters.sh prints");
const { vendor, architecture, device: chip, description } = adapter.info;
console.log(`adapter: ${[vendor, architecture, chip, description].filter(Boolean).join(", ")}`);

// WebGPU's default limits, and no features.
export const device = await adapter.requestDevice();

/** What the device reported that no error scope caught. Each test begins without a report. */
export const reports = [];
device.addEventListener("uncapturederror", ({ error }) => reports.push(error.message));
after(() => device.destroy());
beforeEach(() => reports.splice(0));

/** The device, without its queue: what an executor may use. */
export const withoutQueue = Object.fromEntries(
  [
    "createBindGroup",
    "createBindGroupLayout",
    "createBuffer",
    "createComputePipeline",
    "createComputePipelineAsync",
    "createPipelineLayout",
    "createShaderModule",
    "popErrorScope",
    "pushErrorScope",
  ].map((name) => [name, device[name].bind(device)]),
);
Object.assign(withoutQueue, { limits: device.limits, lost: device.lost });

export function destination({ bytes, prefill }, usage = STORAGE | COPY_DST | COPY_SRC, on = device) {
  const buffer = on.createBuffer({ size: bytes, usage, mappedAtCreation: true });
  new Uint8Array(buffer.getMappedRange()).fill(prefill);
  buffer.unmap();
  return buffer;
}

export async function sha256(buffer, on = device) {
  const copy = on.createBuffer({ size: buffer.size, usage: MAP_READ | COPY_DST });
  const encoder = on.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  on.queue.submit([encoder.finish()]);
  await copy.mapAsync(globals.GPUMapMode.READ);
  const hash = createHash("sha256").update(new Uint8Array(copy.getMappedRange())).digest("hex");
  copy.destroy();
  return hash;
}

export async function assertFilled(file, buffers) {
  const hashes = await Promise.all(buffers.map((buffer) => sha256(buffer)));
  assert.deepEqual(
    hashes,
    file.destinations.map((destination) => destination.sha256),
  );
}

/** Records into a fresh encoder, and submits it. */
export function submit(record, on = device) {
  const encoder = on.createCommandEncoder();
  const result = record(encoder);
  on.queue.submit([encoder.finish()]);
  return result;
}
