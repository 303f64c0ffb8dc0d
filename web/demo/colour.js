// @ts-check
// The diverging colour map: blue below 0, orange above, and the ground's own colour at 0. Blue and orange stay
// apart for every common kind of colour blindness, and the lightness tells the distance from 0.

import { isDark } from "./theme.js";

/** @typedef {[number, number, number]} Colour sRGB, each 0 to 255 */

/** @type {Colour[]} */
const LIGHT = [
  [5, 48, 97],
  [33, 102, 172],
  [67, 147, 195],
  [158, 202, 225],
  [247, 247, 245],
  [253, 208, 150],
  [240, 150, 66],
  [191, 98, 14],
  [115, 51, 2],
];
/** @type {Colour[]} */
const DARK = [
  [178, 222, 255],
  [104, 178, 243],
  [52, 128, 200],
  [32, 76, 122],
  [22, 25, 29],
  [110, 62, 20],
  [186, 106, 32],
  [243, 158, 72],
  [255, 219, 170],
];

/** The colours of the present theme, from the least value to the greatest. */
export function stops() {
  return isDark() ? DARK : LIGHT;
}

/** The number of colours of a map. */
export const STOPS = LIGHT.length;

/**
 * The colour of a part from -1 to 1.
 * @param {number} part
 * @param {Colour[]} map
 * @returns {Colour}
 */
export function colourAt(part, map) {
  const at = ((Math.min(1, Math.max(-1, part)) + 1) / 2) * (map.length - 1);
  const index = Math.min(Math.floor(at), map.length - 2);
  const mix = at - index;
  const [from, to] = [map[index], map[index + 1]];
  const mixed = (/** @type {number} */ channel) => from[channel] + (to[channel] - from[channel]) * mix;
  return [mixed(0), mixed(1), mixed(2)];
}

/** The map as a CSS gradient. */
export function gradient() {
  return `linear-gradient(to right, ${stops()
    .map((colour) => `rgb(${colour.join(" ")})`)
    .join(", ")})`;
}

/**
 * A custom property of the style sheet as four numbers from 0 to 1.
 * @param {string} property
 * @returns {[number, number, number, number]}
 */
export function cssColour(property) {
  // The computed colour of an element resolves light-dark().
  const probe = document.createElement("i");
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const numbers = getComputedStyle(probe).color.match(/[\d.]+/g) ?? [];
  probe.remove();
  const [red = 0, green = 0, blue = 0] = numbers.map(Number);
  return [red / 255, green / 255, blue / 255, 1];
}
