// The demo page, driven as a person would. In every test the page must have nothing to complain about.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SITE, launch, newPage } from "./browser.js";
import { serve } from "./server.js";

const PATIENCE = 60_000;

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof serve>>} */
let server;

before(async () => {
  [browser, server] = await Promise.all([launch(), serve(SITE)]);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** Takes WebGPU away before the page starts, as in a browser that has none. */
const withoutWebGpu = () => {
  Object.defineProperty(Navigator.prototype, "gpu", { value: undefined });
};

/**
 * A test of the page.
 * @param {string} name
 * @param {{ hash?: string, init?: () => void, options?: import("playwright-core").BrowserContextOptions,
 *   complaint?: RegExp }} settings `init` runs in the page before its scripts; `complaint` is expected
 * @param {(page: import("playwright-core").Page) => Promise<void>} act
 */
function pageTest(name, { hash = "", init, options, complaint }, act) {
  test(name, { timeout: 240_000 }, async () => {
    const { context, page, complaints } = await newPage(browser, options);
    page.setDefaultTimeout(PATIENCE);
    try {
      if (init) await page.addInitScript(init);
      await page.goto(`${server.url}/${hash}`);
      await filled(page);
      await act(page);
      assert.deepEqual(
        complaints.filter((text) => !complaint?.test(text)),
        [],
      );
    } finally {
      await context.close();
    }
  });
}

/**
 * Waits until an element's text matches.
 * @param {import("playwright-core").Page} page
 * @param {string} selector
 * @param {RegExp} pattern
 * @param {number} [timeout]
 */
async function textMatches(page, selector, pattern, timeout = PATIENCE) {
  await page.waitForFunction(
    ([selector, source, flags]) =>
      new RegExp(source, flags).test(document.querySelector(selector).textContent),
    [selector, pattern.source, pattern.flags],
    { timeout },
  );
  return page.textContent(selector);
}

const filled = (page) => textMatches(page, "#look-status", /filled/);

/** Does something that draws a new tensor, and waits for the picture. */
async function redrawn(page, act) {
  await page.evaluate(() => {
    document.querySelector("#look-status").textContent = "";
  });
  await act();
  await filled(page);
}

/** What the screen shows of an element, as a PNG in base64. */
async function shown(page, selector) {
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
  // The bar at the top would cover a part of the element.
  const png = await page.locator(selector).screenshot({ style: ".top { visibility: hidden }" });
  return png.toString("base64");
}

/** The red, green, blue and alpha in the middle of each cell of a PNG. @returns {Promise<number[]>} */
function middles(page, png, columns, rows) {
  return page.evaluate(
    async ([png, columns, rows]) => {
      const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
      const context = new OffscreenCanvas(image.width, image.height).getContext("2d", {
        willReadFrequently: true,
      });
      context.drawImage(image, 0, 0);
      const middle = (cell, cells, length) => Math.floor(((cell + 0.5) / cells) * length);
      return Array.from({ length: columns * rows }, (_, cell) => {
        const x = middle(cell % columns, columns, image.width);
        const y = middle(Math.floor(cell / columns), rows, image.height);
        return [...context.getImageData(x, y, 1, 1).data];
      }).flat();
    },
    [png, columns, rows],
  );
}

const same = (a, b) => assert.ok(a === b, "the picture changed");
const changed = (a, b) => assert.ok(a !== b, "the picture did not change");

const MOMENTS = ["mean", "std", "least", "greatest"];
const moments = (page) => Promise.all(MOMENTS.map((id) => page.textContent(`#${id}`)));

for (const [dtype, init] of [
  ["f32", "xavier_normal()"],
  ["f16", "uniform(-1,2)"],
  ["bf16", "orthogonal()"],
]) {
  const hash = `#init=${init}&shape=48,40&seed=7&type=${dtype}`;
  pageTest(`the GPU and the CPU draw the same picture of ${init} in ${dtype}`, { hash }, async (page) => {
    const { context, page: other } = await newPage(browser);
    await other.addInitScript(withoutWebGpu);
    await other.goto(`${server.url}/${hash}`);
    await filled(other);
    assert.match(await page.textContent("#look-status"), /^The GPU filled 1\D920 elements/);
    assert.match(await other.textContent("#look-status"), /^The CPU filled 1\D920 elements/);
    assert.deepEqual(await moments(page), await moments(other));
    // Browsers scale the two kinds of canvas by other filters, so the middle of each element is compared, and the
    // colour of a histogram's column at some heights.
    for (const [canvas, columns, rows, bound] of [
      ["#heat-map", 40, 48, 0],
      ["#histogram", 80, 20, 0.02],
    ]) {
      const gpu = await middles(page, await shown(page, canvas), columns, rows);
      const cpu = await middles(page, await shown(other, canvas), columns, rows);
      assert.ok(new Set(gpu).size > 2, `${canvas} is empty`);
      const far = gpu.filter((value, index) => Math.abs(value - cpu[index]) > 3).length;
      assert.ok(far <= bound * gpu.length, `${far} of ${gpu.length} values of ${canvas} differ`);
    }
    await context.close();
  });
}

pageTest("an initialiser is chosen from the list, and a shape that suits it", {}, async (page) => {
  const names = await page.locator("#choose option").allTextContents();
  assert.ok(names.includes("xavier_normal") && names.includes("jax::glorot_normal"), String(names));
  const first = await shown(page, "#heat-map");
  for (const name of names) {
    await redrawn(page, () => page.selectOption("#choose", name));
    assert.equal((await page.inputValue("#init")).split("(")[0], name);
    assert.equal(await page.textContent("#init-error"), "");
  }
  await redrawn(page, () => page.selectOption("#choose", "dirac"));
  assert.equal(await page.inputValue("#shape"), "64, 64, 3");
  assert.match(await page.textContent("#heat-caption"), /64 rows × 192 columns/);
  changed(await shown(page, "#heat-map"), first);
});

pageTest("nonsense shows the library's text, and the old picture stays", {}, async (page) => {
  const [picture, hash] = [await shown(page, "#heat-map"), await page.evaluate(() => location.hash)];
  for (const [text, error] of [
    ["xavier_norml()", /xavier_norml/],
    ["normal(mean=", /normal/],
    ["", /./],
    ["dirac()", /3, 4, or 5 dimensions/],
  ]) {
    await page.fill("#init", text);
    await textMatches(page, "#init-error", error);
    assert.equal(await page.getAttribute("#init", "aria-invalid"), "true");
  }
  await page.waitForTimeout(300);
  same(await shown(page, "#heat-map"), picture);
  assert.equal(await page.evaluate(() => location.hash), hash);
  await redrawn(page, () => page.fill("#init", "normal(0,3)"));
  assert.equal(await page.textContent("#init-error"), "");
  assert.equal(await page.getAttribute("#init", "aria-invalid"), "false");
  assert.equal(await page.textContent("#law-std"), "3");
});

pageTest(
  "a wrong shape and a wrong seed are named at their fields",
  { hash: "#init=normal()" },
  async (page) => {
    const picture = await shown(page, "#heat-map");
    for (const [shape, error] of [
      ["0, 4", /"0"/],
      ["4, x4, y", /"y"/],
      ["", /at least one length/],
      ["65536, 65536", /at most 16\D777\D216 elements/],
      ["-3", /"-3"/],
    ]) {
      await page.fill("#shape", shape);
      await textMatches(page, "#shape-error", error);
    }
    await page.fill("#init", "orthogonal()");
    await page.fill("#shape", "1100, 1030");
    await textMatches(page, "#shape-error", /at most 1\D024 rows or columns/);
    await page.fill("#shape", "");
    await page.fill("#init", "normal()");
    same(await shown(page, "#heat-map"), picture);
    await redrawn(page, () => page.fill("#shape", "16"));
    const vector = await shown(page, "#heat-map");
    for (const [seed, error] of [
      ["abc", /whole number/],
      ["-1", /whole number/],
      ["18446744073709551616", /64 bits/],
    ]) {
      await page.fill("#seed", seed);
      await textMatches(page, "#seed-error", error);
    }
    same(await shown(page, "#heat-map"), vector);
    await redrawn(page, () => page.fill("#seed", "18446744073709551615"));
    assert.match(await page.textContent("#heat-caption"), /4 rows × 4 columns, a vector/);
    await redrawn(page, () => page.click("#next-seed"));
    assert.equal(await page.inputValue("#seed"), "0");
  },
);

pageTest("the URL holds the choice, and each field changes the tensor", {}, async (page) => {
  const seen = [await moments(page)];
  await redrawn(page, () => page.fill("#seed", "43"));
  seen.push(await moments(page));
  await redrawn(page, () => page.check('input[value="bf16"]', { force: true }));
  seen.push(await moments(page));
  await redrawn(page, () => page.fill("#shape", "64x32"));
  seen.push(await moments(page));
  assert.equal(new Set(seen.map(String)).size, 4);
  const url = new URL(page.url());
  assert.equal(url.hash, "#init=xavier_normal()&shape=64x32&seed=43&type=bf16");
  await page.reload();
  await filled(page);
  assert.deepEqual(await moments(page), seen[3]);
  assert.equal(await page.inputValue("#shape"), "64x32");
  await redrawn(page, () =>
    page.evaluate(() => {
      location.hash = "#init=uniform(0,1)&shape=9,9&seed=5&type=f16";
    }),
  );
  assert.equal(await page.inputValue("#init"), "uniform(0,1)");
  assert.match(
    await page.textContent("#call"),
    /shape: \[9, 9\], dtype: "f16", init: "uniform\(0,1\)" \}, 5n/,
  );
});

const loss = async (page, net) =>
  Number(/loss ([\d.]+)/.exec(await page.textContent(`#net-${net}-status`))?.[1]);
const stepOf = (text) => Number(/Step ([\d\u202f]+)/.exec(text)?.[1].replace(/\D/g, ""));

for (const optimiser of ["adam", "sgd"]) {
  pageTest(
    `training by ${optimiser}: the loss of xavier_normal falls, that of zeros does not`,
    {},
    async (page) => {
      await page.selectOption("#optimiser", optimiser);
      await textMatches(page, "#train-status", /at their start/);
      const [zeros, chosen] = [await shown(page, "#net-0"), await shown(page, "#net-1")];
      await page.click("#train-start");
      await textMatches(page, "#train-start", /Pause/);
      const bound = optimiser === "adam" ? 0.55 : 0.65;
      await page.waitForFunction(
        (bound) => {
          const text = document.querySelector("#net-1-status").textContent;
          return Number(/loss ([\d.]+)/.exec(text)?.[1]) < bound;
        },
        bound,
        { timeout: 120_000 },
      );
      await page.click("#train-start");
      await textMatches(page, "#train-start", /Start/);
      const status = await textMatches(page, "#train-status", /The loss of zeros is 0\.6931/);
      assert.ok(stepOf(status) > 5, status);
      assert.match(status, /steps\/s/);
      assert.equal(await loss(page, 0), 0.693);
      // The loss may rise a little in the step after the one that was seen.
      assert.ok((await loss(page, 1)) < bound + 0.03);
      same(await shown(page, "#net-0"), zeros);
      changed(await shown(page, "#net-1"), chosen);
      // A pause holds the networks, and a start goes on from there.
      await page.waitForTimeout(300);
      assert.equal(await page.textContent("#train-status"), status);
      await page.click("#train-start");
      await page.waitForFunction((step) => {
        const text = document.querySelector("#train-status").textContent;
        return Number(/Step ([\d\u202f]+)/.exec(text)?.[1].replace(/\D/g, "")) > step;
      }, stepOf(status));
      await page.click("#train-reset");
      await textMatches(page, "#train-status", /at their start/);
      assert.equal(await page.textContent("#train-start"), "Start");
      same(await shown(page, "#net-1"), chosen);
    },
  );
}

pageTest("training refuses an initialiser that the library refuses", {}, async (page) => {
  await page.fill("#train-init", "dirac()");
  await textMatches(page, "#train-error", /3, 4, or 5 dimensions/);
  assert.ok(await page.isDisabled("#train-start"));
  await page.selectOption("#train-choose", "kaiming_uniform");
  await textMatches(page, "#net-1-name", /kaiming_uniform\(\)/);
  await textMatches(page, "#train-error", /^$/);
  assert.ok(await page.isEnabled("#train-start"));
  await page.fill("#train-seed", "no");
  await textMatches(page, "#train-error", /whole number/);
});

pageTest(
  "the self-test passes, and the report is copied",
  {
    options: { permissions: ["clipboard-read", "clipboard-write"] },
  },
  async (page) => {
    await page.click("#self-test");
    const status = await textMatches(page, "#self-test-status", /Time/, 180_000);
    assert.match(status, /^Passed: \d+ checks, .* elements/);
    await page.click("#copy-report");
    await textMatches(page, "#copy-status", /Copied/);
    const report = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(report, /^seedbed \d+\.\d+\.\d+.*, contract 1\nMozilla/);
    assert.match(report, /adapter: \S+/);
    assert.match(report, /maxBufferSize \d+/);
    assert.match(report, /self-test: passed/);
    assert.match(report, /golden hashes: not run/);
  },
);

pageTest("all golden hashes are equal", {}, async (page) => {
  await page.click("#golden");
  assert.match(await textMatches(page, "#golden-status", /Time/), /^All \d{3} lists have the golden bytes/);
  const cells = await page.locator("#golden-results tbody td").allTextContents();
  assert.equal(cells.filter((text) => text === "–").length, 1, "only the large list was not run");
  assert.ok(cells.filter((text) => text === "equal").length >= 100);
  await page.click("#golden-large");
  assert.match(await textMatches(page, "#golden-status", /Time/), /^The list has the golden bytes/);
  assert.equal(await page.locator("#golden-results td", { hasText: "–" }).count(), 0);
  assert.match(
    await page.inputValue("#report"),
    /golden hashes, on the GPU: \d{3} equal, 0 differ, 0 skipped/,
  );
});

test("a wrong hash is named", async () => {
  const { context, page } = await newPage(browser);
  await page.route("**/golden.json", async (route) => {
    const golden = await (await route.fetch()).json();
    const lists = golden.lists.filter(({ name }) => ["normal f32", "uniform f32"].includes(name));
    lists[1].buffers[0].sha256 = "0".repeat(64);
    await route.fulfill({ json: { ...golden, lists } });
  });
  await page.goto(server.url);
  await filled(page);
  await page.click("#golden");
  assert.match(await textMatches(page, "#golden-status", /Time/), /^1 of 2 lists differ/);
  assert.match(
    await page.inputValue("#report"),
    /normal f32: differs, buffer 0: expected 0{64}, found [0-9a-f]{64}/,
  );
  await context.close();
});

pageTest(
  "a GPU that rounds a constant differently is named",
  {
    init: () => {
      const create = GPUDevice.prototype.createShaderModule;
      GPUDevice.prototype.createShaderModule = function (descriptor) {
        // A constant of the normals' radius, of section 5 of the contract.
        return create.call(this, {
          ...descriptor,
          code: descriptor.code.replaceAll("1.7301775", "1.7301777"),
        });
      };
    },
  },
  async (page) => {
    await page.click("#self-test");
    assert.match(
      await textMatches(page, "#self-test-status", /Time/, 180_000),
      /^Failed: \d+ of \d+ checks differ/,
    );
    assert.match(await page.textContent("#self-test-list"), /normal.* \(differs\): /);
    await page.click("#golden");
    assert.match(await textMatches(page, "#golden-status", /Time/), /^\d+ of \d+ lists differ/);
    assert.equal(
      await page
        .locator("tr", { hasText: /^uniform/ })
        .first()
        .textContent(),
      "uniformequalequalequal",
    );
    assert.match(
      await page
        .locator("tr", { hasText: /^normal/ })
        .first()
        .textContent(),
      /^normaldiffers/,
    );
    const report = await page.inputValue("#report");
    assert.match(report, /self-test: FAILED/);
    assert.match(report, /\(differs\): .*0x/);
    assert.match(report, /normal f32: differs, buffer 0: expected/);
  },
);

pageTest("the speed is measured beside clearBuffer", {}, async (page) => {
  await page.click("#speed");
  await textMatches(page, "#speed-status", /Measured by (the GPU’s clock|wall time)/);
  const rows = await page.locator("#speed-results tbody tr").allTextContents();
  assert.equal(rows.length, 6);
  for (const row of rows) assert.match(row, /(f32|bf16)[\d.e−]+\sm?s[\d.]+ · 10[⁶⁹]\/s[\d.e−]+\sm?s$/);
  assert.match(
    await page.inputValue("#report"),
    /speed, medians by .*:\n {2}xavier_normal f32, 65536 elements/,
  );
});

for (const [why, init, complaint] of [
  ["a browser without WebGPU", withoutWebGpu, undefined],
  [
    "a browser without an adapter",
    () => {
      GPU.prototype.requestAdapter = async () => null;
    },
    undefined,
  ],
]) {
  pageTest(
    `${why}: the page says so, and the CPU engine draws and is checked`,
    { init, complaint },
    async (page) => {
      assert.match(await page.textContent("#notice"), /WebGPU.*Chrome.*Safari.*Firefox/s);
      assert.match(await page.textContent("#look-status"), /^The CPU filled/);
      assert.ok(new Set(await middles(page, await shown(page, "#heat-map"), 50, 50)).size > 20);
      assert.ok(await page.isVisible("#train-missing"));
      assert.ok(await page.isHidden("#train-form"));
      assert.ok(await page.isHidden("#self-test"));
      await page.click("#golden");
      assert.match(
        await textMatches(page, "#golden-status", /Time/),
        /^All \d{3} lists have the golden bytes/,
      );
      assert.match(
        await page.inputValue("#report"),
        /adapter: none[^]*golden hashes, on the CPU: \d{3} equal, 0 differ/,
      );
    },
  );
}

pageTest(
  "a lost device is told, and the page offers to reload",
  {
    init: () => {
      const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...args) {
        window.testDevice = await request.apply(this, args);
        return window.testDevice;
      };
    },
  },
  async (page) => {
    await page.click("#train-start");
    await page.waitForTimeout(500);
    await page.evaluate(() => window.testDevice.destroy());
    await textMatches(page, "#notice", /device is lost/);
    await page.fill("#seed", "5");
    await page.click("#golden");
    await textMatches(page, "#golden-status", /lost/);
    await page.waitForTimeout(500);
    assert.equal(await page.textContent("#init-error"), "");
    await page.click("#notice button");
    await page.waitForFunction(() => document.querySelector("#notice").hidden);
    await filled(page);
    assert.equal(await page.inputValue("#seed"), "5");
  },
);

for (const width of [390, 320]) {
  pageTest(
    `a phone ${width} pixels wide needs no scrolling to the side`,
    {
      options: { viewport: { width, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
    },
    async (page) => {
      await page.tap("#golden");
      await textMatches(page, "#golden-status", /Time/);
      await page.fill("#init", `normal(${"0".repeat(200)}x)`);
      await textMatches(page, "#init-error", /./);
      const { scroll, wide } = await page.evaluate(() => ({
        scroll: document.documentElement.scrollWidth - innerWidth,
        wide: [...document.querySelectorAll("button, select, input, figure, .card, table")]
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, pre"))
          .map((one) => one.outerHTML.slice(0, 80)),
      }));
      assert.equal(scroll, 0);
      assert.deepEqual(wide, []);
      const small = await page.evaluate(() =>
        [...document.querySelectorAll("button, select, input:not([type])")]
          .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 36)
          .map((one) => one.id),
      );
      assert.deepEqual(small, []);
    },
  );
}

pageTest(
  "the dark theme follows the system, and the switch overrides it",
  { options: { colorScheme: "dark" } },
  async (page) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [dark, picture] = [await ground(), await shown(page, "#heat-map")];
    await page.selectOption("#theme", "light");
    assert.notEqual(await ground(), dark);
    changed(await shown(page, "#heat-map"), picture);
    await page.reload();
    await filled(page);
    assert.equal(await page.inputValue("#theme"), "light");
    assert.notEqual(await ground(), dark);
    await page.selectOption("#theme", "system");
    assert.equal(await ground(), dark);
    same(await shown(page, "#heat-map"), picture);
  },
);

pageTest("the keyboard alone is enough", {}, async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  /** Tabs to an element. Each stop must show its focus. */
  const tabTo = async (id) => {
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press("Tab");
      const outline = await page.evaluate(() => {
        const active = document.activeElement;
        const shown = active.matches(".segments input") ? active.nextElementSibling : active;
        return active === document.body || getComputedStyle(shown).outlineStyle !== "none";
      });
      assert.ok(outline, `the focus of ${await focused()} is invisible`);
      if ((await focused()) === id) return;
    }
    assert.fail(`no Tab reaches ${id}`);
  };
  await page.keyboard.press("Tab");
  assert.match(await focused(), /Skip/);
  await tabTo("init");
  await page.keyboard.press("Control+A");
  await redrawn(page, () => page.keyboard.type("uniform(0,1)"));
  await tabTo("next-seed");
  await redrawn(page, () => page.keyboard.press("Enter"));
  assert.equal(await page.inputValue("#seed"), "43");
  await page.keyboard.press("Tab");
  await redrawn(page, () => page.keyboard.press("ArrowRight"));
  assert.match(await page.textContent("#heat-caption"), /f16/);
  await tabTo("train-start");
  await page.keyboard.press("Enter");
  await textMatches(page, "#train-start", /Pause/);
  await page.keyboard.press("Enter");
  await textMatches(page, "#train-start", /Start/);
  await tabTo("golden");
  await page.keyboard.press("Space");
  await textMatches(page, "#golden-status", /All \d+ lists/);
  assert.equal(await focused(), "golden");
  await tabTo("copy-report");
});

pageTest(
  "less motion: training shows few pictures and the same numbers",
  { options: { reducedMotion: "reduce" } },
  async (page) => {
    await page.click("#train-start");
    await page.waitForFunction(() =>
      /loss 0\.6[0-7]/.test(document.querySelector("#net-1-status").textContent),
    );
    await page.click("#train-start");
    await textMatches(page, "#train-status", /The loss of zeros is 0\.6931/);
  },
);
