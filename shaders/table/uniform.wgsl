// The quantile table for CPUs: llvmpipe (Mesa 22) gathers five times faster from a uniform buffer. The table
// takes 8 KiB, half of the uniform buffer that every device can bind.
@group(0) @binding(2) var<uniform> table: array<vec4<f32>, 512>;
