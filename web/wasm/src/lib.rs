//! The library behind the JavaScript package: what `web/src/*.ts` calls. Nobody else calls this module, so its
//! functions take and give plain arrays, which the TypeScript beside it names.
//!
//! - `Planner`: a device's planner, and fills on their way to a program.
//! - `Trials`: the self-test of a device.
//! - `fill`: fills of memory, on the CPU.
//! - `describe`, `check`, `initialisers`: facts about initialisers.
//! - `fold_in`, `named`: derived keys.

mod describe;
mod fill;
mod key;
mod planner;
mod self_test;
mod tensor;

use seedbed::Error;
use wasm_bindgen::JsError;

/// An `Error` of JavaScript with the library's text.
fn thrown(error: Error) -> JsError {
    JsError::new(&error.to_string())
}
