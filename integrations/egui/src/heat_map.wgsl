// Draws a matrix of weights as a heat map. egui has set the viewport to the heat map's rectangle.

override rows: f32;
override columns: f32;
// The weight that has the full colour.
override reach: f32;

@group(0) @binding(0) var<storage, read> weights: array<f32>;

struct Corner {
    @builtin(position) position: vec4f,
    // The position in the matrix: x counts columns, y counts rows.
    @location(0) cell: vec2f,
}

@vertex
fn corner(@builtin(vertex_index) vertex: u32) -> Corner {
    let at = vec2f(f32(vertex & 1u), f32(vertex >> 1u));
    return Corner(vec4f(2.0 * at.x - 1.0, 1.0 - 2.0 * at.y, 0.0, 1.0), at * vec2f(columns, rows));
}

// Negative weights are blue, positive ones red. The colours are sRGB, as those of egui's own shader are.
@fragment
fn heat_map(corner: Corner) -> @location(0) vec4f {
    let cell = vec2u(min(corner.cell, vec2f(columns, rows) - 1.0));
    let weight = weights[cell.y * u32(columns) + cell.x] / reach;
    let end = select(vec3f(0.88, 0.20, 0.16), vec3f(0.11, 0.36, 0.86), weight < 0.0);
    return vec4f(mix(vec3f(0.94, 0.93, 0.90), end, min(abs(weight), 1.0)), 1.0);
}
