// @ts-check
// The speed of fills, beside clearBuffer on the same buffer.

import { bytesPerElement } from "./state.js";

/** @typedef {{ elements: number, dtype: string, fill: number, clear: number }} Speed milliseconds */

const RUNS = 5;
/** A measurement repeats its commands until they take this long, in milliseconds: clocks are coarse. */
const MIN_MS = 20;
const MAX_REPEATS = 512;

/** How the page measures. @param {import("./device.js").Gpu} gpu */
export function clockOf({ timestamps }) {
  return timestamps ? "the GPU’s clock (timestamp-query)" : "wall time from submit to onSubmittedWorkDone";
}

/** The sizes and types that are measured. */
export const CASES = [1 << 16, 1 << 20, 1 << 24].flatMap((elements) =>
  /** @type {const} */ (["f32", "bf16"]).map((dtype) => ({ elements, dtype })),
);

/**
 * Measures a case: medians of the time of a fill and of a clear.
 * @param {import("./device.js").Gpu} gpu
 * @param {any} recorder
 * @param {(typeof CASES)[number]} what
 * @returns {Promise<Speed>}
 */
export async function measure(gpu, recorder, { elements, dtype }) {
  const { device } = gpu;
  const bytes = elements * bytesPerElement(dtype);
  const buffer = device.createBuffer({
    label: "speed",
    size: bytes,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
  });
  const shape = [elements / 1024, 1024];
  const tensor = { shape, dtype, init: "xavier_normal()" };
  try {
    await recorder.prepare([tensor]);
    const fill = await median(gpu, (encoder) => recorder.fill(encoder, { buffer, ...tensor }, 42n));
    const clear = await median(gpu, (encoder) => encoder.clearBuffer(buffer));
    return { elements, dtype, fill, clear };
  } finally {
    buffer.destroy();
  }
}

/**
 * The median time of some commands, in milliseconds.
 * @param {import("./device.js").Gpu} gpu
 * @param {(encoder: GPUCommandEncoder) => void} record
 */
async function median(gpu, record) {
  // The first run compiles, and finds the number of repetitions.
  await time(gpu, record, 1);
  let repeats = 1;
  let once = await time(gpu, record, 1);
  while (once * repeats < MIN_MS && repeats < MAX_REPEATS) {
    repeats = Math.min(MAX_REPEATS, repeats * 4);
    once = await time(gpu, record, repeats);
  }
  const times = [];
  for (let run = 0; run < RUNS; run += 1) times.push(await time(gpu, record, repeats));
  return times.sort((a, b) => a - b)[RUNS >> 1];
}

/**
 * The time of one of some repetitions, in milliseconds.
 * @param {import("./device.js").Gpu} gpu
 * @param {(encoder: GPUCommandEncoder) => void} record
 * @param {number} repeats
 */
async function time(gpu, record, repeats) {
  const { device } = gpu;
  const clock = gpu.timestamps ? gpuClock(device) : undefined;
  const encoder = device.createCommandEncoder({ label: "speed" });
  clock?.stamp(encoder, 0);
  for (let i = 0; i < repeats; i += 1) record(encoder);
  clock?.stamp(encoder, 1);
  clock?.resolve(encoder);
  const commands = encoder.finish();
  const start = performance.now();
  device.queue.submit([commands]);
  await device.queue.onSubmittedWorkDone();
  const wall = performance.now() - start;
  const onGpu = await clock?.read();
  // A browser may give equal stamps for short work. The wall time is then the honest number.
  return (onGpu && onGpu > 0 ? onGpu : wall) / repeats;
}

/** Two time stamps around commands, taken by passes that do nothing. @param {GPUDevice} device */
function gpuClock(device) {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: COPY_DST | MAP_READ });
  return {
    /** @param {GPUCommandEncoder} encoder @param {0 | 1} index */
    stamp(encoder, index) {
      encoder.beginComputePass({ timestampWrites: { querySet, endOfPassWriteIndex: index } }).end();
    },
    /** @param {GPUCommandEncoder} encoder */
    resolve(encoder) {
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
    },
    /** The milliseconds between the stamps. */
    async read() {
      await staging.mapAsync(GPUMapMode.READ);
      const [begin, end] = new BigInt64Array(staging.getMappedRange());
      for (const one of [querySet, resolved, staging]) one.destroy();
      return Number(end - begin) / 1e6;
    },
  };
}
