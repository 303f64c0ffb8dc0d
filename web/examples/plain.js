// A plain GPUBuffer: two tensors of a layer, in one buffer, recorded into the page's own encoder.

import { FillRecorder, load } from "seedbed";

/** Makes a buffer with a linear layer's weight and bias, initialised as PyTorch does. */
export async function linear(device, inputs, outputs, seed = 42n) {
  await load();
  const recorder = new FillRecorder(device);
  const weightBytes = 4 * inputs * outputs;
  const buffer = device.createBuffer({
    size: weightBytes + 4 * outputs,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const bound = 1 / Math.sqrt(inputs);
  const fills = [
    { buffer, name: "fc.weight", shape: [outputs, inputs], init: `kaiming_uniform(a=${Math.sqrt(5)})` },
    { buffer, name: "fc.bias", shape: [outputs], init: `uniform(${-bound},${bound})`, offset: weightBytes },
  ];
  await recorder.prepare(fills); // compiles in the background; optional
  const encoder = device.createCommandEncoder();
  recorder.fillAll(encoder, fills, seed);
  // The page's own passes could follow here, in the same encoder.
  device.queue.submit([encoder.finish()]);
  return buffer;
}
