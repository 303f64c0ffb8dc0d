// @ts-check
// Elements of 16 bits as numbers.

/**
 * The function that turns the bits of an element into the element's value.
 * @param {import("./state.js").DType} dtype
 * @returns {(bits: number) => number}
 */
export function decoder(dtype) {
  return dtype === "f16" ? f16 : bf16;
}

/** @param {number} bits */
function f16(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** @param {number} bits */
function bf16(bits) {
  word[0] = bits << 16;
  return float[0];
}
