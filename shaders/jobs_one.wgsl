// A dispatch for one job. A uniform: llvmpipe reads it once for all lanes.
@group(0) @binding(0) var<uniform> params: Params;

fn take_job(row: u32) {}
