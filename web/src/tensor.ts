import { Key, keyOf } from "./key.js";
import { count, counts, fields, nameText, shown, text } from "./values.js";

/** An element type. */
export type DType = "f32" | "f16" | "bf16";

/** An initialiser in its textual form, such as `xavier_normal(gain=2)`. `initialisers()` lists all of them. */
export type Init = string;

/**
 * A part of a tensor: a shard of any dimensions, or a range of elements by row-major index. A part has the
 * values that the whole tensor has there.
 */
export type Region =
  | { start: readonly number[]; shape: readonly number[] }
  | { elements: readonly [number | bigint, number | bigint] };

/** A tensor to fill, without its buffer. */
export interface TensorSpec {
  /** The first element's byte in the buffer: a multiple of the element's size. 0 by default. */
  offset?: number;
  /** The shape of the whole tensor. */
  shape: readonly number[];
  /** The element type: "f32" by default. */
  dtype?: DType;
  /** The initialiser. */
  init: Init;
  /** The parameter's name. The fill's key is then `named(name)` of the model's key. */
  name?: string;
  /** The fill's own key, instead of a name. */
  key?: Key;
  /** The part of the tensor that the buffer holds: all of it by default. */
  region?: Region;
  /** The bytes from the beginning of one row to the next: rows without a gap by default. */
  rowPitch?: number;
}

/** A tensor to fill, in a buffer of the caller's, with the usage STORAGE. */
export interface Fill extends TensorSpec {
  buffer: GPUBuffer;
}

/** The fields of a `Fill`. */
export const FILL_FIELDS: readonly string[] = [
  "buffer", "offset", "shape", "dtype", "init", "name", "key", "region", "rowPitch",
] satisfies (keyof Fill)[];

/** A checked tensor, in the types that the library's module takes. */
export interface Tensor {
  name: string | undefined;
  key: Key | undefined;
  dtype: string;
  init: string;
  /** See `placement` in `web/wasm/src/tensor.rs`. */
  numbers: BigUint64Array;
}

/** `numbers` of a tensor whose rows have no pitch. */
const NO_PITCH = (1n << 64n) - 1n;

/** Checks the types of a tensor's fields. The library checks their values. */
export function tensor(value: unknown, known: readonly string[] = FILL_FIELDS): Tensor {
  const { offset = 0, shape, dtype = "f32", init, name, key, region, rowPitch } = fields(value, "the fill", known);
  const numbers = [count(offset, "the byte offset")];
  numbers.push(rowPitch === undefined ? NO_PITCH : count(rowPitch, "the row pitch"));
  const whole = counts(shape, "the shape");
  if (region === undefined) {
    numbers.push(0n, BigInt(whole.length), ...whole);
  } else if (typeof region === "object" && region !== null && "elements" in region) {
    const { elements } = fields(region, "the region", ["elements"]);
    const range = counts(elements, "the range of elements");
    if (range.length !== 2) {
      throw new Error(`the range of elements has ${range.length} numbers; it must have two: start and end`);
    }
    numbers.push(1n, BigInt(whole.length), ...whole, ...range);
  } else {
    if (typeof region !== "object" || region === null || !("start" in region || "shape" in region)) {
      throw new Error(`the region is ${shown(region)}; it must be { start, shape } or { elements: [start, end] }`);
    }
    const shard = fields(region, "the region", ["start", "shape"]);
    const start = counts(shard.start, "the region's start");
    const local = counts(shard.shape, "the region's shape");
    numbers.push(2n, BigInt(whole.length), ...whole, BigInt(start.length), ...start, ...local);
  }
  if (key !== undefined && !(key instanceof Key)) {
    const remedy = typeof key === "bigint" ? `: write new Key(${key}n)` : "";
    throw new Error(`the fill's key is ${shown(key)}; it must be a Key${remedy}`);
  }
  if (key !== undefined && name !== undefined) {
    throw new Error("the fill has a name and a key of its own; leave one of them out");
  }
  return {
    name: name === undefined ? undefined : nameText(name),
    key: key && keyOf(key, "the fill's key"),
    dtype: text(dtype, "the dtype", "f32"),
    init: text(init, "init", "xavier_normal()"),
    numbers: BigUint64Array.from(numbers),
  };
}
