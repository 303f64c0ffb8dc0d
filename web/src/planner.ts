// The planner of each device, which lives in the WebAssembly module.

import type { Kernel, Program } from "./executor.js";
import { call, instance } from "./wasm.js";
import type { Planner } from "./wasm/seedbed_web.js";

/** The limits that a plan relies on, in the order of `Planner::new` in `web/wasm/src/planner.rs`. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxUniformBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
  "minStorageBufferOffsetAlignment",
  "minUniformBufferOffsetAlignment",
] as const satisfies (keyof GPUSupportedLimits)[];

/** The planner of a device, which all of its recorders share. */
export interface DevicePlanner {
  planner: Planner;
  /** The module's instance that the planner lives in. */
  instance: number;
  /** The kernels that were fetched from the module. */
  kernels: Map<number, Kernel>;
}

const planners = new WeakMap<GPUDevice, DevicePlanner>();

/** Calls `f` with the planner of a device. */
export function withPlanner<T>(device: GPUDevice, f: (of: DevicePlanner) => T): T {
  const known = planners.get(device);
  if (known !== undefined && known.instance === instance()) return call(() => f(known));
  const limits = Float64Array.from(LIMITS, (limit) => device.limits[limit] as number);
  const planner = call((library) => new library.Planner(limits));
  const of = { planner, instance: instance(), kernels: known?.kernels ?? new Map() };
  planners.set(device, of);
  return call(() => f(of));
}

/**
 * Parses a program's text from the planner, and adds the parts that the text lacks. A kernel is long, so the
 * planner gives each kernel once, and the kernel is frozen.
 */
export function handedOver({ planner, kernels }: DevicePlanner, text: string): Program {
  const program = JSON.parse(text) as Program;
  program.kernels = Array.from(planner.kernels(), (id) => {
    let kernel = kernels.get(id);
    if (kernel === undefined) {
      kernel = JSON.parse(planner.kernel(id), (_, value) => Object.freeze(value)) as Kernel;
      kernels.set(id, kernel);
    }
    return kernel;
  });
  program.buffers.forEach((buffer, number) => {
    const words = planner.words(number);
    if (words !== undefined) buffer.contents = { words };
  });
  return program;
}
