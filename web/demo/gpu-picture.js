// @ts-check
// The picture of a tensor in a GPU buffer: the fill, the heat map, the histogram, the moments.

import { cssColour, stops } from "./colour.js";
import { BINS } from "./law.js";
import { matrixOf } from "./matrix.js";
import { COUNT, DRAW, MAX_GROUPS, PICTURE_FLOATS, WORKGROUP } from "./picture.wgsl.js";
import { bytesPerElement, countOf } from "./state.js";

/** @typedef {import("./state.js").Tensor} Tensor */
/** @typedef {import("./law.js").View} View */
/** @typedef {{ mean: number, std: number, least: number, greatest: number }} Moments */

export class GpuPicture {
  /** The greatest tensor that the page draws, in elements. */
  maxElements = 1 << 24;
  engine = "GPU";

  /**
   * @param {import("./device.js").Gpu} gpu
   * @param {any} recorder the FillRecorder
   * @param {HTMLCanvasElement} heatMap
   * @param {HTMLCanvasElement} histogram
   */
  constructor({ device }, recorder, heatMap, histogram) {
    this.device = device;
    this.recorder = recorder;
    this.format = navigator.gpu.getPreferredCanvasFormat();
    this.heatMap = configured(heatMap, device, this.format);
    this.histogram = configured(histogram, device, this.format);
    const storage = GPUBufferUsage.STORAGE;
    this.uniform = device.createBuffer({
      label: "picture",
      size: 4 * PICTURE_FLOATS,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.bins = device.createBuffer({
      label: "bins",
      size: 4 * BINS,
      usage: storage | GPUBufferUsage.COPY_DST,
    });
    this.partial = device.createBuffer({
      label: "moments",
      size: 16 * (MAX_GROUPS + 1),
      usage: storage | GPUBufferUsage.COPY_SRC,
    });
    /** @type {GPUBuffer | undefined} */
    this.tensorBuffer = undefined;
    /** @type {{ tensor: Tensor, view: View } | undefined} */
    this.shown = undefined;
    this.pipelines = this.compile();
    // Whoever waits for the pipelines gets the error of a lost device. Without a waiter the error says nothing new.
    this.pipelines.catch(() => {});
  }

  async compile() {
    const { device, format } = this;
    const [countModule, drawModule] = [COUNT, DRAW].map((code) => device.createShaderModule({ code }));
    const compute = (/** @type {string} */ entryPoint, /** @type {GPUPipelineLayout} */ layout) =>
      device.createComputePipelineAsync({
        label: entryPoint,
        layout,
        compute: { module: countModule, entryPoint },
      });
    const render = (
      /** @type {string} */ name,
      /** @type {string} */ vertex,
      /** @type {GPUPipelineLayout} */ layout,
      /** @type {GPUPrimitiveTopology} */ topology,
    ) =>
      device.createRenderPipelineAsync({
        label: name,
        layout,
        primitive: { topology },
        vertex: { module: drawModule, entryPoint: vertex },
        fragment: { module: drawModule, entryPoint: name, targets: [{ format }] },
      });
    const { COMPUTE, VERTEX, FRAGMENT } = GPUShaderStage;
    const group = (
      /** @type {GPUShaderStageFlags} */ visibility,
      /** @type {GPUBufferBindingType[]} */ types,
    ) =>
      device.createBindGroupLayout({
        entries: types.map((type, binding) => ({ binding, visibility, buffer: { type } })),
      });
    const countGroup = group(COMPUTE, ["uniform", "read-only-storage", "storage", "storage"]);
    const drawGroup = group(VERTEX | FRAGMENT, ["uniform", "read-only-storage", "read-only-storage"]);
    const [countLayout, drawLayout] = [countGroup, drawGroup].map((layout) =>
      device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    );
    const [count, finish, heat, bar] = await Promise.all([
      compute("count", countLayout),
      compute("finish", countLayout),
      render("heat", "heat_corner", drawLayout, "triangle-strip"),
      render("bar", "bar_corner", drawLayout, "triangle-strip"),
    ]);
    return { countGroup, drawGroup, count, finish, heat, bar };
  }

  /**
   * Fills a buffer with the tensor and draws the buffer. The old picture stays if the library refuses the tensor.
   * @param {Tensor} tensor
   * @param {View} view
   * @param {number} mean the law's
   * @returns {Promise<{ milliseconds: number, moments: Moments }>}
   */
  async show(tensor, view, mean) {
    const { device, recorder } = this;
    const { shape, dtype, init, seed } = tensor;
    await recorder.prepare([{ shape, dtype, init }]);
    const pipelines = await this.pipelines;

    const bytes = Math.ceil((countOf(shape) * bytesPerElement(dtype)) / 4) * 4;
    const old = this.tensorBuffer;
    // With COPY_DST too, seedbed can clear zeros at the speed of memory.
    const buffer =
      old && old.size >= bytes
        ? old
        : device.createBuffer({
            label: "tensor",
            size: bytes,
            usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
          });
    const filling = device.createCommandEncoder({ label: "fill" });
    recorder.fill(filling, { buffer, shape, dtype, init }, seed);
    const start = performance.now();
    device.queue.submit([filling.finish()]);
    await device.queue.onSubmittedWorkDone();
    const milliseconds = performance.now() - start;

    if (old && old !== buffer) old.destroy();
    this.tensorBuffer = buffer;
    this.shown = { tensor, view };
    const moments = await this.measure(pipelines, mean);
    await this.redraw();
    return { milliseconds, moments };
  }

  /**
   * Counts the bins and reads the moments, four numbers.
   * @param {Awaited<GpuPicture["pipelines"]>} pipelines
   * @param {number} mean
   * @returns {Promise<Moments>}
   */
  async measure({ countGroup, count, finish }, mean) {
    const { device, shown } = this;
    if (!shown || !this.tensorBuffer) throw new Error("no tensor is shown");
    const elements = countOf(shown.tensor.shape);
    const groups = Math.min(MAX_GROUPS, Math.ceil(elements / (4 * WORKGROUP)));
    this.writeUniform(mean, groups);
    const staging = device.createBuffer({
      label: "moments",
      size: 16,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    const encoder = device.createCommandEncoder({ label: "count" });
    encoder.clearBuffer(this.bins);
    const pass = encoder.beginComputePass();
    pass.setBindGroup(
      0,
      this.bindGroup(countGroup, [this.uniform, this.tensorBuffer, this.bins, this.partial]),
    );
    pass.setPipeline(count);
    pass.dispatchWorkgroups(groups);
    pass.setPipeline(finish);
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(this.partial, 0, staging, 0, 16);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const [average, std, least, greatest] = new Float32Array(staging.getMappedRange());
    staging.destroy();
    return { mean: average, std, least, greatest };
  }

  /** Draws the tensor that the buffer holds, in the present theme and size. */
  async redraw() {
    const { device } = this;
    const { drawGroup, heat, bar } = await this.pipelines;
    if (!this.shown || !this.tensorBuffer) return;
    fit(this.heatMap.canvas);
    fit(this.histogram.canvas);
    this.writeUniform(0, 0);
    const bindGroup = this.bindGroup(drawGroup, [this.uniform, this.tensorBuffer, this.bins]);
    const encoder = device.createCommandEncoder({ label: "draw" });
    const draw = (
      /** @type {GPUCanvasContext} */ context,
      /** @type {GPURenderPipeline} */ pipeline,
      /** @type {number} */ instances,
    ) => {
      const view = context.getCurrentTexture().createView();
      const pass = encoder.beginRenderPass({
        colorAttachments: [{ view, loadOp: "clear", storeOp: "store", clearValue: [0, 0, 0, 0] }],
      });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.draw(4, instances);
      pass.end();
    };
    draw(this.heatMap, heat, 1);
    draw(this.histogram, bar, BINS);
    device.queue.submit([encoder.finish()]);
  }

  /**
   * @param {number} centre
   * @param {number} groups
   */
  writeUniform(centre, groups) {
    const { shown } = this;
    if (!shown) return;
    const { tensor, view } = shown;
    const { elements, rows, columns } = matrixOf(tensor.shape);
    const floats = new Float32Array(PICTURE_FLOATS);
    const whole = new Uint32Array(floats.buffer);
    whole.set([elements, rows, columns, ["f32", "f16", "bf16"].indexOf(tensor.dtype)]);
    floats.set([view.low, view.high, view.colourReach, view.full, centre], 4);
    whole[9] = groups;
    floats.set(cssColour("--bars"), 12);
    stops().forEach((colour, index) => {
      floats.set([...colour.map((channel) => channel / 255), 1], 16 + 4 * index);
    });
    this.device.queue.writeBuffer(this.uniform, 0, floats);
  }

  /**
   * @param {GPUBindGroupLayout} layout
   * @param {GPUBuffer[]} buffers
   */
  bindGroup(layout, buffers) {
    return this.device.createBindGroup({
      layout,
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
  }
}

/**
 * A canvas's context, ready for the device.
 * @param {HTMLCanvasElement} canvas
 * @param {GPUDevice} device
 * @param {GPUTextureFormat} format
 */
export function configured(canvas, device, format) {
  const context = /** @type {GPUCanvasContext | null} */ (canvas.getContext("webgpu"));
  if (!context) throw new Error("this browser draws no WebGPU into a canvas");
  context.configure({ device, format, alphaMode: "premultiplied" });
  return context;
}

/** Gives a canvas one pixel for each pixel of the screen. @param {HTMLCanvasElement | OffscreenCanvas} canvas */
export function fit(canvas) {
  if (!(canvas instanceof HTMLCanvasElement)) return;
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
