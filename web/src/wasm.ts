// The library's WebAssembly module: loading, and calls that survive a trap.

import type { WasmSource } from "./source.js";
import init, * as glue from "./wasm/seedbed_web.js";

let loading: Promise<void> | undefined;
let isLoaded = false;
let instances = 0;

/** Loads the module once. A load that failed can be tried again. */
export function loadOnce(source?: WasmSource): Promise<void> {
  loading ??= start(source).catch((error: unknown) => {
    loading = undefined;
    const reason = (error as Error | undefined)?.message ?? String(error);
    throw new Error(`the WebAssembly module of seedbed could not be loaded: ${reason}`, { cause: error });
  });
  return loading;
}

async function start(source: WasmSource | undefined): Promise<void> {
  const from = source ?? new URL("./wasm/seedbed_web_bg.wasm", import.meta.url);
  const found = await (typeof from === "string" || from instanceof URL ? read(from) : from);
  let module: BufferSource | WebAssembly.Module;
  if (typeof Response === "function" && found instanceof Response) {
    const type = found.headers.get("Content-Type") ?? "";
    const isPage = type.startsWith("text/");
    if (!found.ok || isPage) {
      throw new Error(
        `${found.url} gave ${isPage ? `a file of type ${type}` : `HTTP status ${found.status}`}; ` +
          "serve the file seedbed_web_bg.wasm there, or pass its address to load()",
      );
    }
    const isWasm = type === "application/wasm";
    module = isWasm ? await WebAssembly.compileStreaming(found) : await found.arrayBuffer();
  } else {
    module = found as BufferSource | WebAssembly.Module;
  }
  if (!(module instanceof WebAssembly.Module)) module = await WebAssembly.compile(module);
  // wasm-bindgen's glue would keep another module for ever.
  if (!WebAssembly.Module.exports(module).some(({ name }) => name === "planner_new")) {
    throw new Error("it is another module; pass the file seedbed_web_bg.wasm of this package to load()");
  }
  await init({ module_or_path: module });
  isLoaded = true;
}

async function read(from: string | URL): Promise<Response | BufferSource> {
  const url = from instanceof URL ? from : new URL(from, globalThis.location?.href ?? import.meta.url);
  if (url.protocol !== "file:") return fetch(url);
  // Node's fetch reads no files. The name is a variable, so that bundlers for browsers ignore the import.
  const files = "node:fs/promises";
  const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ files);
  return readFile(url);
}

/**
 * Calls the module. A trap leaves the module's memory in an unknown state, so the package instantiates the
 * module anew after a trap.
 */
export function call<T>(f: (library: typeof glue) => T): T {
  if (!isLoaded) throw new Error("seedbed is not loaded yet: await load() first");
  try {
    return f(glue);
  } catch (error) {
    // The library's own errors are plain, and a trap is not.
    if (error instanceof Error && error.constructor === Error) throw error;
    instances += 1;
    glue.__wbg_reset_state();
    throw new Error(
      `seedbed's WebAssembly module failed (${String(error)}): the memory was used up, or this is a bug; ` +
        "the module was started anew, and the next call works",
      { cause: error },
    );
  }
}

/** The number of times that the package started the module anew. Objects of earlier instances are unusable. */
export function instance(): number {
  return instances;
}
