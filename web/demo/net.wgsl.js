// @ts-check
// The shaders of the two networks, 2 -> 32 -> 32 -> 1 with tanh: a step of training, the decision regions.

import { POINTS } from "./spirals.js";

/** The units of a hidden layer. */
export const HIDDEN = 32;
/** The points along a side of the grid on which the decision regions are computed. */
export const GRID = 56;

/** The parameters, as a checkpoint names them, and their first elements in a network's part of the arena. */
export const PARAMETERS = [
  { name: "layer1.weight", shape: [HIDDEN, 2] },
  { name: "layer1.bias", shape: [HIDDEN] },
  { name: "layer2.weight", shape: [HIDDEN, HIDDEN] },
  { name: "layer2.bias", shape: [HIDDEN] },
  { name: "layer3.weight", shape: [1, HIDDEN] },
  { name: "layer3.bias", shape: [1] },
];

let end = 0;
/** The first element of each parameter: a multiple of 4, as the shaders compute with vectors of four. */
export const FIRST = PARAMETERS.map(({ shape }) => {
  const first = end;
  end += Math.ceil(shape.reduce((product, length) => product * length, 1) / 4) * 4;
  return first;
});
/** The elements from one network to the next in the arena. */
export const STRIDE = Math.ceil(end / 64) * 64;

// From here on, all sizes are counted in vectors of four.
const [W1, B1, W2, B2, W3, B3] = FIRST.map((first) => first / 4);
const UNITS = HIDDEN / 4;
const NET = STRIDE / 4;
/** The vectors of a network's parameters. */
export const VECTORS = end / 4;
// What a point leaves for the gradients: the values and the deltas of both layers, then the vector of the output's
// delta, of the loss, and of whether the network is right.
const [H1, H2, D1, D2, OUT] = [0, 1, 2, 3, 4].map((index) => index * UNITS);
export const TRACE = OUT + 1;
/** The workgroups of a step's dispatches, in x: one invocation for each point, one for each vector of parameters. */
export const GROUPS = {
  learn: POINTS / 64,
  descend: Math.ceil((VECTORS + 1) / 64),
  survey: (GRID * GRID) / 64,
};

const FORWARD = /* wgsl */ `
var<private> h1: array<vec4f, ${UNITS}>;
var<private> h2: array<vec4f, ${UNITS}>;

// A tanh that no device turns into infinity / infinity.
fn squash(x: vec4f) -> vec4f {
  return tanh(clamp(x, vec4f(-15), vec4f(15)));
}

// Row \`row\` of the second layer's weight, times the first layer's values.
fn row_times_h1(first: u32, row: u32) -> f32 {
  var sum = vec4f(0);
  for (var i = 0u; i < ${UNITS}; i += 1) {
    sum += parameters[first + ${W2} + row * ${UNITS} + i] * h1[i];
  }
  return sum.x + sum.y + sum.z + sum.w;
}

// The logit of a point.
fn forward(at: vec2f, first: u32) -> f32 {
  for (var i = 0u; i < ${UNITS}; i += 1) {
    let low = parameters[first + ${W1} + 2 * i];
    let high = parameters[first + ${W1} + 2 * i + 1];
    let sums = vec4f(low.xz, high.xz) * at.x + vec4f(low.yw, high.yw) * at.y;
    h1[i] = squash(sums + parameters[first + ${B1} + i]);
  }
  var logit = parameters[first + ${B3}].x;
  for (var i = 0u; i < ${UNITS}; i += 1) {
    let sums = vec4f(row_times_h1(first, 4 * i), row_times_h1(first, 4 * i + 1),
      row_times_h1(first, 4 * i + 2), row_times_h1(first, 4 * i + 3));
    h2[i] = squash(sums + parameters[first + ${B2} + i]);
    logit += dot(parameters[first + ${W3} + i], h2[i]);
  }
  return logit;
}
`;

/** A step of training in two dispatches: `learn` for each point, then `descend` for each vector of parameters. */
export const TRAIN = /* wgsl */ `
struct Status {
  steps: u32,
  loss: f32,
  right: f32,
  padding: u32,
}

@group(0) @binding(0) var<storage, read> points: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> averages: array<array<vec4f, 2>>;
@group(0) @binding(3) var<storage, read_write> traces: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> status: array<Status, 2>;

override adam: bool;
override rate: f32;
${FORWARD}
// Forward and backward. Invocation x, y: the point, the network.
@compute @workgroup_size(64)
fn learn(@builtin(global_invocation_id) invocation: vec3u) {
  let net = invocation.y;
  let first = net * ${NET};
  let point = points[invocation.x];
  let logit = forward(point.xy, first);
  let delta = 1 / (1 + exp(-clamp(logit, -40, 40))) - point.z;

  let trace = (net * ${POINTS} + invocation.x) * ${TRACE};
  var sums: array<vec4f, ${UNITS}>;
  for (var i = 0u; i < ${UNITS}; i += 1) {
    let d2 = delta * parameters[first + ${W3} + i] * (1 - h2[i] * h2[i]);
    traces[trace + ${H1} + i] = h1[i];
    traces[trace + ${H2} + i] = h2[i];
    traces[trace + ${D2} + i] = d2;
    let rows = first + ${W2} + 4 * i * ${UNITS};
    for (var j = 0u; j < ${UNITS}; j += 1) {
      sums[j] += d2.x * parameters[rows + j] + d2.y * parameters[rows + ${UNITS} + j]
        + d2.z * parameters[rows + ${2 * UNITS} + j] + d2.w * parameters[rows + ${3 * UNITS} + j];
    }
  }
  for (var i = 0u; i < ${UNITS}; i += 1) {
    traces[trace + ${D1} + i] = sums[i] * (1 - h1[i] * h1[i]);
  }
  // The cross entropy, log(1 + exp(logit)) - class * logit, without overflow.
  let loss = max(logit, 0) - point.z * logit + log(1 + exp(-abs(logit)));
  let right = f32((logit > 0) == (point.z > 0.5));
  traces[trace + ${OUT}] = vec4f(delta, loss, right, 0);
  if invocation.x == 0 {
    status[net].steps += 1;
  }
}

// The derivative of a point's loss by a vector of parameters.
fn gradient(index: u32, trace: u32, point: vec4f) -> vec4f {
  if index < ${B1} {
    let deltas = traces[trace + ${D1} + index / 2];
    let pair = select(deltas.xy, deltas.zw, index % 2 == 1);
    return pair.xxyy * point.xyxy;
  } else if index < ${W2} {
    return traces[trace + ${D1} + index - ${B1}];
  } else if index < ${B2} {
    let row = (index - ${W2}) / ${UNITS};
    return traces[trace + ${D2} + row / 4][row % 4] * traces[trace + ${H1} + (index - ${W2}) % ${UNITS}];
  } else if index < ${W3} {
    return traces[trace + ${D2} + index - ${B2}];
  } else if index < ${B3} {
    return traces[trace + ${OUT}].x * traces[trace + ${H2} + index - ${W3}];
  }
  return vec4f(traces[trace + ${OUT}].x, 0, 0, 0);
}

// A step of Adam, or of gradient descent with momentum. Invocation x, y: the vector of parameters, the network.
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) invocation: vec3u) {
  let net = invocation.y;
  let index = invocation.x;
  if index < ${VECTORS} {
    var sum = vec4f(0);
    for (var i = 0u; i < ${POINTS}; i += 1) {
      sum += gradient(index, (net * ${POINTS} + i) * ${TRACE}, points[i]);
    }
    let g = sum / ${POINTS};
    let at = net * ${NET} + index;
    var average = averages[at];
    if adam {
      average = array(mix(g, average[0], 0.9), mix(g * g, average[1], 0.999));
      let steps = f32(status[net].steps);
      let mean = average[0] / (1 - pow(0.9, steps));
      let square = average[1] / (1 - pow(0.999, steps));
      parameters[at] -= rate * mean / (sqrt(square) + 1e-8);
    } else {
      average[0] = 0.9 * average[0] + g;
      parameters[at] -= rate * average[0];
    }
    averages[at] = average;
  } else if index == ${VECTORS} {
    var sum = vec4f(0);
    for (var i = 0u; i < ${POINTS}; i += 1) {
      sum += traces[(net * ${POINTS} + i) * ${TRACE} + ${OUT}];
    }
    status[net].loss = sum.y / ${POINTS};
    status[net].right = sum.z / ${POINTS};
  }
}
`;

/** The logits on a grid over the square from -1 to 1. */
export const SURVEY = /* wgsl */ `
@group(0) @binding(0) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> field: array<f32>;
${FORWARD}
// Invocation x, y: the point of the grid, the network.
@compute @workgroup_size(64)
fn survey(@builtin(global_invocation_id) invocation: vec3u) {
  let cell = vec2u(invocation.x % ${GRID}, invocation.x / ${GRID});
  let at = vec2f(cell) / ${(GRID - 1) / 2} - 1;
  field[invocation.y * ${GRID * GRID} + invocation.x] = forward(at, invocation.y * ${NET});
}
`;

/** Draws the decision regions of a network and the points. */
export const REGIONS = /* wgsl */ `
struct Look {
  net: u32,
  pixels: f32, // the canvas's width
  padding: vec2f,
  ground: vec4f,
  classes: array<vec4f, 2>,
}

@group(0) @binding(0) var<uniform> look: Look;
@group(0) @binding(1) var<storage, read> field: array<f32>;
@group(0) @binding(2) var<storage, read> points: array<vec4f>;

struct Corner {
  @builtin(position) position: vec4f,
  @location(0) at: vec2f,
  @location(1) @interpolate(flat, either) class_index: u32,
}

@vertex
fn region_corner(@builtin(vertex_index) index: u32) -> Corner {
  let at = vec2f(vec2u(index & 1, index >> 1) * 2);
  return Corner(vec4f(at.x * 2 - 1, at.y * 2 - 1, 0, 1), at, 0);
}

fn logit_at(column: u32, row: u32) -> f32 {
  return field[(look.net * ${GRID} + row) * ${GRID} + column];
}

@fragment
fn region(corner: Corner) -> @location(0) vec4f {
  let at = clamp(corner.at, vec2f(0), vec2f(1)) * ${GRID - 1};
  let cell = min(vec2u(at), vec2u(${GRID - 2}));
  let part = at - vec2f(cell);
  let near = mix(logit_at(cell.x, cell.y), logit_at(cell.x + 1, cell.y), part.x);
  let far = mix(logit_at(cell.x, cell.y + 1), logit_at(cell.x + 1, cell.y + 1), part.x);
  let certainty = tanh(clamp(mix(near, far, part.y), -15, 15) / 2);
  let colour = select(look.classes[0], look.classes[1], certainty > 0);
  return mix(look.ground, colour, 0.62 * abs(certainty));
}

@vertex
fn point_corner(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Corner {
  let point = points[instance];
  let at = vec2f(vec2u(index & 1, index >> 1)) * 2 - 1;
  return Corner(vec4f(point.xy + at * 0.026, 0, 1), at, u32(point.z));
}

@fragment
fn point(corner: Corner) -> @location(0) vec4f {
  let edge = 2 / (0.026 * look.pixels); // a pixel, in radii
  let radius = length(corner.at);
  let cover = 1 - smoothstep(1 - edge, 1, radius);
  let inside = 1 - smoothstep(0.7 - edge, 0.7, radius);
  return vec4f(mix(look.ground.rgb, look.classes[corner.class_index].rgb, inside) * cover, cover);
}
`;
