// @ts-check
// The golden hashes: buffers that every device must fill with the same bytes.

import { bytesPerElement, countOf } from "./state.js";
import { readBuffer } from "./device.js";

/**
 * @typedef {object} GoldenFill A fill as the library takes it, with the index of its buffer
 * @property {number} buffer
 * @property {number} [offset]
 * @property {number[]} shape
 * @property {import("./state.js").DType} [dtype]
 * @property {string} init
 * @property {string} [name]
 * @property {any} [key]
 * @property {any} [region]
 * @property {number} [rowPitch]
 */
/**
 * @typedef {object} GoldenList
 * @property {string} name
 * @property {string} what
 * @property {string} seed
 * @property {boolean} [large]
 * @property {{ bytes: number, prefill: number, sha256: string }[]} buffers
 * @property {GoldenFill[]} fills
 */
/** @typedef {{ contract: number, lists: GoldenList[] }} Golden */
/** @typedef {{ name: string, outcome: "equal" | "differs" | "skipped", detail?: string }} GoldenResult */

/** The golden hashes beside the page. @returns {Promise<Golden>} */
export async function loadGolden() {
  const url = new URL("./golden.json", import.meta.url);
  const response = await fetch(url);
  if (!response.ok)
    throw new Error(`The golden hashes could not be loaded: ${url} answers ${response.status}.`);
  return response.json();
}

/**
 * The fills with the numbers that JSON holds as text, and with keys of the library.
 * @param {any} seedbed the library
 * @param {GoldenList} list
 */
function parsed({ Key }, { fills }) {
  return fills.map((fill) => ({
    ...fill,
    region: fill.region?.elements ? { elements: fill.region.elements.map(BigInt) } : fill.region,
    key: fill.key ? new Key(BigInt(fill.key.seed), BigInt(fill.key.offset)) : undefined,
  }));
}

/**
 * Compares a list's buffers, filled by the GPU, with their hashes.
 * @param {any} seedbed the library
 * @param {import("./device.js").Gpu} gpu
 * @param {any} recorder
 * @param {GoldenList} list
 * @returns {Promise<GoldenResult>}
 */
export async function checkOnGpu(seedbed, { device }, recorder, list) {
  const { maxBufferSize } = device.limits;
  const tooLarge = list.buffers.find(({ bytes }) => bytes > maxBufferSize);
  if (tooLarge) {
    const detail = `needs a buffer of ${tooLarge.bytes} bytes; the device has at most ${maxBufferSize}`;
    return { name: list.name, outcome: "skipped", detail };
  }
  const buffers = list.buffers.map(({ bytes, prefill }) => prefilled(device, bytes, prefill));
  try {
    const fills = parsed(seedbed, list);
    await recorder.prepare(fills.map(({ buffer, ...tensor }) => tensor));
    const encoder = device.createCommandEncoder({ label: list.name });
    recorder.fillAll(
      encoder,
      fills.map((fill) => ({ ...fill, buffer: buffers[fill.buffer] })),
      BigInt(list.seed),
    );
    device.queue.submit([encoder.finish()]);
    const hashes = [];
    for (const buffer of buffers) hashes.push(await readBuffer(device, buffer, sha256));
    return compared(list, hashes);
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/**
 * A buffer of equal bytes. A fill must leave every byte alone that is not the fill's.
 * @param {GPUDevice} device
 * @param {number} bytes
 * @param {number} prefill
 */
function prefilled(device, bytes, prefill) {
  const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
  const buffer = device.createBuffer({ label: "golden", size: bytes, usage: STORAGE | COPY_DST | COPY_SRC });
  const chunk = new Uint8Array(Math.min(bytes, 1 << 24)).fill(prefill);
  for (let at = 0; at < bytes; at += chunk.length) {
    device.queue.writeBuffer(buffer, at, chunk, 0, Math.min(chunk.length, bytes - at));
  }
  return buffer;
}

/**
 * Compares a list's buffers, filled by the CPU engine, with their hashes.
 * @param {any} seedbed
 * @param {GoldenList} list
 * @returns {Promise<GoldenResult>}
 */
export async function checkOnCpu(seedbed, list) {
  const buffers = list.buffers.map(({ bytes, prefill }) => new Uint8Array(bytes).fill(prefill));
  for (const fill of parsed(seedbed, list)) {
    fillBytes(seedbed, buffers[fill.buffer], fill, fill.key ?? BigInt(list.seed));
  }
  const hashes = [];
  for (const buffer of buffers) hashes.push(await sha256(buffer));
  return compared(list, hashes);
}

/**
 * Fills a part of some bytes by the CPU engine, which writes elements without gaps.
 * @param {any} seedbed
 * @param {Uint8Array} bytes
 * @param {GoldenFill} fill
 * @param {any} key the model's seed, or the fill's own key
 */
function fillBytes(seedbed, bytes, { offset = 0, rowPitch, ...fill }, key) {
  const { shape, dtype = "f32", init, name, region } = fill;
  const local = region?.shape ?? shape;
  const elements = region?.elements ? Number(region.elements[1] - region.elements[0]) : countOf(local);
  const packed = dtype === "f32" ? new Float32Array(elements) : new Uint16Array(elements);
  seedbed.fill(packed, { shape, dtype, init, name, region }, key);
  const source = new Uint8Array(packed.buffer);
  const row = rowPitch ? bytesPerElement(dtype) * (local.at(-1) ?? 1) : source.length;
  for (let from = 0, to = offset; from < source.length; from += row, to += rowPitch ?? 0) {
    bytes.set(source.subarray(from, from + row), to);
  }
}

/**
 * The SHA-256 of bytes, in hexadecimal digits.
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} bytes
 */
export async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {GoldenList} list
 * @param {string[]} hashes
 * @returns {GoldenResult}
 */
function compared({ name, buffers }, hashes) {
  const index = buffers.findIndex(({ sha256 }, at) => sha256 !== hashes[at]);
  if (index < 0) return { name, outcome: "equal" };
  const detail = `buffer ${index}: expected ${buffers[index].sha256}, found ${hashes[index]}`;
  return { name, outcome: "differs", detail };
}
