// @ts-check
// The page's own GPU device.

import { textOf } from "./dom.js";

/** @typedef {{ adapter: GPUAdapter, device: GPUDevice, timestamps: boolean, name: string, lost: boolean }} Gpu */

/**
 * Opens the GPU. The result has `gpu`, or the reason why there is none.
 * @returns {Promise<{ gpu?: Gpu, reason?: string }>}
 */
export async function openGpu() {
  if (!navigator.gpu) {
    return {
      reason: isSecureContext
        ? "This browser has no WebGPU, or WebGPU is switched off."
        : "A browser offers WebGPU on https: and on localhost only.",
    };
  }
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return { reason: "This browser has WebGPU, but no GPU adapter for it." };
    const timestamps = adapter.features.has("timestamp-query");
    const device = await adapter.requestDevice({
      label: "seedbed page",
      // seedbed needs no feature and no limit. The page wants large buffers for the large golden hash, and clocks.
      requiredFeatures: timestamps ? ["timestamp-query"] : [],
      requiredLimits: {
        maxBufferSize: adapter.limits.maxBufferSize,
        maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      },
    });
    return { gpu: { adapter, device, timestamps, name: adapterName(adapter), lost: false } };
  } catch (error) {
    return { reason: `This browser has WebGPU, but opened no device: ${textOf(error)}` };
  }
}

/** Whether the device is lost. An operation may fail a moment before the device tells. @param {Gpu} gpu */
export async function lost(gpu) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  return gpu.lost;
}

/** The adapter's name, as far as the browser tells it. @param {GPUAdapter} adapter */
function adapterName(adapter) {
  const { vendor, architecture, device, description } = adapter.info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ");
  return name || "an adapter whose name the browser does not tell";
}

/**
 * The bytes of a buffer, which has the usage COPY_SRC.
 * @param {GPUDevice} device
 * @param {GPUBuffer} buffer
 * @param {(bytes: ArrayBuffer) => Promise<T> | T} use Reads the bytes, which are gone afterwards
 * @returns {Promise<T>}
 * @template T
 */
export async function readBuffer(device, buffer, use) {
  const staging = device.createBuffer({
    label: "readback",
    size: buffer.size,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return await use(staging.getMappedRange());
  } finally {
    staging.destroy();
  }
}
