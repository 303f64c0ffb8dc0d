// @ts-check
// The page: loads the library, opens the GPU, starts the sections.

import * as library from "./seedbed/index.js";
import { Check } from "./check.js";
import { CpuPicture } from "./cpu-picture.js";
import { lost, openGpu } from "./device.js";
import { byId, make, setText, textOf } from "./dom.js";
import { GpuPicture } from "./gpu-picture.js";
import { Look } from "./look.js";
import { startNavigation } from "./navigation.js";
import { startTheme } from "./theme.js";
import { Train } from "./train.js";

const WHERE =
  "WebGPU is in Chrome and Edge from version 113 on (on Linux from 144 on, for some GPUs), in Safari from " +
  "version 26 on, and in Firefox from version 141 on (Windows) or 145 on (macOS).";

/** @param {(string | HTMLElement)[]} paragraphs */
function notice(paragraphs) {
  const box = byId("notice");
  box.replaceChildren(
    ...paragraphs.map((paragraph) => {
      if (typeof paragraph !== "string") return paragraph;
      return make("p", paragraph);
    }),
  );
  box.hidden = false;
}

/** Says that the device is lost, once it is. @param {import("./device.js").Gpu} gpu */
async function watch(gpu) {
  const { message } = await gpu.device.lost;
  gpu.lost = true;
  const reload = make("button", "Reload the page");
  reload.addEventListener("click", () => location.reload());
  notice([
    `The GPU device is lost${message ? `: ${message}` : "."}`,
    "Reload the page to open a new device.",
    reload,
  ]);
}

async function start() {
  startNavigation();
  const [{ gpu, reason }, seedbed] = await Promise.all([openGpu(), library.load()]);
  setText("versions", `Package ${seedbed.VERSION}, contract version ${seedbed.CONTRACT_VERSION}`);
  /** @type {GpuPicture | CpuPicture} */
  let picture;
  if (gpu) {
    watch(gpu);
    const recorder = new seedbed.FillRecorder(gpu.device);
    picture = new GpuPicture(gpu, recorder, byId("heat-map"), byId("histogram"));
    setText("adapter", `Your GPU: ${gpu.name}.`);
  } else {
    setText("adapter", "This page has no GPU, so the CPU engine computes the same bits.");
    notice([
      reason ?? "",
      WHERE,
      "Below, the library’s CPU engine fills the tensor. The same seed gives the same bits as on a GPU.",
    ]);
    picture = new CpuPicture(seedbed, byId("heat-map"), byId("histogram"));
    setText(
      "look-text",
      "seedbed’s CPU engine fills an array of this page. A GPU would write the same bits.",
    );
  }
  const isLost = async () => gpu !== undefined && (await lost(gpu));
  const look = new Look(seedbed, picture, isLost);
  const train = new Train(seedbed, gpu);
  new Check(seedbed, gpu);
  startTheme(() => {
    look.redraw();
    train.redraw();
  });
}

start().catch((error) => {
  setText("adapter", "");
  notice([`The page could not start: ${textOf(error)}`]);
});
