// @ts-check
// What the visitor chose, and the URL's hash that holds the choice.

/** @typedef {"f32" | "f16" | "bf16"} DType */
/** @typedef {{ init: string, shape: number[], seed: bigint, dtype: DType }} Tensor */
/** @typedef {{ init: string, shape: string, seed: string, dtype: DType }} Choice The fields, as they were typed */

/** @type {Choice} */
export const START = { init: "xavier_normal()", shape: "256, 256", seed: "42", dtype: "f32" };

/** The bytes of an element. @param {DType} dtype */
export function bytesPerElement(dtype) {
  return dtype === "f32" ? 4 : 2;
}

/** @param {number[]} shape */
export function countOf(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * The choice that a hash holds; what the hash lacks is taken from `otherwise`.
 * @param {string} hash
 * @param {Choice} otherwise
 * @returns {Choice}
 */
export function fromHash(hash, otherwise) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const dtype = fields.get("type");
  return {
    init: fields.get("init") ?? otherwise.init,
    shape: fields.get("shape") ?? otherwise.shape,
    seed: fields.get("seed") ?? otherwise.seed,
    dtype: dtype === "f32" || dtype === "f16" || dtype === "bf16" ? dtype : otherwise.dtype,
  };
}

/** The hash of a choice. @param {Choice} choice */
export function toHash(choice) {
  const fields = new URLSearchParams({
    init: choice.init,
    shape: choice.shape.replace(/\s/g, ""),
    seed: choice.seed,
    type: choice.dtype,
  });
  // These characters are legal in a fragment, and the link is easier to read with them.
  return `#${fields}`.replace(/%28/g, "(").replace(/%29/g, ")").replace(/%2C/g, ",").replace(/%3A/g, ":");
}

/**
 * The lengths of a shape's text: "256, 256", "256x256" or "[256, 256]".
 * @param {string} text
 * @returns {number[]}
 */
export function parseShape(text) {
  const parts = text
    .replace(/[[\]()]/g, "")
    .split(/[\s,;x×]+/)
    .filter((part) => part !== "");
  if (parts.length === 0) throw new Error("The shape needs at least one length, as in 256, 256.");
  return parts.map((part) => {
    const length = Number(part);
    if (!/^\d+$/.test(part) || length < 1 || length > 0xffff_ffff) {
      throw new Error(`The shape’s length ${JSON.stringify(part)} is not a whole number of 1 to 4294967295.`);
    }
    return length;
  });
}

/**
 * The seed of a text: a whole number of 64 bits, decimal or 0x….
 * @param {string} text
 */
export function parseSeed(text) {
  const trimmed = text.trim();
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(trimmed)) throw new Error("The seed is a whole number, as in 42 or 0x2a.");
  const seed = BigInt(trimmed);
  if (seed >= 1n << 64n) throw new Error("The seed has 64 bits: 18446744073709551615 is the greatest.");
  return seed;
}
