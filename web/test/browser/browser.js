// Chromium for the tests, and pages in which nothing may go wrong unseen.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** The browser: the one that CHROMIUM names, else the first of the usual names on the path. */
export function chromiumPath() {
  const { CHROMIUM, PATH = "" } = process.env;
  if (CHROMIUM) return CHROMIUM;
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const places = PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  const found = places.find(existsSync);
  if (!found)
    throw new Error(`no browser: install chromium, or set CHROMIUM to a browser's path (tried ${names})`);
  return found;
}

// SwiftShader for WebGPU, and for the browser's own compositing too: a page of software compositing cannot show a
// canvas that WebGPU drew. Headless Chromium composites in software without --enable-gpu.
const SWIFTSHADER = [
  "--enable-unsafe-webgpu",
  "--enable-gpu",
  "--ignore-gpu-blocklist",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
];

/** Starts the browser, without a window and without a GPU: WebGPU runs on SwiftShader, or not at all. */
export function launch({ webgpu = true } = {}) {
  return chromium.launch({
    executablePath: chromiumPath(),
    // Chromium's sandbox refuses to run as root, as containers do.
    chromiumSandbox: false,
    args: webgpu ? SWIFTSHADER : [],
  });
}

const at = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/** The page as `cargo xtask web` puts it together: the demo, the built package, the golden hashes. */
export const SITE = {
  "/": at("../../demo/"),
  "/seedbed/": at("../../dist/"),
  "/golden.json": at("../../../tests/programs/fills.json"),
};

/**
 * A new page, and the list of everything that the page complains about.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function newPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`page error: ${error.stack ?? error}`));
  page.on("requestfailed", (request) => complaints.push(`request failed: ${request.url()}`));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  return { context, page, complaints };
}
