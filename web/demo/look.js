// @ts-check
// The section "Look": the fields, and the picture of the tensor that the fields name.

import { gradient } from "./colour.js";
import { byId, setText, textOf } from "./dom.js";
import { duration, grouped, significant } from "./format.js";
import { listInitialisers, nameOf, selectInitialiser, textFor } from "./initialiser-list.js";
import { latest } from "./latest.js";
import { curve, viewOf } from "./law.js";
import { matrixOf } from "./matrix.js";
import { START, countOf, fromHash, parseSeed, parseShape, toHash } from "./state.js";

/** @typedef {import("./state.js").Tensor} Tensor */
/** @typedef {import("./law.js").View} View */

/** The time of orthogonal grows as the cube of the shorter side. */
const MAX_ORTHOGONAL = 1024;

export class Look {
  /**
   * @param {any} seedbed the library
   * @param {import("./gpu-picture.js").GpuPicture | import("./cpu-picture.js").CpuPicture} picture
   * @param {() => Promise<boolean>} isLost tells whether the picture's device is lost
   */
  constructor(seedbed, picture, isLost) {
    this.isLost = isLost;
    this.seedbed = seedbed;
    this.picture = picture;
    this.signatures = seedbed.initialisers();
    /** @type {View | undefined} */
    this.view = undefined;
    this.draw = latest((/** @type {Tensor} */ tensor) => this.drawNow(tensor));

    listInitialisers(byId("choose"), this.signatures, (signature) => {
      byId("init").value = textFor(signature);
      this.suitShape();
      this.update();
    });
    for (const id of ["init", "shape", "seed"]) byId(id).addEventListener("input", () => this.update());
    byId("look-form").addEventListener("change", () => this.update());
    byId("look-form").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
    byId("next-seed").addEventListener("click", () => this.nextSeed());
    addEventListener("hashchange", () => this.followHash());
    new ResizeObserver(() => this.redraw()).observe(byId("heat-map"));
    this.followHash();
  }

  /** The fields as they are. @returns {import("./state.js").Choice} */
  get choice() {
    const dtype = document.querySelector('input[name="dtype"]:checked');
    return {
      init: byId("init").value,
      shape: byId("shape").value,
      seed: byId("seed").value,
      dtype: /** @type {any} */ (dtype).value,
    };
  }

  /** Takes the choice from the URL. */
  followHash() {
    const { init, shape, seed, dtype } = fromHash(location.hash, START);
    byId("init").value = init;
    byId("shape").value = shape.replace(/,\s*/g, ", ");
    byId("seed").value = seed;
    /** @type {any} */ (document.querySelector(`input[name="dtype"][value="${dtype}"]`)).checked = true;
    this.update();
  }

  nextSeed() {
    try {
      byId("seed").value = String((parseSeed(byId("seed").value) + 1n) % (1n << 64n));
    } catch {
      byId("seed").value = START.seed;
    }
    this.update();
  }

  /** A chosen initialiser may need another number of dimensions: the first shape that suits it is taken. */
  suitShape() {
    const { init, shape, dtype } = this.choice;
    for (const text of [shape, START.shape, "64, 64, 3"]) {
      try {
        this.seedbed.check(init, dtype, parseShape(text));
        byId("shape").value = text;
        return;
      } catch {
        // The next shape may suit.
      }
    }
  }

  /** Reads the fields. Draws what the fields name, or says what is wrong with the fields. */
  update() {
    const { choice } = this;
    selectInitialiser(byId("choose"), choice.init);
    const signature = this.signatures.find(
      (/** @type {any} */ one) => nameOf(one.signature) === nameOf(choice.init),
    );
    setText("init-help", signature ? `${signature.signature}: ${signature.what}` : "");
    const shape = field("shape", () => this.parseShape(choice.shape, choice.init));
    const seed = field("seed", () => parseSeed(choice.seed));
    const init = field("init", () => {
      // Without a shape the text alone is checked, on a shape that suits most initialisers.
      this.seedbed.check(choice.init, choice.dtype, shape ?? [4, 4]);
      return choice.init;
    });
    byId("look-form").classList.toggle("failing", init === undefined);
    if (shape === undefined || seed === undefined || init === undefined) return;
    history.replaceState(null, "", toHash(choice));
    this.draw({ init, shape, seed, dtype: choice.dtype });
  }

  /**
   * @param {string} text
   * @param {string} init
   */
  parseShape(text, init) {
    const shape = parseShape(text);
    const { engine, maxElements } = this.picture;
    if (countOf(shape) > maxElements) {
      const limit = grouped(maxElements);
      throw new Error(`The page draws at most ${limit} elements from the ${engine}; this shape has more.`);
    }
    const { rows, columns } = matrixOf(shape);
    if (nameOf(init) === "orthogonal" && Math.min(rows, columns) > MAX_ORTHOGONAL) {
      const limit = grouped(MAX_ORTHOGONAL);
      throw new Error(
        `The page draws orthogonal matrices with at most ${limit} rows or columns; larger ones take long.`,
      );
    }
    return shape;
  }

  /** @param {Tensor} tensor */
  async drawNow(tensor) {
    const { picture, seedbed } = this;
    setText("look-status", `The ${picture.engine} fills the tensor …`);
    try {
      const description = seedbed.describe(tensor.init, tensor.shape);
      const view = viewOf(description, tensor.shape);
      const { milliseconds, moments } = await picture.show(tensor, view, description.mean);
      this.view = view;
      this.showView(tensor, description);
      setText("mean", significant(moments.mean));
      setText("std", significant(moments.std));
      setText("least", significant(moments.least));
      setText("greatest", significant(moments.greatest));
      const elements = grouped(countOf(tensor.shape));
      const measured = picture.engine === "GPU" ? ", from submit to done" : "";
      setText(
        "look-status",
        `The ${picture.engine} filled ${elements} elements in ${duration(milliseconds)}${measured}.`,
      );
    } catch (error) {
      setText("look-status", "");
      // The message of a lost device stands at the top of the page; the initialiser is not to blame.
      if (!(await this.isLost())) showError("init", textOf(error));
    }
  }

  /**
   * The numbers and the curve around the picture.
   * @param {Tensor} tensor
   * @param {import("./law.js").Description} description
   */
  showView(tensor, description) {
    const { view } = this;
    if (!view) return;
    const { rows, columns } = matrixOf(tensor.shape);
    setText("law-mean", significant(description.mean));
    setText("law-std", significant(description.std));
    setText("init-warning", description.warning ?? "");
    setText("legend-low", significant(-view.colourReach, 3));
    setText("legend-high", significant(view.colourReach, 3));
    const wrapped = tensor.shape.length < 2 ? ", a vector wrapped into rows" : "";
    setText(
      "heat-caption",
      `${grouped(rows)} rows × ${grouped(columns)} columns${wrapped}, type ${tensor.dtype}`,
    );
    setText(
      "histogram-caption",
      view.density
        ? "Histogram of the elements; the line is the density of the law."
        : "Histogram of the elements. The page draws no density for this law.",
    );
    byId("heat-map").setAttribute(
      "aria-label",
      `Heat map of ${description.init}, ${rows} rows and ${columns} columns`,
    );
    byId("histogram").setAttribute(
      "aria-label",
      `Histogram of ${description.init}, around ${significant(description.mean)}`,
    );

    const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
      const tick = document.createElement("span");
      tick.style.left = `${100 * part}%`;
      tick.textContent = significant(view.low + part * (view.high - view.low), 3);
      return tick;
    });
    byId("ticks").replaceChildren(...ticks);
    const points = curve(view);
    const path = points.map((height, i) => {
      const y = 1 - Math.min(height, 1.02);
      return `${i ? "L" : "M"}${(i / (points.length - 1)).toFixed(4)} ${y.toFixed(4)}`;
    });
    byId("curve").firstElementChild.setAttribute("d", path.join(""));
    setText("call", callOf(tensor, this.picture.engine));
    this.colourLegend();
  }

  colourLegend() {
    byId("legend-bar").style.background = gradient();
  }

  /** Draws again: the theme or the size changed. */
  redraw() {
    this.colourLegend();
    this.picture.redraw().catch(async (/** @type {unknown} */ error) => {
      if (!(await this.isLost())) throw error;
    });
  }
}

/** The call that made a tensor, as a reader would write it. @param {Tensor} tensor @param {string} engine */
function callOf({ init, shape, dtype, seed }, engine) {
  const tensor = `shape: [${shape.join(", ")}], dtype: ${JSON.stringify(dtype)}, init: ${JSON.stringify(init)}`;
  if (engine === "GPU") return `recorder.fill(encoder, { buffer, ${tensor} }, ${seed}n);`;
  const array = dtype === "f32" ? "Float32Array" : "Uint16Array";
  return `seedbed.fill(new ${array}(${countOf(shape)}), { ${tensor} }, ${seed}n);`;
}

/**
 * The value of a field. `undefined` if the field is wrong; the message then stands below the field.
 * @param {string} id
 * @param {() => T} read
 * @returns {T | undefined}
 * @template T
 */
function field(id, read) {
  try {
    const value = read();
    showError(id, "");
    return value;
  } catch (error) {
    showError(id, textOf(error));
    return undefined;
  }
}

/**
 * @param {string} id
 * @param {string} message
 */
export function showError(id, message) {
  byId(id).setAttribute("aria-invalid", String(message !== ""));
  setText(`${id}-error`, message);
}
