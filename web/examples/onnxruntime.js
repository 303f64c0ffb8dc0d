// onnxruntime-web: a tensor in a GPUBuffer of the runtime's own device, as an input or a preallocated output.

import * as ort from "onnxruntime-web/webgpu";
import { FillRecorder, load } from "seedbed";

/** A tensor of standard normals, such as the latents of a diffusion model. */
export async function latents(dims, seed = 42n) {
  await load();
  // The device exists once the runtime has created a session with the execution provider "webgpu".
  const device = await ort.env.webgpu.device;
  if (!device) throw new Error('create a session with the execution provider "webgpu" first');
  const elements = dims.reduce((a, b) => a * b, 1);
  const buffer = device.createBuffer({
    // The runtime's buffers are multiples of 16 bytes.
    size: Math.ceil((4 * elements) / 16) * 16,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  new FillRecorder(device).fill(encoder, { buffer, name: "latents", shape: dims, init: "normal()" }, seed);
  device.queue.submit([encoder.finish()]);
  return ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims, dispose: () => buffer.destroy() });
}
