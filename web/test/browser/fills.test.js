// The golden lists and the golden programs in Chromium, on a page that has the package only.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SITE, launch, newPage } from "./browser.js";
import { serve } from "./server.js";

const folder = fileURLToPath(new URL("../../../tests/programs/", import.meta.url));
const programs = readdirSync(folder)
  .filter((name) => name.endsWith(".json") && name !== "fills.json")
  .sort();
const { lists } = JSON.parse(readFileSync(`${folder}/fills.json`, "utf8"));

const EMPTY = fileURLToPath(new URL("empty.html", import.meta.url));

let browser;
let server;
/** @type {import("playwright-core").Page} */
let page;
/** @type {string[]} */
let complaints;

before(async () => {
  [browser, server] = await Promise.all([
    launch(),
    serve({ "/seedbed/": SITE["/seedbed/"], "/programs/": folder, "/": EMPTY }),
  ]);
  ({ page, complaints } = await newPage(browser));
  await page.goto(server.url);
  await page.evaluate(openDevice);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** Runs in the page: opens a device, and leaves what the tests need in `window`. */
async function openDevice() {
  const { load } = await import("/seedbed/index.js");
  const seedbed = await load();
  const adapter = await navigator.gpu.requestAdapter();
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
  });
  const recorder = new seedbed.FillRecorder(device);
  const lists = (await (await fetch("/programs/fills.json")).json()).lists;
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;

  /** The SHA-256 of what commands write into new buffers. */
  async function hashes(buffers, record) {
    device.pushErrorScope("validation");
    const all = buffers.map(({ bytes, prefill }) => {
      const buffer = device.createBuffer({
        size: bytes,
        usage: STORAGE | COPY_DST | COPY_SRC,
        mappedAtCreation: true,
      });
      new Uint8Array(buffer.getMappedRange()).fill(prefill);
      buffer.unmap();
      return buffer;
    });
    const encoder = device.createCommandEncoder();
    record(encoder, all);
    const staging = all.map((buffer) => {
      const copy = device.createBuffer({ size: buffer.size, usage: COPY_DST | MAP_READ });
      encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
      return copy;
    });
    device.queue.submit([encoder.finish()]);
    const error = await device.popErrorScope();
    if (error) throw new Error(error.message);
    const found = [];
    for (const copy of staging) {
      await copy.mapAsync(GPUMapMode.READ);
      const digest = await crypto.subtle.digest("SHA-256", copy.getMappedRange());
      found.push(Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(""));
    }
    for (const buffer of [...all, ...staging]) buffer.destroy();
    return found;
  }

  /** The hashes of a golden list, recorded at once. */
  window.runList = async (name) => {
    const { seed, buffers, fills } = lists.find((list) => list.name === name);
    return hashes(buffers, (encoder, all) => {
      recorder.fillAll(
        encoder,
        fills.map(({ buffer, region, key, ...fill }) => ({
          ...fill,
          buffer: all[buffer],
          ...(key && { key: new seedbed.Key(BigInt(key.seed), BigInt(key.offset)) }),
          ...(region && { region: region.elements ? { elements: region.elements.map(BigInt) } : region }),
        })),
        BigInt(seed),
      );
    });
  };

  /** The hashes of a golden program, replayed twice into the same buffers. */
  window.runProgram = async (file) => {
    const { Executor } = await import("/seedbed/executor.js");
    const executor = new Executor(device);
    const { program, destinations } = await (await fetch(`/programs/${file}`)).json();
    await executor.prepare(program);
    return hashes(destinations, (encoder, all) => {
      executor.replay(encoder, program, all);
      executor.replay(encoder, program, all);
    });
  };
}

for (const { name, buffers } of lists) {
  test(`fills: ${name}`, { timeout: 240_000 }, async () => {
    const found = await page.evaluate((name) => window.runList(name), name);
    assert.deepEqual(
      found,
      buffers.map(({ sha256 }) => sha256),
    );
    assert.deepEqual(complaints, []);
  });
}

for (const file of programs) {
  test(`program: ${file}`, { timeout: 240_000 }, async () => {
    const { destinations } = JSON.parse(readFileSync(`${folder}/${file}`, "utf8"));
    const found = await page.evaluate((file) => window.runProgram(file), file);
    assert.deepEqual(
      found,
      destinations.map(({ sha256 }) => sha256),
    );
    assert.deepEqual(complaints, []);
  });
}
