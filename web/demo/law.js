// @ts-check
// The law of an initialiser's elements: its density, and the range of values that a plot shows.

import { matrixOf } from "./matrix.js";

/** @typedef {{ family: string, [parameter: string]: any }} Law */
/** @typedef {{ init: string, mean: number, std: number, law: Law, warning?: string }} Description */
/**
 * @typedef {object} View
 * @property {number} low the histogram's least value
 * @property {number} high the histogram's greatest value
 * @property {number} colourReach the value of the strongest colour; the colours are symmetric about 0
 * @property {number} full the part of the elements that a bin as high as the plot has; 0: the fullest bin's part
 * @property {((x: number) => number) | null} density
 */

/** The number of the histogram's bins. */
export const BINS = 80;
/** The part of the plot's height that the density's maximum takes; noise stands above the density. */
export const HEADROOM = 0.8;

/**
 * The view of a tensor's elements.
 * @param {Description} description
 * @param {number[]} shape
 * @returns {View}
 */
export function viewOf({ init, mean, std, law }, shape) {
  const colourReach = Math.abs(mean) + 3 * std;
  if (law.family === "constant" || !(std > 0)) {
    // One value, which may be infinite or NaN: such a value has no place in a histogram.
    const value = Number.isFinite(mean) ? mean : 0;
    const reach = Math.abs(value) || 1;
    return { low: value - reach, high: value + reach, colourReach: reach, full: 1 / HEADROOM, density: null };
  }
  const around = (/** @type {number} */ reach) => ({ low: mean - reach, high: mean + reach, colourReach });
  switch (law.family) {
    case "uniform": {
      const { low, high } = law;
      const margin = 0.15 * (high - low);
      const density = (/** @type {number} */ x) => (x >= low && x < high ? 1 / (high - low) : 0);
      const colourReach = Math.max(-low, high);
      return withFull({ low: low - margin, high: high + margin, colourReach, full: 0, density });
    }
    case "normal":
      return withFull({ ...around(4 * law.std), full: 0, density: normal(law.mean, law.std) });
    case "log_normal": {
      const high = Math.exp(law.mean + 1.6 * law.std);
      const density = (/** @type {number} */ x) => (x > 0 ? normal(law.mean, law.std)(Math.log(x)) / x : 0);
      return withFull({ low: 0, high, colourReach: high, full: 0, density });
    }
    case "trunc_normal": {
      const [a, b] = [Math.max(law.a, mean - 6 * std), Math.min(law.b, mean + 6 * std)];
      const density = truncated(law.mean, law.std, a, b);
      const margin = 0.12 * (b - a);
      return withFull({ low: a - margin, high: b + margin, colourReach, full: 0, density });
    }
    default:
      if (init.startsWith("orthogonal(")) {
        return withFull({ ...around(4 * std), full: 0, density: coordinate(std, matrixOf(shape)) });
      }
      // eye and dirac have the values 0 and 1. sparse has many zeros, so that its other elements lie far from 0.
      if (/^(eye|dirac)\(/.test(init))
        return { low: -0.3, high: 1.3, colourReach: 1, full: 0, density: null };
      return { ...around(10 * std), full: 0, density: null };
  }
}

/**
 * The density of a normal distribution.
 * @param {number} mean
 * @param {number} std
 */
function normal(mean, std) {
  return (/** @type {number} */ x) =>
    Math.exp(-0.5 * ((x - mean) / std) ** 2) / (std * Math.sqrt(2 * Math.PI));
}

/**
 * The density of a normal distribution that is cut off at a and b.
 * @param {number} mean
 * @param {number} std
 * @param {number} a
 * @param {number} b
 */
function truncated(mean, std, a, b) {
  // The exponent is 0 where the density is greatest: far in the tail it would underflow otherwise.
  const top = ((Math.min(b, Math.max(a, mean)) - mean) / std) ** 2;
  const up = (/** @type {number} */ x) => Math.exp(0.5 * (top - ((x - mean) / std) ** 2));
  const scale = 1 / integral(up, a, b);
  return (/** @type {number} */ x) => (x >= a && x <= b ? scale * up(x) : 0);
}

/**
 * The density of an element of an orthogonal matrix: of a coordinate of a random point on a sphere. The sphere has
 * as many dimensions as the longer side of the matrix has elements.
 * @param {number} std
 * @param {{ rows: number, columns: number }} matrix
 */
function coordinate(std, { rows, columns }) {
  const dimensions = Math.max(rows, columns);
  if (dimensions < 4) return null;
  const radius = std * Math.sqrt(dimensions);
  const up = (/** @type {number} */ x) => Math.max(0, 1 - (x / radius) ** 2) ** ((dimensions - 3) / 2);
  const scale = 1 / integral(up, -radius, radius);
  return (/** @type {number} */ x) => scale * up(x);
}

/**
 * The integral by the midpoint rule.
 * @param {(x: number) => number} f
 * @param {number} low
 * @param {number} high
 */
function integral(f, low, high) {
  const step = (high - low) / 2000;
  let sum = 0;
  for (let i = 0; i < 2000; i += 1) sum += f(low + (i + 0.5) * step);
  return sum * step;
}

/** The view with the height at which the density's maximum takes most of the plot. @param {View} view */
function withFull(view) {
  if (!view.density) return view;
  const points = curve({ ...view, full: 1 }).filter(Number.isFinite);
  return { ...view, full: Math.max(...points) / HEADROOM };
}

/**
 * The density at evenly spaced values, in parts of the plot's height. Empty without a density.
 * @param {View} view
 */
export function curve({ low, high, full, density }) {
  if (!density) return [];
  const points = 480;
  const bin = (high - low) / BINS;
  return Array.from(
    { length: points + 1 },
    (_, i) => (density(low + (i / points) * (high - low)) * bin) / full,
  );
}
