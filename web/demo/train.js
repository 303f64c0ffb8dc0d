// @ts-check
// The section "Train": the fields, the loop, the numbers.

import { lost } from "./device.js";
import { byId, setText, textOf } from "./dom.js";
import { grouped, significant } from "./format.js";
import { listInitialisers, selectInitialiser, textFor } from "./initialiser-list.js";
import { showError } from "./look.js";
import { LossPlot } from "./loss-plot.js";
import { Nets } from "./nets.js";
import { PARAMETERS } from "./net.wgsl.js";
import { parseSeed } from "./state.js";

/** Training ends here. */
const LAST_STEP = 4000;
/** A frame's work, in milliseconds. */
const FRAME_MS = 14;
/** More steps in a frame would be too fast to watch. */
const MAX_STEPS = 8;

export class Train {
  /**
   * @param {any} seedbed the library
   * @param {import("./device.js").Gpu | undefined} gpu
   */
  constructor(seedbed, gpu) {
    this.seedbed = seedbed;
    this.gpu = gpu;
    this.running = false;
    this.step = 0;
    /** A frame has this many steps; the number follows the time that a frame takes. */
    this.stepsPerFrame = 1;
    /** The last reset, and the last loop of training: the next one waits for both. */
    this.ready = Promise.resolve();
    this.loop = Promise.resolve();
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.plot = new LossPlot();
    if (!gpu) {
      byId("train-missing").hidden = false;
      byId("train-form").hidden = true;
      document.querySelector(".nets")?.setAttribute("hidden", "");
      return;
    }
    this.nets = new Nets(gpu, new seedbed.FillRecorder(gpu.device), [byId("net-0"), byId("net-1")]);
    listInitialisers(byId("train-choose"), seedbed.initialisers(), (signature) => {
      byId("train-init").value = textFor(signature);
      this.reset();
    });
    for (const id of ["train-init", "train-seed"]) byId(id).addEventListener("input", () => this.reset());
    byId("optimiser").addEventListener("change", () => this.reset());
    byId("train-reset").addEventListener("click", () => this.reset());
    byId("train-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.toggle();
    });
    new ResizeObserver(() => this.redraw()).observe(byId("net-0"));
    this.reset();
  }

  /** Sets the networks to their start, if the fields are right. */
  reset() {
    this.pause();
    selectInitialiser(byId("train-choose"), byId("train-init").value);
    const [ready, loop] = [this.ready, this.loop];
    this.ready = ready.then(() => loop).then(() => this.resetNow());
  }

  async resetNow() {
    const init = byId("train-init").value;
    try {
      for (const { shape } of PARAMETERS.filter(({ shape }) => shape.length > 1)) {
        this.seedbed.check(init, "f32", shape);
      }
      const seed = parseSeed(byId("train-seed").value);
      await this.nets?.reset(init, seed);
    } catch (error) {
      byId("train-start").disabled = true;
      if (!(await this.isLost())) showError("train", textOf(error));
      return;
    }
    showError("train", "");
    byId("train-start").disabled = false;
    this.step = 0;
    this.plot.clear();
    setText("net-1-name", init);
    setText("net-0-status", "");
    setText("net-1-status", "");
    setText("train-status", "Both networks are at their start.");
  }

  toggle() {
    if (this.running) this.pause();
    else this.start();
  }

  pause() {
    this.running = false;
    setText("train-start", "Start");
  }

  async start() {
    this.running = true;
    setText("train-start", "Pause");
    await this.ready;
    if (this.step >= LAST_STEP) await this.resetNow();
    await this.loop;
    if (!this.running) return;
    this.loop = this.run()
      .catch(async (error) => {
        setText("train-status", (await this.isLost()) ? "" : textOf(error));
      })
      .then(() => this.pause());
  }

  async run() {
    const { nets } = this;
    if (!nets) return;
    const optimiser = byId("optimiser").value;
    let [spoken, drawn, drawMs] = [0, 0, 0];
    let rate = 0;
    let before = performance.now();
    while (this.running && this.step < LAST_STEP) {
      await new Promise(requestAnimationFrame);
      if (!this.running) break;
      const begin = performance.now();
      // A slow GPU draws in a quarter of the time. Whoever wants less motion gets a picture twice a second.
      const pause = this.calm.matches ? 500 : drawMs > 2 * FRAME_MS ? 3 * drawMs : 0;
      const draw = begin - drawn >= pause;
      const steps = Math.min(this.stepsPerFrame, LAST_STEP - this.step);
      const statuses = await nets.train(optimiser, steps, draw);
      if (!this.running) break;
      const end = performance.now();
      this.step = statuses[0].steps;
      this.plot.add(this.step, statuses[0].loss, statuses[1].loss);
      statuses.forEach(({ loss, right }, net) => {
        setText(`net-${net}-status`, `loss ${loss.toFixed(3)}, ${Math.round(100 * right)} % right`);
      });
      if (draw) [drawn, drawMs] = [end, end - begin];
      if (!draw || pause === 0) this.adapt(end - begin);
      const now = (steps / (end - before)) * 1000;
      rate = rate ? 0.9 * rate + 0.1 * now : now;
      before = end;
      // A screen reader reads the line; four times a second would be too often.
      if (end - spoken > 1000) {
        spoken = end;
        setText("train-status", this.progress(rate));
      }
    }
    setText("train-status", `${this.progress(rate)} ${this.verdict()}`);
  }

  /** Chooses the next frame's steps by the time that a frame took. @param {number} milliseconds */
  adapt(milliseconds) {
    const scale = Math.min(2, Math.max(0.5, FRAME_MS / milliseconds));
    this.stepsPerFrame = Math.min(MAX_STEPS, Math.max(1, Math.floor(this.stepsPerFrame * scale)));
  }

  /** How far the training is. @param {number} rate steps in a second */
  progress(rate) {
    return `Step ${grouped(this.step)} of ${grouped(LAST_STEP)}, ${significant(rate, 2)} steps/s.`;
  }

  /** What the losses say. */
  verdict() {
    const last = this.plot.points.at(-1);
    if (!last) return "";
    const [, zeros, chosen] = last;
    return `The loss of zeros is ${zeros.toFixed(4)} (ln 2 is 0.6931), the other loss is ${chosen.toFixed(4)}.`;
  }

  redraw() {
    this.nets?.redraw().catch(async (error) => {
      if (!(await this.isLost())) throw error;
    });
  }

  async isLost() {
    return this.gpu !== undefined && (await lost(this.gpu));
  }
}
