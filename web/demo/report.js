// @ts-check
// The report that a visitor copies.

import { clockOf } from "./speed.js";

/**
 * @typedef {object} Results
 * @property {any} [selfTest] the library's report
 * @property {{ engine: string, results: import("./golden.js").GoldenResult[] }} [golden]
 * @property {import("./speed.js").Speed[]} [speed]
 */

/**
 * The report as text: a block for each topic.
 * @param {any} seedbed
 * @param {import("./device.js").Gpu | undefined} gpu
 * @param {Results} results
 */
export function reportText(seedbed, gpu, { selfTest, golden, speed }) {
  const blocks = [
    `seedbed ${seedbed.VERSION}, contract ${seedbed.CONTRACT_VERSION}\n${navigator.userAgent}`,
    gpu ? adapterText(gpu) : "adapter: none",
    selfTest ? selfTestText(selfTest) : "self-test: not run",
    golden ? goldenText(golden) : "golden hashes: not run",
    speed && gpu ? speedText(gpu, speed) : "speed: not measured",
  ];
  return blocks.map((block) => block.trim()).join("\n\n") + "\n";
}

/** @param {import("./device.js").Gpu} gpu */
function adapterText({ adapter, device, name }) {
  const { vendor, architecture, description } = adapter.info;
  const fallback = /** @type {any} */ (adapter.info).isFallbackAdapter ? ", a fallback adapter" : "";
  const limits = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupsPerDimension",
    "minStorageBufferOffsetAlignment",
  ];
  return [
    `adapter: ${name}${fallback}`,
    `  ${JSON.stringify({ vendor, architecture, description })}`,
    `features of the adapter: ${[...adapter.features].sort().join(", ")}`,
    `features of the device: ${[...device.features].sort().join(", ")}`,
    "limits of the device:",
    ...limits.map((limit) => `  ${limit} ${/** @type {any} */ (device.limits)[limit]}`),
  ].join("\n");
}

/** @param {any} selfTest the library's report */
function selfTestText(selfTest) {
  const others = selfTest.checks.filter((/** @type {any} */ check) => check.outcome !== "passed");
  return [
    `self-test: ${selfTest.passed ? "passed" : "FAILED"}`,
    `  ${selfTest}`,
    ...others.map((/** @type {any} */ { name, outcome, detail }) => `  ${name} (${outcome}): ${detail}`),
  ].join("\n");
}

/** @param {NonNullable<Results["golden"]>} golden */
function goldenText({ engine, results }) {
  const count = (/** @type {string} */ outcome) =>
    results.filter((result) => result.outcome === outcome).length;
  const others = results.filter(({ outcome }) => outcome !== "equal");
  return [
    `golden hashes, on the ${engine}: ${count("equal")} equal, ${count("differs")} differ, ${count("skipped")} skipped`,
    ...others.map(({ name, outcome, detail }) => `  ${name}: ${outcome}, ${detail ?? ""}`),
  ].join("\n");
}

/**
 * @param {import("./device.js").Gpu} gpu
 * @param {import("./speed.js").Speed[]} speed
 */
function speedText(gpu, speed) {
  return [
    `speed, medians by ${clockOf(gpu)}:`,
    ...speed.map(
      ({ elements, dtype, fill, clear }) =>
        `  xavier_normal ${dtype}, ${elements} elements: ${fill.toPrecision(3)} ms; clearBuffer ${clear.toPrecision(3)} ms`,
    ),
  ].join("\n");
}
