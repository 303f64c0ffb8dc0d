// A file of its own: the declarations of `wasm.ts` need newer types than a program's compiler may have.

/** What `load` takes: where the module `seedbed_web_bg.wasm` is, or the module itself. */
export type WasmSource =
  | string
  | URL
  | Response
  | PromiseLike<Response>
  | ArrayBuffer
  | ArrayBufferView<ArrayBuffer>
  | WebAssembly.Module;
