// The densities that the demo page draws.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BINS, curve, viewOf } from "../demo/law.js";
import { load } from "../dist/index.js";

const seedbed = await load();
const SHAPES = [
  [24, 16, 5, 5],
  [64, 48],
];
const EXTREMES = [
  "normal(0,0)",
  "constant(nan)",
  "constant(inf)",
  "constant(-1e30)",
  "constant(1e-40)",
  "uniform(1,1)",
  "uniform(0,1e38)",
  "trunc_normal(0,0)",
  "trunc_normal(0,1,50,60)",
  "trunc_normal(0,1,-inf,inf)",
  "log_normal()",
  "orthogonal(0)",
  "sparse(1)",
];

test("every law has a view, and a density whose area is that of the elements in view", () => {
  for (const init of [...seedbed.initialisers().map(({ example }) => example), ...EXTREMES]) {
    const shape = SHAPES.find((one) => {
      try {
        seedbed.check(init, "f32", one);
        return true;
      } catch {
        return false;
      }
    });
    assert.ok(shape, `no shape suits ${init}`);
    const description = seedbed.describe(init, shape);
    const view = viewOf(description, shape);
    const { low, high, colourReach, full } = view;
    for (const number of [low, high, colourReach, full])
      assert.ok(Number.isFinite(number), `${init}: ${JSON.stringify(view)}`);
    assert.ok(low < high && colourReach > 0 && full >= 0, `${init}: ${JSON.stringify(view)}`);
    const heights = curve(view);
    assert.ok(
      heights.every((height) => height >= 0 && height <= 0.81),
      init,
    );
    if (heights.length === 0) continue;
    const area = (heights.reduce((sum, height) => sum + height, 0) / heights.length) * full * BINS;
    // The view of a log_normal leaves the long tail out.
    const least = description.law.family === "log_normal" ? 0.9 : 0.97;
    assert.ok(area > least && area < 1.02, `${init}: ${area}`);
  }
});
