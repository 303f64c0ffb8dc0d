// The quantile table for GPUs. Each invocation reads another segment. The caches of storage buffers serve
// such reads, while some GPUs read uniform buffers one address at a time.
@group(0) @binding(2) var<storage, read> table: array<vec4<f32>>;
