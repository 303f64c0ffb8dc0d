// The kernels of mlp_engine.rs: full-batch gradient descent on a multi-layer perceptron with ReLU between its
// layers and one logit at its end. Every kernel but the last two is dispatched once for each layer.

struct Layer {
    inputs: u32,
    outputs: u32,
    // Indexes into `parameters` and `gradients`: [outputs, inputs] and [outputs].
    weight: u32,
    bias: u32,
    // Indexes into `activations` and `deltas`: [batch, inputs] and [batch, outputs].
    x: u32,
    y: u32,
    // 1 where a ReLU makes x, and where one makes y.
    relu_before: u32,
    relu_after: u32,
}

override batch: u32;
override learning_rate: f32;

@group(0) @binding(0) var<uniform> layer: Layer;
@group(0) @binding(1) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradients: array<f32>;
// The inputs, then the outputs of each layer.
@group(0) @binding(3) var<storage, read_write> activations: array<f32>;
// The derivatives of the loss by the activations, at the same indexes.
@group(0) @binding(4) var<storage, read_write> deltas: array<f32>;
// The class of each point, 0 or 1.
@group(0) @binding(5) var<storage, read> targets: array<f32>;
// The mean loss, and the fraction of the points that the network classifies correctly.
@group(0) @binding(6) var<storage, read_write> report: array<f32, 2>;

// y = x · weightᵀ + bias; each invocation computes one element.
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= batch * layer.outputs { return; }
    let point = id.x / layer.outputs;
    let output = id.x % layer.outputs;
    var sum = parameters[layer.bias + output];
    for (var i = 0u; i < layer.inputs; i++) {
        sum += parameters[layer.weight + output * layer.inputs + i] * activations[layer.x + point * layer.inputs + i];
    }
    activations[layer.y + id.x] = select(sum, max(sum, 0.0), layer.relu_after == 1u);
}

// The derivative by x, for the layer before: deltas of y · weight where the ReLU let x through.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= batch * layer.inputs { return; }
    let point = id.x / layer.inputs;
    let input = id.x % layer.inputs;
    var sum = 0.0;
    for (var o = 0u; o < layer.outputs; o++) {
        sum += deltas[layer.y + point * layer.outputs + o] * parameters[layer.weight + o * layer.inputs + input];
    }
    let blocked = layer.relu_before == 1u && activations[layer.x + id.x] <= 0.0;
    deltas[layer.x + id.x] = select(sum, 0.0, blocked);
}

// The derivatives by weight and bias; each invocation computes one element. A bias is the weight of an input
// that is always 1.
@compute @workgroup_size(64)
fn differentiate(@builtin(global_invocation_id) id: vec3u) {
    let columns = layer.inputs + 1u;
    if id.x >= layer.outputs * columns { return; }
    let output = id.x / columns;
    let input = id.x % columns;
    let is_bias = input == layer.inputs;
    var sum = 0.0;
    for (var p = 0u; p < batch; p++) {
        let x = activations[layer.x + p * layer.inputs + min(input, layer.inputs - 1u)];
        sum += deltas[layer.y + p * layer.outputs + output] * select(x, 1.0, is_bias);
    }
    let index = select(layer.weight + output * layer.inputs + input, layer.bias + output, is_bias);
    gradients[index] = sum;
}

const LANES = 64u;
var<workgroup> losses: array<f32, LANES>;
var<workgroup> hits: array<f32, LANES>;

// The logistic loss of the last layer's y, and its derivative. One workgroup computes all, so that the sums
// have one order.
@compute @workgroup_size(LANES)
fn logistic_loss(@builtin(local_invocation_index) lane: u32) {
    var loss = 0.0;
    var hit = 0.0;
    for (var p = lane; p < batch; p += LANES) {
        let logit = activations[layer.y + p];
        let target_class = targets[p];
        // -log(sigmoid(logit)) of class 1, -log(1 - sigmoid(logit)) of class 0, without overflow.
        loss += max(logit, 0.0) - logit * target_class + log(1.0 + exp(-abs(logit)));
        hit += select(0.0, 1.0, (logit > 0.0) == (target_class == 1.0));
        deltas[layer.y + p] = (1.0 / (1.0 + exp(-logit)) - target_class) / f32(batch);
    }
    losses[lane] = loss;
    hits[lane] = hit;
    workgroupBarrier();
    if lane == 0u {
        for (var i = 1u; i < LANES; i++) {
            loss += losses[i];
            hit += hits[i];
        }
        report[0] = loss / f32(batch);
        report[1] = hit / f32(batch);
    }
}

// A step for all parameters at once, which an arena makes possible.
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) id: vec3u) {
    if id.x < arrayLength(&parameters) {
        parameters[id.x] -= learning_rate * gradients[id.x];
    }
}
