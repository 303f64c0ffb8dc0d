import { Executor, type Program } from "./executor.js";
import { type Key, keyOf } from "./key.js";
import { handedOver, withPlanner } from "./planner.js";
import { type Fill, type Tensor, type TensorSpec, tensor } from "./tensor.js";
import { shown } from "./values.js";
import { call } from "./wasm.js";
import type { Planner } from "./wasm/seedbed_web.js";

// WebGPU fixes the values of usages. Outside of a browser GPUBufferUsage may be undefined.
const COPY_DST = 0x08;
const STORAGE = 0x80;
const USAGES: [number, string][] = [
  [0x01, "MAP_READ"], [0x02, "MAP_WRITE"], [0x04, "COPY_SRC"], [COPY_DST, "COPY_DST"], [0x10, "INDEX"],
  [0x20, "VERTEX"], [0x40, "UNIFORM"], [STORAGE, "STORAGE"], [0x100, "INDIRECT"], [0x200, "QUERY_RESOLVE"],
];

/** A fill that is ready for the planner. */
interface Request {
  tensor: Tensor;
  key: Key;
  buffer: number;
  size: bigint;
  canClear: boolean;
}

/** The size that the planner takes for a buffer of unknown size. */
const ANY_SIZE = 1n << 62n;

/**
 * Records fills into a caller's command encoder, on the caller's device.
 *
 * A recorder never submits, and touches no queue. A mistake throws an Error before anything is recorded. All
 * recorders of a device share their pipelines.
 */
export class FillRecorder {
  readonly #executor: Executor;

  /** A recorder for this device. `load()` comes first. */
  constructor(device: GPUDevice) {
    call(() => undefined);
    this.#executor = new Executor(device);
  }

  /** The device. */
  get device(): GPUDevice {
    return this.#executor.device;
  }

  /**
   * Compiles the kernels of these fills in the background. Without this call the first recording compiles the
   * kernels, and the page does not respond meanwhile. The promise rejects with an Error for a mistake in a
   * fill.
   *
   * The fills may have buffers. For fills without buffers the call compiles the kernels for one buffer each,
   * and the kernels for one buffer of all.
   */
  async prepare(fills: readonly (TensorSpec | Fill)[]): Promise<void> {
    this.#executor.checkDevice();
    const list = requireList(fills);
    // Compiled kernels depend on no key.
    const tensors = list.map((fill, number) => named(fill, number, () => tensor(fill)));
    const any = keyOf(0n, "");
    const numbers = new Map<unknown, number>();
    const apart = list.map((fill, number): Request => {
      const buffer = fill.buffer === undefined ? undefined : named(fill, number, () => bufferOf(fill.buffer));
      const of = buffer ?? number;
      if (!numbers.has(of)) numbers.set(of, numbers.size);
      return {
        tensor: { ...tensors[number]!, name: nameOf(fill) ?? `fill ${number}` },
        key: any.foldIn(number),
        buffer: numbers.get(of)!,
        size: buffer === undefined ? ANY_SIZE : BigInt(buffer.size),
        canClear: buffer !== undefined && (buffer.usage & COPY_DST) !== 0,
      };
    });
    const programs = [this.#plan(apart)];
    if (list.length > 1 && list.every((fill) => fill.buffer === undefined)) {
      programs.push(this.#planPacked(apart));
    }
    await Promise.all(programs.map((program) => this.#executor.prepare(program)));
  }

  /**
   * Records one fill. A fill with a name has the key `key.named(name)`. A fill without a name has its own
   * key, or else `key` itself.
   */
  fill(encoder: GPUCommandEncoder, fill: Fill, key: Key | bigint): void {
    const of = keyOf(key, "the key");
    const { program, buffers } = this.#planned([fill], (tensor) => tensor.key ?? of, of);
    this.#executor.replay(encoder, program, buffers);
  }

  /**
   * Records a list of fills, with the effect of one `fill` after the other. Each fill has a name, and thereby
   * the key `key.named(name)`, or a key of its own.
   */
  fillAll(encoder: GPUCommandEncoder, fills: readonly Fill[], key: Key | bigint): void {
    const { program, buffers } = this.#planned(requireList(fills), ownKey, keyOf(key, "the key"));
    this.#executor.replay(encoder, program, buffers);
  }

  /**
   * Plans fills without recording them. The program is plain data, which `JSON.stringify` can store, for this
   * device and for devices with limits as good. `buffers` are the program's destinations.
   */
  plan(fills: readonly Fill[], key: Key | bigint): { program: Program; buffers: GPUBuffer[] } {
    const { program, buffers } = this.#planned(requireList(fills), ownKey, keyOf(key, "the key"));
    for (const buffer of program.buffers) {
      if (buffer.contents !== "zeros") buffer.contents = { words: Array.from(buffer.contents.words) };
    }
    return { program, buffers };
  }

  /** Records a program that `plan`, or the Rust library, made. */
  replay(encoder: GPUCommandEncoder, program: Program, buffers: readonly GPUBuffer[]): void {
    this.#executor.replay(encoder, program, buffers);
  }

  #planned(fills: readonly Fill[], unnamed: (tensor: Tensor) => Key, model: Key) {
    this.#executor.checkDevice();
    const isAlone = unnamed !== ownKey;
    const buffers: GPUBuffer[] = [];
    const numbers = new Map<GPUBuffer, number>();
    const requests = fills.map((fill, number): Request => {
      const check = () => {
        const checked = tensor(fill);
        const buffer = bufferOf(fill.buffer);
        const key = checked.name === undefined ? unnamed(checked) : model.named(checked.name);
        if (!numbers.has(buffer)) {
          numbers.set(buffer, buffers.length);
          buffers.push(buffer);
        }
        return {
          tensor: checked,
          key,
          buffer: numbers.get(buffer)!,
          size: BigInt(buffer.size),
          canClear: (buffer.usage & COPY_DST) !== 0,
        };
      };
      return isAlone && nameOf(fill) === undefined ? check() : named(fill, number, check);
    });
    try {
      return { program: this.#plan(requests), buffers };
    } catch (error) {
      if (isAlone && error instanceof Error) error.message = error.message.replace(/^fill 0: /, "");
      throw error;
    }
  }

  /** Plans the fills in one buffer, one behind the other. */
  #planPacked(requests: Request[]): Program {
    let end = 0n;
    const packed = requests.map((request): Request => {
      const numbers = request.tensor.numbers.slice();
      numbers[0]! += (end + 255n) & ~255n;
      const moved = { ...request, buffer: 0, tensor: { ...request.tensor, numbers } };
      withPlanner(this.device, ({ planner }) => {
        add(planner, moved);
        end = planner.end();
        planner.clear();
      });
      return moved;
    });
    return this.#plan(packed);
  }

  #plan(requests: Request[]): Program {
    return withPlanner(this.device, (of) => {
      of.planner.clear();
      for (const request of requests) add(of.planner, request);
      return handedOver(of, of.planner.plan());
    });
  }
}

function add(planner: Planner, { tensor, key, buffer, size, canClear }: Request): void {
  const { name, dtype, init, numbers } = tensor;
  planner.add(name, key.seed, key.offset, buffer, size, canClear, dtype, init, numbers);
}

/** The key of a fill without a name, in a list. */
function ownKey({ key }: Tensor): Key {
  if (key === undefined) {
    throw new Error("the fill has neither a name nor a key; in a list each fill needs one, or all get equal values");
  }
  return key;
}

function requireList(fills: unknown): readonly Fill[] {
  if (!Array.isArray(fills)) throw new Error(`the fills are ${shown(fills)}; they must be an array`);
  // `Array.from` turns a hole into an undefined fill.
  return Array.from(fills);
}

function nameOf(fill: unknown): string | undefined {
  const name = (fill as Fill | undefined)?.name;
  return typeof name === "string" ? name : undefined;
}

/** Checks a fill. An error names the fill as the library's errors do. */
function named<T>(fill: unknown, number: number, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof Error) error.message = `${nameOf(fill) ?? `fill ${number}`}: ${error.message}`;
    throw error;
  }
}

function bufferOf(value: unknown): GPUBuffer {
  const buffer = value as GPUBuffer;
  // A buffer's descriptor has its size and its usage too.
  if (typeof buffer?.destroy !== "function" || typeof buffer.size !== "number" || typeof buffer.usage !== "number") {
    throw new Error(`the buffer is ${shown(value)}; it must be a GPUBuffer`);
  }
  if ((buffer.usage & STORAGE) === 0) {
    const usage = USAGES.filter(([bit]) => (buffer.usage & bit) !== 0).map(([, name]) => name);
    throw new Error(`the buffer was created with usage ${usage.join(" | ") || 0}; a fill needs STORAGE too`);
  }
  return buffer;
}
