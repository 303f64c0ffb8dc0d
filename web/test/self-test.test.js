// The self-test on Dawn: the adapter passes, and altered kernels are named.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, selfTest } from "seedbed";
import { device, reports } from "./dawn.js";

before(() => load());

/** The device with another text in each kernel. The proxies of one device have no pipelines in common. */
function altered(from, to) {
  let alterations = 0;
  const createShaderModule = (descriptor) => {
    alterations += descriptor.code.includes(from);
    return device.createShaderModule({ ...descriptor, code: descriptor.code.replaceAll(from, to) });
  };
  const proxy = new Proxy(device, {
    get(of, name) {
      if (name === "createShaderModule") return createShaderModule;
      const value = of[name];
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
  return { device: proxy, count: () => alterations };
}

test("the adapter passes the full test", async () => {
  const progress = [];
  const report = await selfTest(device, { onProgress: (...of) => progress.push(of) });
  assert.ok(report.passed, String(report));
  assert.equal(report.extent, "full");
  assert.ok(report.checks.length > 50);
  assert.ok(report.checks.every(({ outcome }) => outcome === "passed"));
  assert.equal(report.elements, report.checks.reduce((sum, { elements }) => sum + elements, 0));
  assert.match(String(report), /^passed: \d+ checks of \d+ elements$/);
  assert.deepEqual(progress, report.checks.map((_, i) => [i + 1, report.checks.length]));
  assert.deepEqual(reports, []);
});

test("the adapter passes the short test, which needs one check", async () => {
  const report = await selfTest(device, { extent: "short" });
  assert.deepEqual(report.checks.map(({ name, outcome }) => [name, outcome]), [["normals", "passed"]]);
});

for (const [what, from, to, failed] of [
  ["a constant that is one unit off", "0.500008166", "0.500008225", { normals: "fused_or_reordered" }],
  ["a wrong integer", "0x9E3779B9", "0x9E3779B8", { normals: "integer_path", "raw words": "integer_path" }],
]) {
  test(`the short test names ${what}`, async () => {
    const wrong = altered(from, to);
    const report = await selfTest(wrong.device, { extent: "short" });
    assert.ok(wrong.count() > 0);
    assert.ok(!report.passed);
    const differs = report.checks.filter(({ outcome }) => outcome === "differs");
    assert.deepEqual(Object.fromEntries(differs.map(({ name, hint }) => [name, hint])), failed);
    for (const { detail } of differs) assert.match(detail, /^element \d+ of .+ is 0x[0-9a-f]{8}.* instead of 0x/);
  });
}

test("a kernel that does not compile is a failure of its check alone", async () => {
  const wrong = altered("fn half_radius(", "fn half_radius)");
  const report = await selfTest(wrong.device, { extent: "short" });
  const outcomes = report.checks.map(({ name, outcome }) => [name, outcome]);
  assert.deepEqual(outcomes, [["normals", "failed"], ["raw words", "passed"]]);
  assert.match(report.checks[0].detail, /does not compile/);
  assert.deepEqual(reports, []);
});

test("wrong arguments are refused", async () => {
  await assert.rejects(selfTest({}), /the device is not a GPUDevice/);
  await assert.rejects(selfTest(device, { extent: "long" }), /it must be "short" or "full"/);
  await assert.rejects(selfTest(device, { onProgress: 7 }), /it must be a function/);
  await assert.rejects(selfTest(device, { only: [] }), /unknown field "only"/);
});
