// The quantile table where a GPU gathers from it: every lane reads another segment, which is what
// caches of storage are for, while some GPUs read uniform buffers one address at a time.
@group(0) @binding(2) var<storage, read> table: array<vec4<f32>>;
