// @ts-check
// The section "Check": the self-test, the golden hashes, the speed, the report.

import { lost } from "./device.js";
import { breathe, byId, make, setText, table, textOf } from "./dom.js";
import { duration, grouped, rateText } from "./format.js";
import { checkOnCpu, checkOnGpu, loadGolden } from "./golden.js";
import { nameOf } from "./initialiser-list.js";
import { reportText } from "./report.js";
import { CASES, clockOf, measure } from "./speed.js";

const DTYPES = ["f32", "f16", "bf16"];

export class Check {
  /**
   * @param {any} seedbed the library
   * @param {import("./device.js").Gpu | undefined} gpu
   */
  constructor(seedbed, gpu) {
    this.seedbed = seedbed;
    this.gpu = gpu;
    /** @type {import("./report.js").Results} */
    this.results = {};
    if (gpu) {
      this.recorder = new seedbed.FillRecorder(gpu.device);
    } else {
      setText("check-whom", "the CPU engine");
      setText(
        "check-text",
        "The golden hashes compare whole buffers, filled by the library’s CPU engine in this " +
          "browser, with the bytes that every device must write. The self-test and the speed need a GPU.",
      );
      byId("self-test-card").hidden = true;
      byId("speed-card").hidden = true;
      byId("golden-large").hidden = true;
    }
    this.connect("self-test", "self-test", () => this.selfTest());
    this.connect("golden", "golden", () => this.golden((list) => !list.large));
    this.connect("golden-large", "golden", () => this.golden((list) => Boolean(list.large)));
    this.connect("speed", "speed", () => this.speed());
    byId("copy-report").addEventListener("click", () => this.copyReport());
    this.report();
  }

  /**
   * Runs a check at the click of a button, one check at a time, and says what failed.
   * @param {string} button
   * @param {string} card the prefix of the ids of the status and the progress
   * @param {() => Promise<string>} run gives the sentence for the status
   */
  connect(button, card, run) {
    byId(button).addEventListener("click", async () => {
      const buttons = ["self-test", "golden", "golden-large", "speed"].map(byId);
      // A disabled button would lose the keyboard's focus.
      if (buttons.some((one) => one.getAttribute("aria-busy") === "true")) return;
      byId(button).setAttribute("aria-busy", "true");
      byId(`${card}-status`).className = "";
      try {
        const start = performance.now();
        const sentence = await run();
        setText(`${card}-status`, `${sentence} Time: ${duration(performance.now() - start)}.`);
      } catch (error) {
        byId(`${card}-status`).className = "error";
        const isLost = this.gpu !== undefined && (await lost(this.gpu));
        setText(`${card}-status`, isLost ? "The GPU device was lost." : textOf(error));
      } finally {
        document.getElementById(`${card}-progress`)?.classList.remove("running");
        byId(button).setAttribute("aria-busy", "false");
        this.report();
      }
    });
  }

  async selfTest() {
    const { seedbed, gpu, results } = this;
    if (!gpu) throw new Error("The self-test needs a GPU.");
    byId("self-test-list").replaceChildren();
    setText("self-test-status", "The GPU and the CPU engine fill the same tensors …");
    const report = await seedbed.selfTest(gpu.device, {
      extent: "full",
      onProgress: (/** @type {number} */ done, /** @type {number} */ total) =>
        progress("self-test", done, total),
    });
    results.selfTest = report;
    const wrong = report.checks.filter((/** @type {any} */ check) =>
      ["differs", "failed"].includes(check.outcome),
    );
    const unsupported = report.checks.filter((/** @type {any} */ check) => check.outcome === "unsupported");
    byId("self-test-list").replaceChildren(
      ...[...wrong, ...unsupported].map((check) => {
        const item = make("li");
        item.append(make("strong", check.name), ` (${check.outcome}): ${check.detail}`);
        return item;
      }),
    );
    const ran = report.checks.length - unsupported.length;
    byId("self-test-status").className = report.passed ? "good" : "bad";
    return report.passed
      ? `Passed: ${ran} checks, ${grouped(report.elements)} elements, every bit equal to the CPU’s.`
      : `Failed: ${wrong.length} of ${report.checks.length} checks differ. Please send the report below.`;
  }

  /** @param {(list: import("./golden.js").GoldenList) => boolean} chosen */
  async golden(chosen) {
    const { seedbed, gpu, recorder, results } = this;
    setText("golden-status", "The page fills buffers and hashes them …");
    progress("golden", 0, 1);
    const golden = await loadGolden();
    if (golden.contract !== seedbed.CONTRACT_VERSION) {
      const versions = `version ${golden.contract}, the package has version ${seedbed.CONTRACT_VERSION}`;
      throw new Error(`The hashes are those of contract ${versions}.`);
    }
    const lists = golden.lists.filter(chosen);
    /** @type {import("./golden.js").GoldenResult[]} */
    const fresh = [];
    for (const [index, list] of lists.entries()) {
      fresh.push(gpu ? await checkOnGpu(seedbed, gpu, recorder, list) : await checkOnCpu(seedbed, list));
      progress("golden", index + 1, lists.length);
      await breathe();
    }
    const names = new Set(fresh.map(({ name }) => name));
    const kept = (results.golden?.results ?? []).filter(({ name }) => !names.has(name));
    results.golden = { engine: gpu ? "GPU" : "CPU", results: [...kept, ...fresh] };
    byId("golden-results").replaceChildren(
      ...goldenTables(golden.lists, results.golden.results, seedbed.initialisers()),
    );
    byId("golden-results").tabIndex = 0;
    const count = (/** @type {string} */ outcome) =>
      fresh.filter((result) => result.outcome === outcome).length;
    const equal = count("equal") === 1 ? "The list has" : `All ${count("equal")} lists have`;
    byId("golden-status").className = count("differs") ? "bad" : "good";
    const skipped = count("skipped") ? ` ${count("skipped")} skipped: too large for the device.` : "";
    return count("differs")
      ? `${count("differs")} of ${fresh.length} lists differ. Please send the report below.${skipped}`
      : `${equal} the golden bytes.${skipped}`;
  }

  async speed() {
    const { gpu, recorder, results } = this;
    if (!gpu) throw new Error("The speed needs a GPU.");
    /** @type {import("./speed.js").Speed[]} */
    const measured = [];
    for (const one of CASES) {
      setText("speed-status", `The page measures ${grouped(one.elements)} elements of ${one.dtype} …`);
      measured.push(await measure(gpu, recorder, one));
      const rows = measured.map(({ elements, dtype, fill, clear }) => [
        `${grouped(elements)} ${dtype}`,
        duration(fill),
        rateText((elements / fill) * 1000),
        duration(clear),
      ]);
      byId("speed-results").replaceChildren(table(["elements", "fill", "elements/s", "clearBuffer"], rows));
      await breathe();
    }
    results.speed = measured;
    return `Measured by ${clockOf(gpu)}.`;
  }

  report() {
    byId("report").value = reportText(this.seedbed, this.gpu, this.results);
  }

  async copyReport() {
    const area = byId("report");
    try {
      await navigator.clipboard.writeText(area.value);
      setText("copy-status", "Copied.");
    } catch {
      // The browser refuses the clipboard. The visitor copies the selected text.
      area.focus();
      area.select();
      setText("copy-status", "Selected: press Ctrl+C or ⌘C.");
    }
  }
}

/**
 * @param {string} card
 * @param {number} done
 * @param {number} total
 */
function progress(card, done, total) {
  const bar = byId(`${card}-progress`);
  bar.classList.add("running");
  bar.max = total;
  bar.value = done;
}

/**
 * The results as tables: initialisers by types, then the other lists.
 * @param {import("./golden.js").GoldenList[]} lists
 * @param {import("./golden.js").GoldenResult[]} results
 * @param {import("./initialiser-list.js").Signature[]} signatures
 */
function goldenTables(lists, results, signatures) {
  const outcomes = new Map(results.map((result) => [result.name, result]));
  const listOf = new Map(lists.map((list) => [list.name, list]));
  const rows = signatures
    .map(({ signature }) => nameOf(signature))
    .map((init) => [
      init,
      ...DTYPES.map((dtype) => {
        const name = `${init} ${dtype}`;
        listOf.delete(name);
        return mark(outcomes.get(name));
      }),
    ]);
  const others = [...listOf.values()].map(({ name, what }) => [`${name}: ${what}`, mark(outcomes.get(name))]);
  return [table(["initialiser", ...DTYPES], rows), table(["other list", ""], others)];
}

/** @param {import("./golden.js").GoldenResult | undefined} result */
function mark(result) {
  if (!result) return "–";
  const className = { equal: "good", differs: "bad", skipped: "quiet" }[result.outcome];
  const element = make("span", result.outcome, className);
  if (result.detail) element.title = result.detail;
  return element;
}
