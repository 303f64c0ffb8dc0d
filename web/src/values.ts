// Checks of a caller's arguments, for callers without TypeScript. A mistake throws an Error that names the
// value.

/** A short text of any value, for an error. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value);
  // The digits of a BigInt of one megabyte take seconds to compute.
  if (typeof value === "bigint") return BigInt.asIntN(128, value) === value ? `${value}n` : "a BigInt of many digits";
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) {
    try {
      return Array.isArray(value) ? "an array" : `an object (${value.constructor?.name ?? "without a class"})`;
    } catch {
      return "an object";
    }
  }
  return String(value);
}

/** A count as a BigInt: a whole number from 0 on, and below 2^63. */
export function count(value: unknown, what: string): bigint {
  if (typeof value === "bigint" && value >= 0n && value < 1n << 63n) return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new Error(
    `${what} is ${shown(value)}; it must be a whole number from 0 on: a number below 2^53, or a BigInt below 2^63`,
  );
}

/** A list of counts. */
export function counts(value: unknown, what: string): bigint[] {
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && "length" in value)) {
    throw new Error(`${what} is ${shown(value)}; it must be an array of numbers`);
  }
  const list = value as ArrayLike<unknown>;
  const { length } = list;
  if (length > 64) throw new Error(`${what} has ${length} numbers; a tensor has at most 64 dimensions`);
  return Array.from({ length }, (_, i) => count(list[i], `number ${i} of ${what}`));
}

/** A BigInt of 64 bits. */
export function word(value: unknown, what: string): bigint {
  if (typeof value === "bigint" && value >= 0n && value < 1n << 64n) return value;
  const remedy = typeof value === "number" ? `; write ${Number.isInteger(value) ? value : 42}n` : "";
  throw new Error(`${what} is ${shown(value)}; it must be a BigInt from 0 to 2^64 - 1${remedy}`);
}

/** A text that is short enough to be a name or an initialiser. */
export function text(value: unknown, what: string, example: string): string {
  if (typeof value !== "string") {
    throw new Error(`${what} is ${shown(value)}; it must be a string such as ${shown(example)}`);
  }
  if (value.length > 1 << 16) throw new Error(`${what} has ${value.length} characters; the most are 65536`);
  return value;
}

/** A parameter's name. */
export function nameText(value: unknown): string {
  const name = text(value, "the name", "fc.weight");
  // Each half of a pair reaches the library as U+FFFD, so two names would be one.
  if (/\p{Surrogate}/u.test(name)) {
    throw new Error(`the name is ${shown(name)}, which is no Unicode text: it has one half of a surrogate pair`);
  }
  return name;
}

/** An object whose fields are all known. */
export function fields(value: unknown, what: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${what} is ${shown(value)}; it must be an object with ${known.join(", ")}`);
  }
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined) {
    throw new Error(`${what} has the unknown field ${shown(unknown)}; there are ${known.join(", ")}`);
  }
  return value as Record<string, unknown>;
}
