// @ts-check
// The picture of a tensor that the CPU engine made: the same heat map, histogram and moments on a 2D canvas.

import { colourAt, cssColour, stops } from "./colour.js";
import { decoder } from "./decode.js";
import { fit } from "./gpu-picture.js";
import { BINS, HEADROOM } from "./law.js";
import { matrixOf } from "./matrix.js";
import { countOf } from "./state.js";

/** @typedef {import("./state.js").Tensor} Tensor */
/** @typedef {import("./law.js").View} View */

export class CpuPicture {
  /** The greatest tensor that the page draws, in elements: the page stands still while the CPU engine fills. */
  maxElements = 1 << 22;
  engine = "CPU";

  /**
   * @param {any} seedbed the library
   * @param {HTMLCanvasElement} heatMap
   * @param {HTMLCanvasElement} histogram
   */
  constructor(seedbed, heatMap, histogram) {
    this.seedbed = seedbed;
    this.heatMap = heatMap;
    this.histogram = histogram;
    /** @type {{ tensor: Tensor, view: View, values: Float32Array, counts: Uint32Array } | undefined} */
    this.shown = undefined;
  }

  /**
   * @param {Tensor} tensor
   * @param {View} view
   * @param {number} centre the law's mean
   */
  async show(tensor, view, centre) {
    const { shape, dtype, init, seed } = tensor;
    const elements = countOf(shape);
    const destination = dtype === "f32" ? new Float32Array(elements) : new Uint16Array(elements);
    const start = performance.now();
    this.seedbed.fill(destination, { shape, dtype, init }, seed);
    const milliseconds = performance.now() - start;

    const values =
      destination instanceof Float32Array ? destination : Float32Array.from(destination, decoder(dtype));
    const counts = new Uint32Array(BINS);
    const scale = BINS / (view.high - view.low);
    let [sum, squares, least, greatest] = [0, 0, Infinity, -Infinity];
    for (const x of values) {
      sum += x - centre;
      squares += (x - centre) ** 2;
      least = Math.min(least, x);
      greatest = Math.max(greatest, x);
      const bin = Math.floor((x - view.low) * scale);
      if (bin >= 0 && bin < BINS) counts[bin] += 1;
    }
    const shift = sum / elements;
    this.shown = { tensor, view, values, counts };
    await this.redraw();
    const std = Math.sqrt(Math.max(0, squares / elements - shift ** 2));
    return { milliseconds, moments: { mean: centre + shift, std, least, greatest } };
  }

  async redraw() {
    if (!this.shown) return;
    this.drawHeatMap(this.shown);
    this.drawHistogram(this.shown);
  }

  /** @param {NonNullable<CpuPicture["shown"]>} shown */
  drawHeatMap({ tensor, view, values }) {
    fit(this.heatMap);
    const { width, height } = this.heatMap;
    const context = /** @type {CanvasRenderingContext2D} */ (this.heatMap.getContext("2d"));
    const { elements, rows, columns } = matrixOf(tensor.shape);
    const image = context.createImageData(width, height);
    // A table of colours is faster than a colour for each pixel.
    const steps = 1024;
    const colours = Array.from({ length: steps + 1 }, (_, i) => colourAt((2 * i) / steps - 1, stops()));
    for (let y = 0, pixel = 0; y < height; y += 1) {
      const row = Math.floor(((y + 0.5) / height) * rows);
      for (let x = 0; x < width; x += 1, pixel += 4) {
        const index = row * columns + Math.floor(((x + 0.5) / width) * columns);
        if (index >= elements) continue;
        const part = Math.min(1, Math.max(-1, values[index] / view.colourReach));
        const colour = colours[Math.round(((part + 1) / 2) * steps)] ?? colours[steps / 2];
        image.data[pixel] = colour[0];
        image.data[pixel + 1] = colour[1];
        image.data[pixel + 2] = colour[2];
        image.data[pixel + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  /** @param {NonNullable<CpuPicture["shown"]>} shown */
  drawHistogram({ view, values, counts }) {
    fit(this.histogram);
    const { width, height } = this.histogram;
    const context = /** @type {CanvasRenderingContext2D} */ (this.histogram.getContext("2d"));
    const full = view.full * values.length || Math.max(...counts) / HEADROOM;
    context.clearRect(0, 0, width, height);
    context.fillStyle = `rgb(${cssColour("--bars")
      .slice(0, 3)
      .map((part) => part * 255)
      .join(" ")})`;
    counts.forEach((count, bin) => {
      const bar = Math.min(1, count / full) * height || 0;
      const [left, right] = [bin, bin + 1].map((edge) => Math.round((edge / BINS) * width));
      context.fillRect(left, height - bar, right - left, bar);
    });
  }
}
