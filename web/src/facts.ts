import type { DType, Init } from "./tensor.js";
import { counts, text } from "./values.js";
import { call } from "./wasm.js";

/**
 * The law of a tensor's elements. "other" is a pattern or a matrix whose elements depend on each other:
 * `eye`, `dirac`, `orthogonal`, `sparse`.
 */
export type Law =
  | { family: "constant"; value: number }
  | { family: "uniform"; low: number; high: number }
  | { family: "normal"; mean: number; std: number }
  /** Mean and standard deviation of the logarithm. */
  | { family: "log_normal"; mean: number; std: number }
  /** Mean and standard deviation before the normal is cut off at the values `a` and `b`, which may be infinite. */
  | { family: "trunc_normal"; mean: number; std: number; a: number; b: number }
  | { family: "other" };

export interface Description {
  /** The initialiser's canonical text. */
  init: Init;
  /** The mean of the elements. */
  mean: number;
  /** The standard deviation of the elements. */
  std: number;
  law: Law;
  /** PyTorch's warning, where it has one. */
  warning?: string;
}

export interface Signature {
  /** The name: `xavier_normal`, `jax::he_normal`. */
  name: string;
  /** The name with its arguments and their defaults. */
  signature: string;
  /** The initialiser with arguments other than the defaults. */
  example: string;
  /** A line about the elements. */
  what: string;
}

/** The names of a law's parameters. */
const PARAMETERS: Record<Law["family"], readonly string[]> = {
  constant: ["value"],
  uniform: ["low", "high"],
  normal: ["mean", "std"],
  log_normal: ["mean", "std"],
  trunc_normal: ["mean", "std", "a", "b"],
  other: [],
};

/** Throws an Error with the library's text unless a tensor of this shape and type can be filled. */
export function check(init: Init, dtype: DType, shape: readonly number[]): void {
  const of = text(init, "init", "xavier_normal()");
  const type = text(dtype, "the dtype", "f32");
  const sizes = BigUint64Array.from(counts(shape, "the shape"));
  call((library) => library.check(of, type, sizes));
}

/** The law and the moments of the elements that an initialiser gives to a tensor of this shape. */
export function describe(init: Init, shape: readonly number[]): Description {
  const of = text(init, "init", "xavier_normal()");
  const sizes = BigUint64Array.from(counts(shape, "the shape"));
  const [canonical, mean, std, warning, family, ...values] = call((library) => library.describe(of, sizes));
  const names = PARAMETERS[family as Law["family"]];
  const law = { family, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) } as Law;
  return { init: canonical, mean, std, law, ...(warning === undefined ? {} : { warning }) };
}

/** All initialisers: PyTorch's, then JAX's, then Keras's. */
export function initialisers(): Signature[] {
  const texts = call((library) => library.initialisers());
  return Array.from({ length: texts.length / 4 }, (_, row) => {
    const [name, signature, example, what] = texts.slice(4 * row, 4 * row + 4) as [string, string, string, string];
    return { name, signature, example, what };
  });
}
