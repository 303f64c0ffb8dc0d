//! Fans, gains and standard deviations, as the frameworks' sources compute them (contract, section 8).

use seedbed::{FanMode, Nonlinearity};

/// PyTorch's fan in and fan out of a shape `[out, in, k…]`.
pub fn torch_fans(shape: &[u64]) -> [f64; 2] {
    let mut field = 1.0;
    for &size in &shape[2..] {
        field *= size as f64;
    }
    [shape[1] as f64 * field, shape[0] as f64 * field]
}

/// JAX's `_compute_fans`. The receptive field is the number of elements divided by the sizes of all named
/// axes; it is a fraction where an axis is named twice.
pub fn jax_fans(shape: &[u64], inputs: &[i64], outputs: &[i64], batch: &[i64]) -> [f64; 2] {
    let rank = shape.len() as i64;
    let size =
        |axes: &[i64]| -> f64 { axes.iter().map(|&a| shape[((a + rank) % rank) as usize] as f64).product() };
    let all: Vec<i64> = (0..rank).collect();
    let field = size(&all) / size(inputs) / size(outputs) / size(batch);
    [size(inputs) * field, size(outputs) * field]
}

/// Keras's `compute_fans`: fan in and fan out of a shape `[k…, in, out]`.
pub fn keras_fans(shape: &[u64]) -> [f64; 2] {
    match *shape {
        [] => [1.0, 1.0],
        [n] => [n as f64, n as f64],
        _ => jax_fans(shape, &[-2], &[-1], &[]),
    }
}

pub fn of_mode([fan_in, fan_out]: [f64; 2], mode: FanMode) -> f64 {
    match mode {
        FanMode::FanIn => fan_in,
        FanMode::FanOut => fan_out,
        FanMode::FanAvg => (fan_in + fan_out) / 2.0,
        FanMode::FanGeoAvg => (fan_in * fan_out).sqrt(),
        _ => unreachable!("there are four modes"),
    }
}

/// `torch.nn.init.calculate_gain(nonlinearity, a)`.
pub fn gain(nonlinearity: Nonlinearity, a: f64) -> f64 {
    match nonlinearity.name() {
        "tanh" => 5.0 / 3.0,
        "relu" => std::f64::consts::SQRT_2,
        "leaky_relu" => (2.0 / (1.0 + a * a)).sqrt(),
        "selu" => 0.75,
        _ => 1.0,
    }
}

/// The standard deviation of `xavier_normal_`.
pub fn xavier(shape: &[u64], gain: f64) -> f64 {
    let [fan_in, fan_out] = torch_fans(shape);
    gain * (2.0 / (fan_in + fan_out)).sqrt()
}

/// The standard deviation of `kaiming_normal_`.
pub fn kaiming(shape: &[u64], a: f64, mode: FanMode, nonlinearity: Nonlinearity) -> f64 {
    gain(nonlinearity, a) / of_mode(torch_fans(shape), mode).sqrt()
}

/// Half of the width of the uniform distribution that has this standard deviation.
pub fn bound(std: f64) -> f64 {
    3.0_f64.sqrt() * std
}

/// The standard deviation of the normal distribution that has this one after it is cut at ±2 standard
/// deviations.
pub fn untruncated(std: f64) -> f64 {
    std / 0.879_625_661_034_239_8
}
