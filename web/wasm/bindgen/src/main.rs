//! Writes the JavaScript around a module: `seedbed-web-bindgen IN.wasm OUT_FOLDER`.

use std::error::Error;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = &arguments[..] else {
        return Err("usage: seedbed-web-bindgen IN.wasm OUT_FOLDER".into());
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).web(true)?.typescript(true).omit_default_module_path(true);
    // After a trap the package resets the module, so that the next call works.
    bindgen.reset_state_function(true);
    bindgen.generate(output)?;
    Ok(())
}
