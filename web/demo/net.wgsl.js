// @ts-check
// The shaders of the two networks, 2 -> 32 -> 32 -> 1 with tanh: a step of training, the decision regions.

import { POINTS } from "./spirals.js";

/** The units of a hidden layer. */
export const HIDDEN = 32;
/** The points along a side of the grid on which the decision regions are computed. */
export const GRID = 64;

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
/** The first element of each parameter. */
export const FIRST = PARAMETERS.map(({ shape }) => {
  const first = end;
  end += shape.reduce((product, length) => product * length, 1);
  return first;
});
/** The parameters of a network. */
export const COUNT = end;
/** The elements from one network to the next in the arena. */
export const STRIDE = Math.ceil(COUNT / 64) * 64;

// What a point leaves for the gradients: both layers' values and deltas, the output's delta, loss, whether the
// network is right.
const [H1, H2, D1, D2, D3] = [0, 1, 2, 3, 4].map((index) => index * HIDDEN);
export const TRACE = D3 + 4;

const [W1, B1, W2, B2, W3, B3] = FIRST;

const FORWARD = /* wgsl */ `
var<workgroup> h1: array<f32, ${HIDDEN}>;
var<workgroup> h2: array<f32, ${HIDDEN}>;
var<workgroup> products: array<f32, ${HIDDEN}>;

// A tanh that no device turns into infinity / infinity.
fn squash(x: f32) -> f32 {
  return tanh(clamp(x, -15, 15));
}

// The logit of a point. Each invocation of a workgroup computes a unit of each layer.
fn forward(at: vec2f, first: u32, unit: u32) -> f32 {
  let w1 = first + ${W1} + 2 * unit;
  h1[unit] = squash(parameters[w1] * at.x + parameters[w1 + 1] * at.y + parameters[first + ${B1} + unit]);
  workgroupBarrier();
  var sum = parameters[first + ${B2} + unit];
  for (var i = 0u; i < ${HIDDEN}; i += 1) {
    sum += parameters[first + ${W2} + ${HIDDEN} * unit + i] * h1[i];
  }
  h2[unit] = squash(sum);
  products[unit] = parameters[first + ${W3} + unit] * h2[unit];
  workgroupBarrier();
  var logit = parameters[first + ${B3}];
  for (var i = 0u; i < ${HIDDEN}; i += 1) {
    logit += products[i];
  }
  return logit;
}
`;

/** A step of training in two dispatches: \`learn\` for each point, then \`descend\` for each parameter. */
export const TRAIN = /* wgsl */ `
struct Status {
  steps: u32,
  loss: f32,
  right: f32,
  padding: u32,
}

@group(0) @binding(0) var<storage, read> points: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(2) var<storage, read_write> averages: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> traces: array<f32>;
@group(0) @binding(4) var<storage, read_write> status: array<Status, 2>;

override adam: bool;
override rate: f32;
${FORWARD}
var<workgroup> d2: array<f32, ${HIDDEN}>;

// Forward and backward for a point. Workgroup x, y: the point and the network.
@compute @workgroup_size(${HIDDEN})
fn learn(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) unit: u32) {
  let first = group.y * ${STRIDE};
  let point = points[group.x];
  let logit = forward(point.xy, first, unit);
  let delta = 1 / (1 + exp(-clamp(logit, -40, 40))) - point.z;

  d2[unit] = delta * parameters[first + ${W3} + unit] * (1 - h2[unit] * h2[unit]);
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < ${HIDDEN}; i += 1) {
    sum += parameters[first + ${W2} + ${HIDDEN} * i + unit] * d2[i];
  }
  let trace = (group.y * ${POINTS} + group.x) * ${TRACE};
  traces[trace + ${H1} + unit] = h1[unit];
  traces[trace + ${H2} + unit] = h2[unit];
  traces[trace + ${D1} + unit] = sum * (1 - h1[unit] * h1[unit]);
  traces[trace + ${D2} + unit] = d2[unit];
  if unit == 0 {
    traces[trace + ${D3}] = delta;
    // The cross entropy, log(1 + exp(logit)) - class * logit, without overflow.
    traces[trace + ${D3 + 1}] = max(logit, 0) - point.z * logit + log(1 + exp(-abs(logit)));
    traces[trace + ${D3 + 2}] = f32((logit > 0) == (point.z > 0.5));
    if group.x == 0 {
      status[group.y].steps += 1;
    }
  }
}

// The derivative of the mean loss by a parameter.
fn gradient(index: u32, net: u32) -> f32 {
  var sum = 0.0;
  var trace = net * ${POINTS * TRACE};
  for (var i = 0u; i < ${POINTS}; i += 1) {
    if index < ${B1} {
      sum += traces[trace + ${D1} + index / 2] * points[i][index % 2];
    } else if index < ${W2} {
      sum += traces[trace + ${D1} + index - ${B1}];
    } else if index < ${B2} {
      let weight = index - ${W2};
      sum += traces[trace + ${D2} + weight / ${HIDDEN}] * traces[trace + ${H1} + weight % ${HIDDEN}];
    } else if index < ${W3} {
      sum += traces[trace + ${D2} + index - ${B2}];
    } else if index < ${B3} {
      sum += traces[trace + ${D3}] * traces[trace + ${H2} + index - ${W3}];
    } else {
      sum += traces[trace + ${D3}];
    }
    trace += ${TRACE};
  }
  return sum / ${POINTS};
}

// A step of Adam, or of gradient descent with momentum. Workgroup y: the network.
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) invocation: vec3u) {
  let net = invocation.y;
  let index = invocation.x;
  if index < ${COUNT} {
    let g = gradient(index, net);
    let at = net * ${STRIDE} + index;
    var average = averages[at];
    if adam {
      average = mix(vec2f(g, g * g), average, vec2f(0.9, 0.999));
      let steps = f32(status[net].steps);
      let mean = average / (1 - pow(vec2f(0.9, 0.999), vec2f(steps)));
      parameters[at] -= rate * mean.x / (sqrt(mean.y) + 1e-8);
    } else {
      average.x = 0.9 * average.x + g;
      parameters[at] -= rate * average.x;
    }
    averages[at] = average;
  } else if index == ${COUNT} {
    var sum = vec2f(0);
    for (var i = 0u; i < ${POINTS}; i += 1) {
      let trace = (net * ${POINTS} + i) * ${TRACE};
      sum += vec2f(traces[trace + ${D3 + 1}], traces[trace + ${D3 + 2}]);
    }
    status[net].loss = sum.x / ${POINTS};
    status[net].right = sum.y / ${POINTS};
  }
}
`;

/** The logits on a grid over the square from -1 to 1. */
export const SURVEY = /* wgsl */ `
@group(0) @binding(0) var<storage, read> parameters: array<f32>;
@group(0) @binding(1) var<storage, read_write> field: array<f32>;
${FORWARD}
// Workgroup x, y, z: the column, the row, the network.
@compute @workgroup_size(${HIDDEN})
fn survey(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) unit: u32) {
  let at = vec2f(group.xy) / ${(GRID - 1) / 2} - 1;
  let logit = forward(at, group.z * ${STRIDE}, unit);
  if unit == 0 {
    field[(group.z * ${GRID} + group.y) * ${GRID} + group.x] = logit;
  }
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
  return Corner(vec4f(point.xy + at * 0.024, 0, 1), at, u32(point.z));
}

@fragment
fn point(corner: Corner) -> @location(0) vec4f {
  let edge = 2 / (0.024 * look.pixels); // a pixel, in radii
  let radius = length(corner.at);
  let cover = 1 - smoothstep(1 - edge, 1, radius);
  let inside = 1 - smoothstep(0.62 - edge, 0.62, radius);
  return vec4f(mix(look.ground.rgb, look.classes[corner.class_index].rgb, inside) * cover, cover);
}
`;
