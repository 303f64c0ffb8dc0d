// @ts-check
// The shaders of the heat map, the histogram and the moments. All read the tensor where seedbed wrote it.

import { STOPS } from "./colour.js";
import { BINS, HEADROOM } from "./law.js";

/** The f32 numbers of `Picture`. */
export const PICTURE_FLOATS = 16 + 4 * STOPS;
export const WORKGROUP = 256;
/** The greatest number of workgroups of `count`. */
export const MAX_GROUPS = 256;

const PICTURE = /* wgsl */ `
struct Picture {
  elements: u32,
  rows: u32,
  columns: u32,
  dtype: u32, // 0: f32, 1: f16, 2: bf16
  low: f32,
  high: f32,
  colour_reach: f32,
  full: f32,
  centre: f32,
  groups: u32,
  padding_0: u32,
  padding_1: u32,
  bars: vec4f,
  stops: array<vec4f, ${STOPS}>,
}

@group(0) @binding(0) var<uniform> picture: Picture;
@group(0) @binding(1) var<storage, read> words: array<u32>;

fn element(index: u32) -> f32 {
  if picture.dtype == 0 {
    return bitcast<f32>(words[index]);
  }
  let word = words[index / 2];
  let half = select(word & 0xffff, word >> 16, index % 2 == 1);
  if picture.dtype == 1 {
    return unpack2x16float(half).x;
  }
  return bitcast<f32>(half << 16);
}
`;

/** Counts the histogram's bins and reduces the moments. */
export const COUNT = /* wgsl */ `${PICTURE}
// The moments of some elements: the sums of x - centre and of its square, the least and the greatest x. The
// centre is the law's mean, so that the squares lose no digits.
@group(0) @binding(2) var<storage, read_write> bins: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec4f>;

var<workgroup> counts: array<atomic<u32>, ${BINS}>;
var<workgroup> shared_moments: array<vec4f, ${WORKGROUP}>;

const NOTHING = vec4f(0, 0, 3.4e38, -3.4e38);

fn join(a: vec4f, b: vec4f) -> vec4f {
  return vec4f(a.xy + b.xy, min(a.z, b.z), max(a.w, b.w));
}

fn reduce(local: u32) {
  for (var half = ${WORKGROUP / 2}u; half > 0; half /= 2) {
    workgroupBarrier();
    if local < half {
      shared_moments[local] = join(shared_moments[local], shared_moments[local + half]);
    }
  }
}

@compute @workgroup_size(${WORKGROUP})
fn count(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3u) {
  var moments = NOTHING;
  let scale = ${BINS} / (picture.high - picture.low);
  for (var i = group.x * ${WORKGROUP} + local; i < picture.elements; i += picture.groups * ${WORKGROUP}) {
    let x = element(i);
    let d = x - picture.centre;
    moments = join(moments, vec4f(d, d * d, x, x));
    let bin = floor((x - picture.low) * scale);
    if bin >= 0 && bin < ${BINS} {
      atomicAdd(&counts[u32(bin)], 1);
    }
  }
  shared_moments[local] = moments;
  reduce(local);
  if local < ${BINS} {
    atomicAdd(&bins[local], atomicLoad(&counts[local]));
  }
  if local == 0 {
    partial[group.x + 1] = shared_moments[0];
  }
}

// Writes mean, std, least and greatest into the first of the partial moments.
@compute @workgroup_size(${WORKGROUP})
fn finish(@builtin(local_invocation_index) local: u32) {
  var moments = NOTHING;
  for (var i = local; i < picture.groups; i += ${WORKGROUP}) {
    moments = join(moments, partial[i + 1]);
  }
  shared_moments[local] = moments;
  reduce(local);
  if local == 0 {
    let whole = shared_moments[0];
    let mean = whole.x / f32(picture.elements);
    let variance = max(whole.y / f32(picture.elements) - mean * mean, 0);
    partial[0] = vec4f(picture.centre + mean, sqrt(variance), whole.zw);
  }
}
`;

/** Draws the heat map and the histogram. */
export const DRAW = /* wgsl */ `${PICTURE}
@group(0) @binding(2) var<storage, read> bins: array<u32>;

struct Corner {
  @builtin(position) position: vec4f,
  @location(0) at: vec2f, // 0, 0: the top left
}

@vertex
fn heat_corner(@builtin(vertex_index) index: u32) -> Corner {
  let at = vec2f(vec2u(index & 1, index >> 1) * 2);
  return Corner(vec4f(at.x * 2 - 1, 1 - at.y * 2, 0, 1), at);
}

@fragment
fn heat(corner: Corner) -> @location(0) vec4f {
  let row = min(u32(corner.at.y * f32(picture.rows)), picture.rows - 1);
  let column = min(u32(corner.at.x * f32(picture.columns)), picture.columns - 1);
  let index = row * picture.columns + column;
  if index >= picture.elements {
    return vec4f(0);
  }
  let part = clamp(element(index) / picture.colour_reach, -1, 1);
  let at = (part + 1) * ${(STOPS - 1) / 2};
  let stop = min(u32(at), ${STOPS - 2});
  return mix(picture.stops[stop], picture.stops[stop + 1], at - f32(stop));
}

@vertex
fn bar_corner(@builtin(vertex_index) corner: u32, @builtin(instance_index) bin: u32) -> @builtin(position) vec4f {
  var full = picture.full * f32(picture.elements);
  if picture.full == 0 {
    for (var i = 0u; i < ${BINS}; i += 1) {
      full = max(full, f32(bins[i]) / ${HEADROOM});
    }
  }
  let height = select(min(f32(bins[bin]) / full, 1), 0, bins[bin] == 0);
  let part = vec2f(vec2u(corner & 1, corner >> 1));
  let x = (f32(bin) + part.x) / ${BINS};
  return vec4f(x * 2 - 1, part.y * height * 2 - 1, 0, 1);
}

@fragment
fn bar() -> @location(0) vec4f {
  return picture.bars;
}
`;
