/**
 * seedbed: the initial values of neural-network parameters, in a page's own GPUBuffers, by the page's own
 * GPUCommandEncoder. Same seed, same bits, on every device.
 *
 * @packageDocumentation
 */

import * as seedbed from "./index.js";
import type { WasmSource } from "./source.js";
import { loadOnce } from "./wasm.js";

export { fill, type MemoryTensor } from "./cpu.js";
export { CONTRACT_VERSION, Executor } from "./executor.js";
export type {
  BindingKind, ByteRange, Dispatch, Kernel, Program, ProgramBuffer, ProgramDevice,
} from "./executor.js";
export { check, describe, initialisers } from "./facts.js";
export type { Description, Law, Signature } from "./facts.js";
export { Key } from "./key.js";
export { FillRecorder } from "./recorder.js";
export { selfTest } from "./self-test.js";
export type { SelfTestCheck, SelfTestOptions, SelfTestReport } from "./self-test.js";
export type { DType, Fill, Init, Region, TensorSpec } from "./tensor.js";
export type { WasmSource } from "./source.js";

/** The version of this package. */
export const VERSION = "0.1.0";

/**
 * Loads the package's WebAssembly module, which everything but `Executor` needs, and resolves to this
 * package. Further calls do nothing. Without an argument the module is the file that lies beside the
 * package's own files.
 */
export async function load(source?: WasmSource): Promise<typeof seedbed> {
  await loadOnce(source);
  return seedbed;
}
