import { type Key, keyOf } from "./key.js";
import { type TensorSpec, tensor } from "./tensor.js";
import { shown } from "./values.js";
import { call } from "./wasm.js";

/** A tensor to fill in memory. The elements follow each other without a gap. */
export type MemoryTensor = Pick<TensorSpec, "shape" | "dtype" | "init" | "name" | "key" | "region">;

const FIELDS = ["shape", "dtype", "init", "name", "key", "region"];

/** The classes of arrays that hold an element type. A Uint16Array has the bits of 16-bit elements. */
const ARRAYS = new Map([
  ["f32", ["Float32Array"]],
  ["f16", ["Uint16Array", "Float16Array"]],
  ["bf16", ["Uint16Array"]],
]);

/**
 * Fills memory on the CPU, with the bits that a `FillRecorder` writes on every GPU. The destination has
 * exactly as many elements as the tensor, or as its region.
 */
export function fill(
  destination: Float32Array<ArrayBufferLike> | Uint16Array<ArrayBufferLike>,
  spec: MemoryTensor,
  key: Key | bigint,
): void {
  const of = keyOf(key, "the key");
  const { name, key: own, dtype, init, numbers } = tensor(spec, FIELDS);
  const { seed, offset } = name === undefined ? (own ?? of) : of.named(name);
  const isView = ArrayBuffer.isView(destination);
  const kind = isView ? Object.prototype.toString.call(destination).slice(8, -1) : "";
  const kinds = ARRAYS.get(dtype);
  // The library names the dtypes that there are.
  if (kinds !== undefined && !kinds.includes(kind)) {
    throw new Error(`the destination is ${shown(destination)}; for ${dtype} it must be a ${kinds.join(" or a ")}`);
  }
  // A detached buffer has no bytes, and a new view of it throws.
  const bytes = isView && destination.byteLength > 0
    ? new Uint8Array(destination.buffer as ArrayBuffer, destination.byteOffset, destination.byteLength)
    : new Uint8Array();
  call((library) => library.fill(bytes, dtype, init, numbers, seed, offset));
}
