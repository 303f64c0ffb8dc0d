import { Executor, type Program } from "./executor.js";
import { handedOver, withPlanner } from "./planner.js";
import { fields, shown } from "./values.js";
import { call, instance } from "./wasm.js";
import type { Trials } from "./wasm/seedbed_web.js";

// WebGPU fixes the values of usages. Outside of a browser GPUBufferUsage may be undefined.
const MAP_READ = 0x01;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;
const STORAGE = 0x80;
const MAP_MODE_READ = 0x01;

/** The settings of a self-test. */
export interface SelfTestOptions {
  /**
   * `"full"`, the default, runs every kind of kernel and takes some seconds. `"short"` runs normals alone and
   * takes some milliseconds, for a page that checks a device before each fill.
   */
  extent?: "short" | "full";
  /** The self-test calls this function after each check. */
  onProgress?: (done: number, total: number) => void;
}

/** A check of a self-test: fills of one kind. */
export interface SelfTestCheck {
  name: string;
  /** The number of elements that the fills write. */
  elements: number;
  /** `unsupported`: the device's limits rule the check's fills out. `failed`: a kernel does not run. */
  outcome: "passed" | "differs" | "failed" | "unsupported";
  /** The difference, or the reason why the check did not run, in a sentence. */
  detail?: string;
  /** The likely cause of a difference, such as `"flushed_subnormals"`. */
  hint?: string;
}

/** The report of a self-test. */
export interface SelfTestReport {
  extent: "short" | "full";
  /** Whether every check passed, except those that the device can't run. */
  passed: boolean;
  /** The number of elements that were compared. */
  elements: number;
  checks: SelfTestCheck[];
  /** The report in a sentence. */
  toString(): string;
}

/**
 * Compares what a device writes with what the CPU writes, bit for bit. Unlike a recorder, the self-test
 * submits command buffers, but only its own, on its own buffers.
 *
 * A wrong result, a kernel that does not compile and a lost device are outcomes of checks. The promise
 * rejects only where the device can run no fill, and for wrong arguments.
 */
export async function selfTest(device: GPUDevice, options: SelfTestOptions = {}): Promise<SelfTestReport> {
  const { extent, onProgress } = fields(options, "the second argument", ["extent", "onProgress"]) as SelfTestOptions;
  if (extent !== undefined && extent !== "short" && extent !== "full") {
    throw new Error(`the extent is ${shown(extent)}; it must be "short" or "full"`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new Error(`onProgress is ${shown(onProgress)}; it must be a function`);
  }
  const executor = new Executor(device);
  const started = instance();
  const trials = call((library) => new library.Trials(extent !== "short"));
  let done = 0;
  // A trap of the module ends the trials too, whichever call trapped.
  while (started === instance()) {
    const planned = call(() => trials.needed()).length === 0 ? [] : plan(device, trials);
    if (planned.length === 0) break;
    // The device compiles the kernels of later checks while the first ones run.
    const ready = planned.map(({ programs }) => settled(programs.map((program) => executor.prepare(program))));
    for (const [at, { number, bytes, programs }] of planned.entries()) {
      let found: Uint8Array | Error;
      try {
        const failure = await ready[at];
        if (failure !== undefined) throw failure;
        found = await run(device, executor, bytes, programs);
      } catch (error) {
        found = error instanceof Error ? error : new Error(String(error));
      }
      if (started !== instance()) break;
      call(() => {
        if (found instanceof Error) trials.fail(number, found.message);
        else trials.compare(number, found);
      });
      done += 1;
      onProgress?.(done, done + planned.length - at - 1);
    }
  }
  if (started !== instance()) {
    throw new Error("another call made the WebAssembly module fail, and the self-test ended with it: call selfTest again");
  }
  const [json, sentence] = call(() => [trials.report(), trials.text()] as const);
  trials.free();
  return report(json, sentence);
}

/** The work for a trial. */
interface Planned {
  number: number;
  bytes: number;
  programs: Program[];
}

/** Plans every trial that is needed. A trial that the device's limits rule out has its result then. */
function plan(device: GPUDevice, trials: Trials): Planned[] {
  return withPlanner(device, (of) => {
    const planned: Planned[] = [];
    for (const number of trials.needed()) {
      const bytes = trials.plan(number, of.planner);
      if (bytes === undefined) continue;
      const programs: Program[] = [];
      for (let text = trials.program(of.planner); text !== undefined; text = trials.program(of.planner)) {
        programs.push(handedOver(of, text));
      }
      planned.push({ number, bytes, programs });
    }
    return planned;
  });
}

/** The first error of some promises, once all promises have settled. */
async function settled(promises: Promise<void>[]): Promise<Error | undefined> {
  const results = await Promise.allSettled(promises);
  const rejected = results.find((result) => result.status === "rejected");
  return rejected && (rejected.reason instanceof Error ? rejected.reason : new Error(String(rejected.reason)));
}

/** Replays programs on a buffer that was full of a known byte, and reads the buffer back. */
async function run(device: GPUDevice, executor: Executor, size: number, programs: Program[]): Promise<Uint8Array> {
  const prefill = call((library) => library.Trials.prefill());
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const made: GPUBuffer[] = [];
  let mapped: Promise<void>;
  let copy: GPUBuffer;
  try {
    const buffer = device.createBuffer({
      label: "seedbed::selfTest",
      size,
      usage: STORAGE | COPY_SRC | COPY_DST,
      mappedAtCreation: true,
    });
    made.push(buffer);
    new Uint8Array(buffer.getMappedRange()).fill(prefill);
    buffer.unmap();
    copy = device.createBuffer({ label: "seedbed::selfTest", size, usage: MAP_READ | COPY_DST });
    made.push(copy);
    const encoder = device.createCommandEncoder({ label: "seedbed::selfTest" });
    for (const program of programs) made.push(...executor.replay(encoder, program, [buffer]));
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
    device.queue.submit([encoder.finish()]);
    mapped = copy.mapAsync(MAP_MODE_READ);
  } catch (error) {
    mapped = Promise.reject(error);
  }
  const scopes = [1, 2].map(async () => device.popErrorScope());
  try {
    const [mapping, ...reports] = await Promise.allSettled([mapped, ...scopes]);
    for (const scope of reports) {
      const error = scope.status === "fulfilled" ? scope.value : undefined;
      if (error) throw new Error(error.message || "the device is out of memory");
    }
    if (mapping.status === "rejected") throw mapping.reason;
    return new Uint8Array(copy!.getMappedRange()).slice();
  } finally {
    for (const buffer of made) buffer.destroy();
  }
}

function report(json: string, sentence: string): SelfTestReport {
  interface Check extends SelfTestCheck {
    text?: string;
    difference?: { hint: string };
  }
  type Parsed = Omit<SelfTestReport, "checks"> & { checks: Check[] };
  const { extent, passed, elements, checks } = JSON.parse(json) as Parsed;
  return {
    extent,
    passed,
    elements,
    checks: checks.map(({ name, elements, outcome, text, difference }) => ({
      name,
      elements,
      outcome,
      ...(text !== undefined && { detail: text }),
      ...(difference !== undefined && { hint: difference.hint }),
    })),
    toString: () => sentence,
  };
}
