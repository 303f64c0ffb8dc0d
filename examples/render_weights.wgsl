// The shaders of render_weights.rs. All positions are in pixels, from the top left corner of the image.

struct Panel {
    // The top left corners of the heat map and of the histogram.
    heat_map: vec2f,
    histogram: vec2f,
    // The index of the first weight, and the number of rows of a square matrix.
    first: u32,
    rows: u32,
    // The value in the middle of the histogram and of the colour map, and the reach of each from there.
    centre: f32,
    reach: f32,
    colour_reach: f32,
    // The fraction of the weights in a bin as high as the histogram.
    full: f32,
    // The padding to a multiple of 16 bytes, which an array of uniforms needs.
    padding: vec2f,
}

const PANELS = 8u;
const BINS = 64u;
const BIN_WIDTH = 6.0;
const SIDE = 256.0;
const PLOT = vec2f(f32(BINS) * BIN_WIDTH, SIDE);

override width: f32;
override height: f32;

@group(0) @binding(0) var<uniform> panels: array<Panel, PANELS>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
// The bins of each panel: as the compute shader counts them, and as the fragment shader reads them.
@group(0) @binding(2) var<storage, read_write> bins: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
// The density at the pixels' edges, as a fraction of the plot's height; negative if no curve is drawn.
@group(0) @binding(4) var<storage, read> densities: array<f32>;

// ---- Counting: a row of workgroups for each panel.

var<workgroup> own_bins: array<atomic<u32>, BINS>;

@compute @workgroup_size(256)
fn count(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let panel = panels[id.y];
    if id.x < panel.rows * panel.rows {
        let place = (weights[panel.first + id.x] - panel.centre) / panel.reach * 0.5 + 0.5;
        // The first and the last bin also count the weights beyond them.
        let bin = u32(clamp(place * f32(BINS), 0.0, f32(BINS) - 1.0));
        atomicAdd(&own_bins[bin], 1u);
    }
    workgroupBarrier();
    if lane < BINS {
        atomicAdd(&bins[id.y * BINS + lane], atomicLoad(&own_bins[lane]));
    }
}

// ---- Colours: named as sRGB, blended as linear light. The texture's format encodes them again.

fn linear(srgb: vec3f) -> vec3f {
    return select(pow((srgb + 0.055) / 1.055, vec3f(2.4)), srgb / 12.92, srgb <= vec3f(0.04045));
}

// Blue below 0, red above.
fn colour_map(t: f32) -> vec3f {
    let far = select(vec3f(0.88, 0.20, 0.16), vec3f(0.11, 0.36, 0.86), t < 0.0);
    let near = select(vec3f(0.97, 0.65, 0.45), vec3f(0.50, 0.70, 0.97), t < 0.0);
    let middle = vec3f(0.94, 0.93, 0.90);
    let distance = 2.0 * min(abs(t), 1.0);
    return linear(mix(mix(middle, near, min(distance, 1.0)), far, max(distance - 1.0, 0.0)));
}

// ---- Rectangles.

struct Rectangle {
    @builtin(position) position: vec4f,
    // The position from the rectangle's top left corner.
    @location(0) inside: vec2f,
    @location(1) @interpolate(flat) panel: u32,
}

fn to_clip(pixel: vec2f) -> vec4f {
    return vec4f(pixel / vec2f(width, height) * vec2f(2.0, -2.0) + vec2f(-1.0, 1.0), 0.0, 1.0);
}

// The corners of a triangle strip.
fn corner(vertex: u32) -> vec2f {
    return vec2f(f32(vertex & 1u), f32(vertex >> 1u));
}

@vertex
fn heat_map_corner(@builtin(vertex_index) vertex: u32, @builtin(instance_index) panel: u32) -> Rectangle {
    let inside = corner(vertex) * SIDE;
    return Rectangle(to_clip(panels[panel].heat_map + inside), inside, panel);
}

@fragment
fn heat_map(rectangle: Rectangle) -> @location(0) vec4f {
    let panel = panels[rectangle.panel];
    let cell = vec2u(rectangle.inside / SIDE * f32(panel.rows));
    let value = weights[panel.first + cell.y * panel.rows + cell.x];
    return vec4f(colour_map((value - panel.centre) / panel.colour_reach), 1.0);
}

// Room for half of the curve's width around the plot.
const MARGIN = 3.0;

@vertex
fn histogram_corner(@builtin(vertex_index) vertex: u32, @builtin(instance_index) panel: u32) -> Rectangle {
    let inside = corner(vertex) * (PLOT + 2.0 * MARGIN) - MARGIN;
    return Rectangle(to_clip(panels[panel].histogram + inside), inside, panel);
}

fn distance_to_segment(point: vec2f, a: vec2f, b: vec2f) -> f32 {
    let along = b - a;
    let t = clamp(dot(point - a, along) / max(dot(along, along), 1e-12), 0.0, 1.0);
    return distance(point, a + t * along);
}

// The fraction of a pixel that a line covers, at this distance from the middle of the line.
fn coverage(distance: f32, radius: f32) -> f32 {
    return clamp(radius + 0.5 - distance, 0.0, 1.0);
}

@fragment
fn histogram(rectangle: Rectangle) -> @location(0) vec4f {
    let panel = panels[rectangle.panel];
    // The position from the lower left corner.
    let point = vec2f(rectangle.inside.x, PLOT.y - rectangle.inside.y);
    var colour = vec4f(0.0);

    let is_inside = all(point >= vec2f(0.0)) && all(point < PLOT);
    if is_inside && point.x % BIN_WIDTH < BIN_WIDTH - 1.0 {
        let bin = u32(point.x / BIN_WIDTH);
        let part = f32(counts[rectangle.panel * BINS + bin]) / f32(panel.rows * panel.rows);
        // A bin that is not empty is at least two pixels high.
        let top = select(0.0, max(part / panel.full * PLOT.y, 2.0), part > 0.0);
        let middle = ((f32(bin) + 0.5) / f32(BINS) * 2.0 - 1.0) * panel.reach;
        colour = vec4f(colour_map(middle / panel.colour_reach), 1.0) * clamp(top - point.y + 0.5, 0.0, 1.0) * 0.8;
    }

    // The curve has one segment for each column of pixels. Only nearby segments can cover the point.
    let columns = i32(PLOT.x);
    let first = rectangle.panel * (u32(columns) + 1u);
    var nearest = 1e9;
    for (var column = i32(floor(point.x)) - 2; column <= i32(floor(point.x)) + 2; column++) {
        if column >= 0 && column < columns {
            let a = densities[first + u32(column)];
            let b = densities[first + u32(column) + 1u];
            if min(a, b) >= 0.0 {
                let left = vec2f(f32(column), a * PLOT.y);
                let right = vec2f(f32(column) + 1.0, b * PLOT.y);
                nearest = min(nearest, distance_to_segment(point, left, right));
            }
        }
    }
    let curve = coverage(nearest, 1.1);
    // The colours have premultiplied alpha; the curve lies over the bar.
    return vec4f(vec3f(1.0), 1.0) * curve + colour * (1.0 - curve);
}

// ---- Strokes: axes and letters.

struct Stroke {
    @builtin(position) position: vec4f,
    @location(0) point: vec2f,
    @location(1) @interpolate(flat) ends: vec4f,
    @location(2) @interpolate(flat) colour: vec4f,
    @location(3) @interpolate(flat) radius: f32,
}

@vertex
fn stroke_corner(
    @builtin(vertex_index) vertex: u32,
    @location(0) ends: vec4f,
    @location(1) colour: vec4f,
    @location(2) radius: f32,
) -> Stroke {
    let low = min(ends.xy, ends.zw) - radius - 1.0;
    let high = max(ends.xy, ends.zw) + radius + 1.0;
    let point = mix(low, high, corner(vertex));
    return Stroke(to_clip(point), point, ends, colour, radius);
}

@fragment
fn stroke(stroke: Stroke) -> @location(0) vec4f {
    let alpha = stroke.colour.a * coverage(distance_to_segment(stroke.point, stroke.ends.xy, stroke.ends.zw), stroke.radius);
    return vec4f(linear(stroke.colour.rgb), 1.0) * alpha;
}
