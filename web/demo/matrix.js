// @ts-check
// A tensor as a matrix for the heat map.

import { countOf } from "./state.js";

/**
 * The rows and columns that a shape is drawn with. The first dimension is the rows, the others are the columns;
 * a vector is wrapped into a square.
 * @param {number[]} shape
 */
export function matrixOf(shape) {
  const elements = countOf(shape);
  if (shape.length < 2) {
    const columns = Math.ceil(Math.sqrt(elements));
    return { elements, columns, rows: Math.ceil(elements / columns) };
  }
  return { elements, rows: shape[0], columns: elements / shape[0] };
}
