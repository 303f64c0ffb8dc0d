// This type has a file of its own, because the declarations of `wasm.ts` need newer types than a user's
// compiler may have.

/** The argument of `load`: the address of the module `seedbed_web_bg.wasm`, or the module itself. */
export type WasmSource =
  | string
  | URL
  | Response
  | PromiseLike<Response>
  | ArrayBuffer
  | ArrayBufferView<ArrayBuffer>
  | WebAssembly.Module;
