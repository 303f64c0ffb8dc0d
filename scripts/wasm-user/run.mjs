// Runs a build of this crate: node run.mjs FILE.wasm
import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));

// wasm-bindgen would write the JavaScript behind its imports, and the host engine may call none of that.
// Any other import is a symbol that the linker did not find.
const imports = {};
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  if (!from.startsWith("__wbindgen_")) throw new Error(`nobody provides the import ${from}.${name}`);
  imports[from] ??= {};
  imports[from][name] = () => {
    throw new Error(`the host engine called ${from}.${name}`);
  };
}

const { exports } = new WebAssembly.Instance(module, imports);
const status = exports.main(0, 0);
if (status !== 0) throw new Error(`fill ${status} of src/main.rs is wrong`);
console.log("wasm: every fill is right");
