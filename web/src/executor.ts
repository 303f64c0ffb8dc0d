// An executor of seedbed's programs. The page of the Rust module `seedbed::program` says how to replay a
// program; this file follows that page, shares no code with the library, and needs no WebAssembly.

/**
 * A program of `seedbed::program`, as serde_json writes it: fills, planned into clears and dispatches over
 * numbered buffers.
 */
export interface Program {
  /** The version of the numeric contract whose bits the program writes. */
  contract: number;
  /** The device that the plan assumes. */
  device: ProgramDevice;
  /** Buffers `0` to `destinations - 1` are the caller's. */
  destinations: number;
  /** The buffers from number `destinations` on, which the executor creates. */
  buffers: ProgramBuffer[];
  /** The kernels, each once. */
  kernels: Kernel[];
  /** The ranges of the caller's buffers to clear, before all dispatches. */
  clears: ByteRange[];
  /** The dispatches, in their order. */
  dispatches: Dispatch[];
}

/** The device that a plan assumes. */
export interface ProgramDevice {
  /** WebGPU's limits, in snake case. */
  limits: Record<string, number>;
  /** Whether shaders use 64-bit integers, which WebGPU lacks. */
  int64: boolean;
  /** The class of the device. Speed depends on the class, and no bit does. */
  class: string;
}

/** A buffer that the executor creates. */
export interface ProgramBuffer {
  label: string;
  /** The size in bytes. */
  size: number;
  usage: "uniform" | "table" | "scratch";
  /** The contents before the first dispatch. */
  contents: "zeros" | { words: ArrayLike<number> };
}

/** The source of a compute pipeline. */
export interface Kernel {
  id: number;
  label: string;
  wgsl: string;
  entry_point: string;
  workgroup_size: number;
  /** Binding `i` of group 0 is `bindings[i]`. */
  bindings: BindingKind[];
}

export type BindingKind = "read_only_storage" | "storage" | { uniform: { size: number } };

/** A range of a buffer. */
export interface ByteRange {
  /** The buffer's number. */
  buffer: number;
  /** The first byte. */
  offset: number;
  /** The number of bytes. */
  size: number;
}

export interface Dispatch {
  /** The index of the kernel. */
  kernel: number;
  bindings: ByteRange[];
  /** The numbers of workgroups in x and y. */
  workgroups: [number, number];
}

/** A compiled kernel. WebGPU reports later whether a kernel compiles, and only `prepare` waits for the report. */
interface Compiled {
  layout: GPUBindGroupLayout;
  pipeline: GPUComputePipeline;
  isRight: boolean;
}

/** The kernels of a device. All executors of the device share them. */
interface Cache {
  /** Compiled kernels, by `keyOf`. */
  compiled: Map<string, Compiled>;
  /** Kernels that `prepare` is compiling. */
  pending: Map<string, Promise<void>>;
  /** The keys of kernels that can't change. */
  keys: WeakMap<Kernel, string>;
  /** The reason why the device was lost. */
  lost?: string;
}

/** The version of the numeric contract that this package follows. */
export const CONTRACT_VERSION = 1;

// Outside of a browser GPUBufferUsage and GPUShaderStage need not be defined. WebGPU fixes their values.
const COPY_DST = 0x08;
const UNIFORM = 0x40;
const STORAGE = 0x80;
const COMPUTE = 0x4;

/** The WebGPU usages of a program's own buffers. */
const USAGES = { uniform: UNIFORM, table: UNIFORM | STORAGE, scratch: STORAGE };

const caches = new WeakMap<GPUDevice, Cache>();

/**
 * Replays programs on one device.
 *
 * An executor records into the caller's encoder, and does nothing else: no submission, no queue.
 */
export class Executor {
  readonly #device: GPUDevice;
  readonly #cache: Cache;

  constructor(device: GPUDevice) {
    if (typeof device?.createComputePipelineAsync !== "function") {
      throw new Error("the device is not a GPUDevice: pass the result of adapter.requestDevice(), awaited");
    }
    this.#device = device;
    this.#cache = caches.get(device) ?? cacheFor(device);
  }

  /** The device. */
  get device(): GPUDevice {
    return this.#device;
  }

  /** Throws an Error if the device was lost. */
  checkDevice(): void {
    if (this.#cache.lost !== undefined) {
      throw new Error(
        `the device was lost (${this.#cache.lost}): request another one, and make a new recorder or executor for it`,
      );
    }
  }

  /**
   * Compiles the kernels of a program in the background. Without this call the first `replay` compiles the
   * kernels, and the page does not respond meanwhile.
   *
   * The promise rejects with an Error for a program that the device can't run, and for a kernel that does not
   * compile.
   */
  async prepare(program: Program): Promise<void> {
    this.#check(program);
    await Promise.all(program.kernels.map((kernel) => this.#compileInBackground(kernel)));
    // On a device that was lost meanwhile, every kernel seems to compile.
    this.checkDevice();
  }

  /**
   * Records a program into an encoder: its clears, then its dispatches in one compute pass. A mistake throws
   * an Error before anything is created or recorded. WebGPU itself finds some mistakes, such as a buffer of
   * another device, and reports them to the device's error scopes.
   *
   * `buffers` are the destinations, in the order of the program's numbers. Each has the usage STORAGE, and
   * COPY_DST where the program clears it.
   *
   * The result is the list of buffers that only this recording uses: parameters and scratch memory. The
   * caller may destroy these buffers after the submission, or leave them to the garbage collector.
   */
  replay(encoder: GPUCommandEncoder, program: Program, buffers: readonly GPUBuffer[]): GPUBuffer[] {
    this.#check(program);
    if (typeof encoder?.beginComputePass !== "function") {
      throw new Error("the encoder is not a GPUCommandEncoder: pass the result of device.createCommandEncoder()");
    }
    whole(() => checkRanges(program, buffers, this.#device.limits));
    const device = this.#device;
    const kernels = program.kernels.map((kernel) => this.#compileNow(kernel));
    const own = program.buffers.map((buffer) => create(device, buffer));
    const all = [...buffers, ...own];
    const groups = program.dispatches.map(({ kernel, bindings }) =>
      device.createBindGroup({
        layout: kernels[kernel]!.layout,
        entries: bindings.map(({ buffer, offset, size }, binding) => ({
          binding,
          resource: { buffer: all[buffer]!, offset, size },
        })),
      }),
    );
    for (const { buffer, offset, size } of program.clears) {
      encoder.clearBuffer(all[buffer]!, offset, size);
    }
    if (groups.length > 0) {
      const pass = encoder.beginComputePass({ label: "seedbed::fill" });
      program.dispatches.forEach(({ kernel, workgroups: [x, y] }, number) => {
        pass.setPipeline(kernels[kernel]!.pipeline);
        pass.setBindGroup(0, groups[number]!);
        pass.dispatchWorkgroups(x, y);
      });
      pass.end();
    }
    return own;
  }

  /** Checks whether the device can run a program. */
  #check(program: Program): void {
    this.checkDevice();
    whole(() => this.#checkPlan(program));
  }

  #checkPlan(program: Program): void {
    const lists = [program?.buffers, program?.kernels, program?.clears, program?.dispatches];
    if (!lists.every(Array.isArray) || typeof program.device?.limits !== "object") {
      throw wrong("it is no program: pass what JSON.parse makes of a program's text");
    }
    if (program.contract !== CONTRACT_VERSION) {
      throw wrong(
        `it follows version ${program.contract} of the numeric contract; ` +
          `this executor follows version ${CONTRACT_VERSION}`,
      );
    }
    if (program.device.int64) {
      throw wrong("its kernels use 64-bit integers, which WebGPU lacks: plan for `Device::webgpu()`");
    }
    const limits = this.#device.limits as unknown as Record<string, number>;
    for (const [name, planned] of Object.entries(program.device.limits)) {
      const camel = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      const has = limits[camel] as number;
      // Alignments are powers of two, so a device's alignment divides the plan's if the device's is not
      // larger.
      const enough = name.startsWith("min_") ? has <= planned : has >= planned;
      if (!enough) {
        throw wrong(
          `the device's ${camel} is ${has}, and the plan relies on ${planned}: ` +
            "request a better limit in requestDevice, or plan for this one",
        );
      }
    }
    for (const { label, wgsl, entry_point, bindings } of program.kernels) {
      const isRight =
        [label, wgsl, entry_point].every((text) => typeof text === "string") &&
        bindings.every((kind) => kind === "storage" || kind === "read_only_storage" || isCount(kind.uniform.size));
      if (!isRight) throw wrong(`its kernel ${label} is damaged`);
    }
  }

  #compileNow(kernel: Kernel): Compiled {
    const key = this.#keyOf(kernel);
    let compiled = this.#cache.compiled.get(key);
    if (compiled === undefined) {
      const { layout, descriptor } = describe(this.#device, kernel);
      compiled = { layout, pipeline: this.#device.createComputePipeline(descriptor), isRight: false };
      this.#cache.compiled.set(key, compiled);
    }
    return compiled;
  }

  #compileInBackground(kernel: Kernel): Promise<void> {
    const { compiled, pending } = this.#cache;
    const key = this.#keyOf(kernel);
    if (compiled.get(key)?.isRight) return Promise.resolve();
    let promise = pending.get(key);
    if (promise === undefined) {
      promise = this.#compile(key, kernel).finally(() => pending.delete(key));
      pending.set(key, promise);
    }
    return promise;
  }

  async #compile(key: string, kernel: Kernel): Promise<void> {
    const device = this.#device;
    device.pushErrorScope("validation");
    // The module's report names the line. The pipeline's error may not.
    const making = (async () => {
      const { layout, descriptor } = describe(device, kernel);
      return { layout, pipeline: await device.createComputePipelineAsync(descriptor), isRight: true };
    })();
    const report = (async () => device.popErrorScope())();
    const [reported, compiled] = await Promise.allSettled([report, making]);
    const message = reported.status === "fulfilled" ? reported.value?.message : String(reported.reason);
    if (message !== undefined || compiled.status === "rejected") {
      const reason = message ?? (compiled as PromiseRejectedResult).reason?.message;
      throw new Error(`the kernel ${kernel.label} does not compile: ${reason}`);
    }
    this.#cache.compiled.set(key, compiled.value);
  }

  /**
   * The key of a compiled kernel. Programs of the same device have equal texts for equal kernels. A frozen
   * kernel keeps its key, since the text is long.
   */
  #keyOf(kernel: Kernel): string {
    const known = this.#cache.keys.get(kernel);
    if (known !== undefined) return known;
    const key = [kernel.entry_point, JSON.stringify(kernel.bindings), kernel.wgsl].join("\n");
    if (Object.isFrozen(kernel)) this.#cache.keys.set(kernel, key);
    return key;
  }
}

function cacheFor(device: GPUDevice): Cache {
  const cache: Cache = { compiled: new Map(), pending: new Map(), keys: new WeakMap() };
  caches.set(device, cache);
  // One handler serves all executors, because the device keeps every handler of its loss.
  device.lost.then(({ reason, message }) => {
    cache.lost = message || reason || "unknown";
  });
  return cache;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Checks a program of which parts may be missing. */
function whole(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof TypeError ? wrong(`a part of it is damaged (${error.message})`) : error;
  }
}

function wrong(reason: string): Error {
  return new Error(`the program can't be replayed: ${reason}`);
}

function describe(device: GPUDevice, { label, wgsl, entry_point, bindings }: Kernel) {
  const entries = bindings.map((kind, binding) => ({
    binding,
    visibility: COMPUTE,
    buffer: bufferLayout(kind),
  }));
  const layout = device.createBindGroupLayout({ label, entries });
  const descriptor = {
    label,
    layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label, code: wgsl }), entryPoint: entry_point },
  };
  return { layout, descriptor };
}

function bufferLayout(kind: BindingKind): GPUBufferBindingLayout {
  if (typeof kind === "object") return { type: "uniform", minBindingSize: kind.uniform.size };
  return { type: kind === "storage" ? "storage" : "read-only-storage" };
}

/** Creates a program's own buffer. The buffer is created with its words, so nothing touches the queue. */
function create(device: GPUDevice, { label, size, usage, contents }: ProgramBuffer): GPUBuffer {
  const words = contents === "zeros" ? undefined : contents.words;
  const buffer = device.createBuffer({
    label,
    size,
    usage: USAGES[usage],
    mappedAtCreation: words !== undefined,
  });
  if (words !== undefined) {
    new Uint32Array(buffer.getMappedRange()).set(words);
    buffer.unmap();
  }
  return buffer;
}

/**
 * Checks that every index names something, that every range lies in its buffer, and that the destinations
 * have the usages that they need.
 */
function checkRanges(program: Program, buffers: readonly GPUBuffer[], limits: GPUSupportedLimits): void {
  if (!Array.isArray(buffers) || buffers.length !== program.destinations) {
    throw wrong(`it has ${program.destinations} destinations, but got ${buffers?.length} buffers`);
  }
  buffers.forEach((buffer, number) => {
    if (typeof buffer?.destroy !== "function") throw wrong(`buffer ${number} is not a GPUBuffer`);
    if ((buffer.usage & STORAGE) === 0) {
      throw wrong(`buffer ${number} was created without the usage STORAGE`);
    }
  });
  program.buffers.forEach(({ label, size, usage, contents }) => {
    if (!Object.hasOwn(USAGES, usage)) throw wrong(`its buffer ${label} has the unknown use ${usage}`);
    if (typeof label !== "string") throw wrong("a buffer of its own has no label");
    if (!(isCount(size) && size <= limits.maxBufferSize)) throw wrong(`its buffer ${label} has ${size} bytes`);
    if (contents === "zeros") return;
    const { words } = contents;
    if (words.length * 4 !== size) throw wrong(`its buffer ${label} has ${words.length} words for ${size} bytes`);
    if (!(words instanceof Uint32Array || Array.prototype.every.call(words, (word) => word >>> 0 === word))) {
      throw wrong(`its buffer ${label} has a word that is none`);
    }
  });
  const sizes = [...buffers, ...program.buffers].map(({ size }) => size);
  const check = (what: string, { buffer, offset, size }: ByteRange, alignment: number) => {
    const has = isCount(buffer) ? sizes[buffer] : undefined;
    if (has === undefined) throw wrong(`${what} uses buffer ${buffer}; there are ${sizes.length}`);
    if (!(isCount(offset) && isCount(size) && size > 0 && offset + size <= has)) {
      throw wrong(`${what} uses ${size} bytes from ${offset} on of buffer ${buffer}, which has ${has}`);
    }
    if (offset % alignment !== 0) {
      throw wrong(`${what} begins at byte ${offset}, which is no multiple of ${alignment}`);
    }
    if (size % 4 !== 0) throw wrong(`${what} is not of whole words of 4 bytes`);
  };
  program.clears.forEach((clear, number) => {
    check(`clear ${number}`, clear, 4);
    if (clear.buffer >= program.destinations) throw wrong(`clear ${number} is of a buffer of its own`);
    if ((buffers[clear.buffer]!.usage & COPY_DST) === 0) {
      throw wrong(`buffer ${clear.buffer} was created without the usage COPY_DST, and the program clears it`);
    }
  });
  program.dispatches.forEach(({ kernel, bindings, workgroups }, number) => {
    const kinds = program.kernels[kernel]?.bindings;
    if (kinds === undefined)
      throw wrong(`dispatch ${number} uses kernel ${kernel}; there are ${program.kernels.length}`);
    if (kinds.length !== bindings.length) {
      throw wrong(`dispatch ${number} binds ${bindings.length} buffers; its kernel needs ${kinds.length}`);
    }
    const most = limits.maxComputeWorkgroupsPerDimension;
    for (const count of [workgroups[0], workgroups[1]]) {
      if (!(isCount(count) && count <= most)) {
        throw wrong(`dispatch ${number} has ${count} workgroups in a dimension of at most ${most}`);
      }
    }
    bindings.forEach((binding, index) => {
      const alignment =
        typeof kinds[index] === "object"
          ? limits.minUniformBufferOffsetAlignment
          : limits.minStorageBufferOffsetAlignment;
      check(`dispatch ${number}`, binding, alignment);
    });
  });
}
