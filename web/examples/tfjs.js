// TensorFlow.js: a variable whose initial value is in a GPUBuffer of the backend's own device.

import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { FillRecorder, load } from "seedbed";

/** A trainable variable. TensorFlow.js's own initialisers give other values in each run. */
export async function variable(name, shape, init, seed = 42n) {
  await load();
  await tf.setBackend("webgpu");
  await tf.ready();
  const { device } = tf.backend();
  const buffer = device.createBuffer({
    size: 4 * shape.reduce((a, b) => a * b, 1),
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  new FillRecorder(device).fill(encoder, { buffer, name, shape, init }, seed);
  device.queue.submit([encoder.finish()]);
  // With zeroCopy the tensor uses the buffer itself. Without, TensorFlow.js copies it.
  const value = tf.tensor({ buffer, zeroCopy: true }, shape, "float32");
  return tf.variable(value, true, name);
}
