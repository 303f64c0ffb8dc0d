// @ts-check
// The curves of both losses over the steps.

import { byId, setText } from "./dom.js";
import { grouped } from "./format.js";

/** The loss at the top of the plot. */
const TOP = 0.9;
/** The most points of a curve; beyond, every second point is dropped. */
const MAX_POINTS = 600;

export class LossPlot {
  /** @type {[number, number, number][]} step, loss of the first network, loss of the second */
  points = [];

  constructor() {
    const line = byId("loss").querySelector("line");
    const y = String(1 - Math.LN2 / TOP);
    line.setAttribute("y1", y);
    line.setAttribute("y2", y);
    byId("ln2").style.top = `${100 * (1 - Math.LN2 / TOP)}%`;
    this.clear();
  }

  clear() {
    this.points = [];
    this.draw();
  }

  /**
   * @param {number} step
   * @param {number} first
   * @param {number} second
   */
  add(step, first, second) {
    this.points.push([step, first, second]);
    if (this.points.length > MAX_POINTS) this.points = this.points.filter((_, index) => index % 2 === 0);
    this.draw();
  }

  draw() {
    const last = Math.max(100, this.points.at(-1)?.[0] ?? 0);
    setText("last-step", grouped(last));
    [1, 2].forEach((column) => {
      const path = this.points.map((point, index) => {
        const y = 1 - Math.min(1, Math.max(0, point[column] / TOP));
        return `${index ? "L" : "M"}${(point[0] / last).toFixed(4)} ${y.toFixed(4)}`;
      });
      byId("loss").querySelectorAll("path")[column - 1].setAttribute("d", path.join(""));
    });
  }
}
