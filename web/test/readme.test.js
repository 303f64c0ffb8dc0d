// The page of README.md and the example of a plain buffer, on Dawn.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fill } from "seedbed";
import { device, globals, reports, sha256 } from "./dawn.js";

Object.assign(globalThis, globals);

test("the page of README.md works", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [page] = readme.match(/<!doctype html>[^]*?<\/script>/);
  assert.ok(page.split("\n").length <= 50);
  const [, script] = page.match(/<script type="module">([^]*?)<\/script>/);
  const out = { textContent: "working" };
  const world = {
    navigator: { gpu: { requestAdapter: async () => ({ requestDevice: async () => device }) } },
    document: { getElementById: (id) => (assert.equal(id, "out"), out) },
    load: (await import("seedbed")).load,
  };
  const body = script
    .replace('  import { load } from "./seedbed/index.js";\n', "")
    .replace(/\n {2}main\(\)/, "\n  return main()");
  assert.ok(!body.includes("import "));
  await new Function(...Object.keys(world), body)(...Object.values(world));
  const lines = out.textContent.split("\n");
  assert.equal(lines.pop(), "equal: true");
  assert.ok(lines.length === 4 && lines.every((line) => Math.abs(Number(line)) < 1 && Number(line) !== 0), lines);
  assert.deepEqual(reports, []);
});

test("the example of a plain buffer works", async () => {
  const { linear } = await import("../examples/plain.js");
  const buffer = await linear(device, 20, 30, 7n);
  const memory = new Float32Array(20 * 30 + 30);
  const bound = 1 / Math.sqrt(20);
  fill(memory.subarray(0, 600), { name: "fc.weight", shape: [30, 20], init: `uniform(${-bound},${bound})` }, 7n);
  fill(memory.subarray(600), { name: "fc.bias", shape: [30], init: `uniform(${-bound},${bound})` }, 7n);
  const { createHash } = await import("node:crypto");
  assert.equal(await sha256(buffer), createHash("sha256").update(new Uint8Array(memory.buffer)).digest("hex"));
  assert.deepEqual(reports, []);
});
