// @ts-check
// The two networks on the GPU: seedbed fills the parameters, the page's shaders train and draw.

import { cssColour } from "./colour.js";
import { configured, fit } from "./gpu-picture.js";
import { FIRST, GRID, GROUPS, PARAMETERS, REGIONS, STRIDE, SURVEY, TRACE, TRAIN } from "./net.wgsl.js";
import { POINTS, spirals } from "./spirals.js";

/** @typedef {"adam" | "sgd"} Optimiser */
/** @typedef {{ steps: number, loss: number, right: number }} Status */

const LOOK_FLOATS = 16;

export class Nets {
  /**
   * @param {import("./device.js").Gpu} gpu
   * @param {any} recorder
   * @param {HTMLCanvasElement[]} canvases
   */
  constructor({ device }, recorder, canvases) {
    this.device = device;
    this.recorder = recorder;
    this.format = navigator.gpu.getPreferredCanvasFormat();
    this.contexts = canvases.map((canvas) => configured(canvas, device, this.format));
    const { STORAGE, COPY_DST, COPY_SRC, UNIFORM } = GPUBufferUsage;
    const buffer = (/** @type {string} */ label, /** @type {number} */ size, /** @type {number} */ usage) =>
      device.createBuffer({ label, size, usage });
    this.points = buffer("points", 16 * POINTS, STORAGE | COPY_DST);
    this.parameters = buffer("parameters", 2 * 4 * STRIDE, STORAGE | COPY_DST);
    this.averages = buffer("averages", 2 * 8 * STRIDE, STORAGE | COPY_DST);
    this.traces = buffer("traces", 2 * 16 * POINTS * TRACE, STORAGE);
    this.status = buffer("status", 2 * 16, STORAGE | COPY_DST | COPY_SRC);
    this.field = buffer("field", 2 * 4 * GRID * GRID, STORAGE);
    this.looks = canvases.map(() => buffer("look", 4 * LOOK_FLOATS, UNIFORM | COPY_DST));
    this.staging = buffer("status", 2 * 16, COPY_DST | GPUBufferUsage.MAP_READ);
    device.queue.writeBuffer(this.points, 0, spirals());
    this.pipelines = this.compile();
    // Whoever waits for the pipelines gets the error of a lost device. Without a waiter the error says nothing new.
    this.pipelines.catch(() => {});
  }

  async compile() {
    const { device, format } = this;
    const [train, survey, regions] = [TRAIN, SURVEY, REGIONS].map((code) =>
      device.createShaderModule({ code }),
    );
    const group = (
      /** @type {GPUShaderStageFlags} */ visibility,
      /** @type {GPUBufferBindingType[]} */ types,
    ) =>
      device.createBindGroupLayout({
        entries: types.map((type, binding) => ({ binding, visibility, buffer: { type } })),
      });
    const layout = (/** @type {GPUBindGroupLayout} */ one) =>
      device.createPipelineLayout({ bindGroupLayouts: [one] });
    const { COMPUTE, VERTEX, FRAGMENT } = GPUShaderStage;
    const trainGroup = group(COMPUTE, ["read-only-storage", "storage", "storage", "storage", "storage"]);
    const surveyGroup = group(COMPUTE, ["read-only-storage", "storage"]);
    const drawGroup = group(VERTEX | FRAGMENT, ["uniform", "read-only-storage", "read-only-storage"]);
    // Adam takes the same step for every scale of gradient, so the rate is smaller than that of gradient descent.
    const step = (/** @type {number} */ adam, /** @type {number} */ rate) =>
      Promise.all(
        ["learn", "descend"].map((entryPoint) =>
          device.createComputePipelineAsync({
            label: entryPoint,
            layout: layout(trainGroup),
            // A pipeline may set only the constants that its entry point uses.
            compute: { module: train, entryPoint, constants: entryPoint === "learn" ? {} : { adam, rate } },
          }),
        ),
      );
    const draw = (/** @type {string} */ name, /** @type {GPUBlendState | undefined} */ blend) =>
      device.createRenderPipelineAsync({
        label: name,
        layout: layout(drawGroup),
        primitive: { topology: "triangle-strip" },
        vertex: { module: regions, entryPoint: `${name}_corner` },
        fragment: { module: regions, entryPoint: name, targets: [{ format, blend }] },
      });
    const over = /** @type {GPUBlendComponent} */ ({ srcFactor: "one", dstFactor: "one-minus-src-alpha" });
    const [adam, sgd, surveyPipeline, region, point] = await Promise.all([
      step(1, 0.01),
      step(0, 0.3),
      device.createComputePipelineAsync({
        label: "survey",
        layout: layout(surveyGroup),
        compute: { module: survey, entryPoint: "survey" },
      }),
      draw("region", undefined),
      draw("point", { color: over, alpha: over }),
    ]);
    const bind = (/** @type {GPUBindGroupLayout} */ layout, /** @type {GPUBuffer[]} */ buffers) =>
      device.createBindGroup({
        layout,
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
    return {
      adam,
      sgd,
      survey: surveyPipeline,
      region,
      point,
      trainBinding: bind(trainGroup, [this.points, this.parameters, this.averages, this.traces, this.status]),
      surveyBinding: bind(surveyGroup, [this.parameters, this.field]),
      drawBindings: this.looks.map((look) => bind(drawGroup, [look, this.field, this.points])),
    };
  }

  /**
   * The fills of a network: the first has zeros everywhere; the second has the initialiser for the weights.
   * @param {number} net
   * @param {string} init
   */
  fills(net, init) {
    return PARAMETERS.map(({ name, shape }, index) => ({
      buffer: this.parameters,
      offset: 4 * (net * STRIDE + FIRST[index]),
      shape,
      init: net === 1 && shape.length > 1 ? init : "zeros()",
      name,
    }));
  }

  /**
   * Sets both networks to their start. Nothing changes if the library refuses the initialiser.
   * @param {string} init
   * @param {bigint} seed
   */
  async reset(init, seed) {
    // A list names each parameter once, so each network is a list.
    const lists = [0, 1].map((net) => this.fills(net, init));
    await Promise.all(lists.map((fills) => this.recorder.prepare(fills)));
    const pipelines = await this.pipelines;
    const encoder = this.device.createCommandEncoder({ label: "initialise" });
    for (const fills of lists) this.recorder.fillAll(encoder, fills, seed);
    encoder.clearBuffer(this.averages);
    encoder.clearBuffer(this.status);
    this.survey(encoder, pipelines);
    this.draw(encoder, pipelines);
    this.device.queue.submit([encoder.finish()]);
  }

  /**
   * Trains both networks for some steps, draws them, and reads their status.
   * @param {Optimiser} optimiser
   * @param {number} steps
   * @param {boolean} drawn
   * @returns {Promise<Status[]>}
   */
  async train(optimiser, steps, drawn) {
    const pipelines = await this.pipelines;
    const [learn, descend] = pipelines[optimiser];
    const encoder = this.device.createCommandEncoder({ label: "train" });
    const pass = encoder.beginComputePass();
    pass.setBindGroup(0, pipelines.trainBinding);
    for (let step = 0; step < steps; step += 1) {
      pass.setPipeline(learn);
      pass.dispatchWorkgroups(GROUPS.learn, 2);
      pass.setPipeline(descend);
      pass.dispatchWorkgroups(GROUPS.descend, 2);
    }
    pass.end();
    if (drawn) {
      this.survey(encoder, pipelines);
      this.draw(encoder, pipelines);
    }
    encoder.copyBufferToBuffer(this.status, 0, this.staging, 0, this.staging.size);
    this.device.queue.submit([encoder.finish()]);
    await this.staging.mapAsync(GPUMapMode.READ);
    const bytes = this.staging.getMappedRange().slice(0);
    this.staging.unmap();
    const [whole, floats] = [new Uint32Array(bytes), new Float32Array(bytes)];
    return [0, 4].map((at) => ({ steps: whole[at], loss: floats[at + 1], right: floats[at + 2] }));
  }

  /**
   * Computes the decision regions.
   * @param {GPUCommandEncoder} encoder
   * @param {Awaited<Nets["pipelines"]>} pipelines
   */
  survey(encoder, { survey, surveyBinding }) {
    const pass = encoder.beginComputePass();
    pass.setPipeline(survey);
    pass.setBindGroup(0, surveyBinding);
    pass.dispatchWorkgroups(GROUPS.survey, 2);
    pass.end();
  }

  /**
   * Draws the decision regions and the points.
   * @param {GPUCommandEncoder} encoder
   * @param {Awaited<Nets["pipelines"]>} pipelines
   */
  draw(encoder, { region, point, drawBindings }) {
    const colours = ["--raised", "--negative", "--positive"].flatMap((property) => cssColour(property));
    this.contexts.forEach((context, net) => {
      fit(context.canvas);
      const floats = new Float32Array([0, context.canvas.width, 0, 0, ...colours]);
      new Uint32Array(floats.buffer)[0] = net;
      this.device.queue.writeBuffer(this.looks[net], 0, floats);
      const pass = encoder.beginRenderPass({
        colorAttachments: [
          {
            view: context.getCurrentTexture().createView(),
            loadOp: "clear",
            storeOp: "store",
            clearValue: [0, 0, 0, 0],
          },
        ],
      });
      pass.setBindGroup(0, drawBindings[net]);
      pass.setPipeline(region);
      pass.draw(4);
      pass.setPipeline(point);
      pass.draw(4, POINTS);
      pass.end();
    });
  }

  /** Draws again: the theme or the size changed. */
  async redraw() {
    const pipelines = await this.pipelines;
    const encoder = this.device.createCommandEncoder({ label: "redraw" });
    this.draw(encoder, pipelines);
    this.device.queue.submit([encoder.finish()]);
  }
}
