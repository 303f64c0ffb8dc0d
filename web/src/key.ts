import { count, nameText, shown, word } from "./values.js";
import { call } from "./wasm.js";

/**
 * The key of a stream of random words: one of 2^64 seeds, and the block of four words at which to begin.
 *
 * A key belongs to one tensor: two tensors with one key get correlated values. `named` gives each parameter
 * of a model a key of its own.
 */
export class Key {
  /** The seed, from 0 to 2^64 - 1. */
  readonly seed: bigint;
  /** The first block, from 0 to 2^64 - 1. */
  readonly offset: bigint;

  constructor(seed: bigint, offset: bigint = 0n) {
    this.seed = word(seed, "the seed");
    this.offset = word(offset, "the key's offset");
    Object.freeze(this);
  }

  /** The key that `data` derives from this key, as PyTorch's `fold_in`. */
  foldIn(data: bigint | number): Key {
    const by = typeof data === "number" ? count(data, "the data of foldIn") : word(data, "the data of foldIn");
    const { seed, offset } = keyOf(this, "the key");
    return derived(call((library) => library.fold_in(seed, offset, by)));
  }

  /** The keys `foldIn(0)` to `foldIn(n - 1)`, as PyTorch's `split`. */
  split(n: number): Key[] {
    const length = Number(count(n, "the number of keys"));
    if (length > 1 << 24) throw new Error(`the number of keys is ${length}; the most are 2^24: use foldIn`);
    return Array.from({ length }, (_, data) => this.foldIn(data));
  }

  /** The key of the parameter called `name`. */
  named(name: string): Key {
    const checked = nameText(name);
    const { seed, offset } = keyOf(this, "the key");
    return derived(call((library) => library.named(seed, offset, checked)));
  }

  /** A new key from the system's entropy. */
  static random(): Key {
    const crypto = globalThis.crypto;
    if (typeof crypto?.getRandomValues !== "function") {
      throw new Error("there is no globalThis.crypto to give entropy: use a newer node, or choose a seed");
    }
    return derived(crypto.getRandomValues(new BigUint64Array(2)));
  }

  /** The fields: `Key(seed 42, offset 0)`. */
  toString(): string {
    return `Key(seed ${this.seed}, offset ${this.offset})`;
  }
}

function derived(numbers: ArrayLike<bigint>): Key {
  return new Key(numbers[0]!, numbers[1]!);
}

/** A key from what a caller passed: a key, or a seed. */
export function keyOf(value: Key | bigint, what: string): Key {
  // An object of the class may not come from the constructor.
  if (value instanceof Key) return new Key(value.seed, value.offset);
  if (typeof value === "bigint") return new Key(word(value, what));
  const remedy = Number.isInteger(value) ? `: write ${value}n` : "";
  throw new Error(`${what} is ${shown(value)}; it must be a Key or a BigInt${remedy}`);
}
