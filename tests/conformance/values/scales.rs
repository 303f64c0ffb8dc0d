//! Standard deviations and bounds that depend on a shape (contract, section 8).
//! Checks compute the scale as the framework's source does. The fill must be that of the plain distribution
//! with this scale, bit for bit.

use seedbed::{
    Axes, FanMode, Framework, Init, Kaiming, Key, Nonlinearity, ScaledDistribution, VarianceScaling,
};

use crate::Check;
use crate::harness::assertions::assert_same_bits;
use crate::harness::engines::Engine;
use crate::reference;
use crate::reference::scale;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::xavier_uniform", xavier_uniform),
    Check::engine("exact::kaiming", kaiming),
    Check::engine("exact::jax_variance_scaling", jax_variance_scaling),
    Check::engine("exact::jax_scale_of_zero", jax_scale_of_zero),
    Check::engine("exact::keras_variance_scaling", keras_variance_scaling),
    Check::host("exact::named_variance_scalings", named_variance_scalings),
];

const KEY: Key = Key { seed: 2010, offset: 2015 };

/// Matrices and convolutions. These are small, because only their scale matters.
const SHAPES: [&[u64]; 6] = [&[7, 11], &[64, 3, 5, 5], &[97, 768], &[8, 4, 3], &[2, 3, 2, 4, 5], &[1, 1]];

fn assert_uniform(engine: &Engine, shape: &[u64], init: &Init, std: f64) {
    let bound = scale::bound(std);
    let expected: Vec<f32> = (0..shape.iter().product())
        .map(|e| reference::uniform(reference::word(KEY, e), -bound, bound))
        .collect();
    assert_same_bits(&engine.fill(shape, init, KEY), &expected, (shape, init));
}

fn assert_normal(engine: &Engine, shape: &[u64], init: &Init, std: f64) {
    let standard = engine.fill(shape, &Init::normal(0.0, 1.0), KEY);
    let expected: Vec<f32> = standard.iter().map(|z| z * std as f32 + 0.0).collect();
    assert_same_bits(&engine.fill(shape, init, KEY), &expected, (shape, init));
}

/// Asserts a normal distribution that has this standard deviation after it is cut at two standard deviations.
fn assert_truncated(engine: &Engine, shape: &[u64], init: &Init, std: f64) {
    let s = scale::untruncated(std);
    let expected = engine.fill(shape, &Init::trunc_normal(0.0, s, -2.0 * s, 2.0 * s), KEY);
    assert_same_bits(&engine.fill(shape, init, KEY), &expected, (shape, init));
}

fn xavier_uniform(engine: &Engine) {
    for shape in SHAPES {
        for gain in [1.0, 5.0 / 3.0, std::f64::consts::SQRT_2, 0.01, 0.0] {
            let init = Init::XavierUniform { gain };
            assert_uniform(engine, shape, &init, scale::xavier(shape, gain));
        }
    }
    // torch.nn.init: sqrt(6 / (fan_in + fan_out)), here sqrt(6 / 24) = 0.5.
    let weights = engine.fill([8, 16], &Init::xavier_uniform(), KEY);
    assert!(weights.iter().all(|x| (-0.5..0.5).contains(x)));
}

/// Fills have the scale of every mode and non-linearity, and of a few slopes.
fn kaiming(engine: &Engine) {
    for shape in SHAPES {
        for mode in [FanMode::FanIn, FanMode::FanOut] {
            for nonlinearity in Nonlinearity::ALL {
                // The slope has a meaning for one non-linearity only.
                for a in [0.0, 0.2, 5.0_f64.sqrt(), -1.5] {
                    let std = scale::kaiming(shape, a, mode, nonlinearity);
                    let kaiming = Kaiming { a, mode, nonlinearity };
                    if nonlinearity == Nonlinearity::LeakyRelu || a == 0.2 {
                        assert_uniform(engine, shape, &Init::KaimingUniform(kaiming), std);
                        assert_normal(engine, shape, &Init::KaimingNormal(kaiming), std);
                    }
                }
            }
        }
        let default = scale::kaiming(shape, 0.0, FanMode::FanIn, Nonlinearity::LeakyRelu);
        assert_uniform(engine, shape, &Init::kaiming_uniform(), default);
        assert_normal(engine, shape, &Init::kaiming_normal(), default);
    }
}

const DISTRIBUTIONS: [ScaledDistribution; 3] =
    [ScaledDistribution::Normal, ScaledDistribution::TruncatedNormal, ScaledDistribution::Uniform];

fn assert_scaled(engine: &Engine, shape: &[u64], scaling: VarianceScaling, std: f64) {
    let init = Init::VarianceScaling(scaling);
    match scaling.distribution {
        ScaledDistribution::Normal => assert_normal(engine, shape, &init, std),
        ScaledDistribution::TruncatedNormal => assert_truncated(engine, shape, &init, std),
        ScaledDistribution::Uniform => assert_uniform(engine, shape, &init, std),
        other => unreachable!("{other:?} is not checked"),
    }
}

fn jax_variance_scaling(engine: &Engine) {
    let modes = [FanMode::FanIn, FanMode::FanOut, FanMode::FanAvg, FanMode::FanGeoAvg];
    for (shape, in_axis, out_axis, batch_axis) in [
        (&[30_u64, 70][..], &[-2_i64][..], &[-1_i64][..], &[][..]),
        (&[3, 3, 16, 20], &[-2], &[-1], &[]),
        (&[64, 3, 5, 5], &[1], &[0], &[]),
        (&[8, 2, 3, 5], &[1, 2], &[-1], &[0]),
        (&[12, 4, 6], &[0], &[1, 2], &[]),
        (&[5, 7, 11, 2, 3], &[-5, 1], &[2], &[-1, 3]),
        // One axis may be an input and an output (as in embeddings of Flax), and there may be no axis of a
        // kind.
        (&[6, 35], &[0, 1], &[1], &[]),
        (&[50, 7], &[-2], &[0], &[]),
        (&[6, 35], &[], &[], &[]),
    ] {
        let axes = |axes| Axes::new(axes).expect("a few axes");
        for distribution in DISTRIBUTIONS {
            for mode in modes {
                for factor in [1.0, 2.0, 1.0 / 3.0] {
                    let scaling = VarianceScaling {
                        in_axis: axes(in_axis),
                        out_axis: axes(out_axis),
                        batch_axis: axes(batch_axis),
                        ..VarianceScaling::new(Framework::Jax, factor, mode, distribution)
                    };
                    let fan = scale::of_mode(scale::jax_fans(shape, in_axis, out_axis, batch_axis), mode);
                    assert_scaled(engine, shape, scaling, (factor / fan).sqrt());
                }
            }
        }
    }
}

/// JAX accepts a scale of 0, and then all elements are 0.
fn jax_scale_of_zero(engine: &Engine) {
    for distribution in DISTRIBUTIONS {
        let scaling = VarianceScaling::new(Framework::Jax, 0.0, FanMode::FanIn, distribution);
        let weights = engine.fill([3, 50], &Init::VarianceScaling(scaling), KEY);
        assert!(weights.iter().all(|&x| x == 0.0), "{distribution:?}: {weights:?}");
    }
}

fn keras_variance_scaling(engine: &Engine) {
    for shape in [&[30_u64, 70][..], &[3, 3, 16, 20], &[5, 4, 6], &[77], &[]] {
        for distribution in DISTRIBUTIONS {
            for mode in [FanMode::FanIn, FanMode::FanOut, FanMode::FanAvg] {
                for factor in [1.0, 2.0, 0.1] {
                    let scaling = VarianceScaling::new(Framework::Keras, factor, mode, distribution);
                    let fan = scale::of_mode(scale::keras_fans(shape), mode);
                    assert_scaled(engine, shape, scaling, (factor / fan.max(1.0)).sqrt());
                }
            }
        }
    }
}

/// The names stand for the same scalings as in `jax/_src/nn/initializers.py` and in Keras's
/// `random_initializers.py`.
fn named_variance_scalings() {
    use FanMode::{FanAvg, FanIn};
    use ScaledDistribution::{TruncatedNormal, Uniform};
    for (name, jax, keras, factor, mode, distribution) in [
        (
            "glorot_normal",
            VarianceScaling::jax_glorot_normal(),
            VarianceScaling::keras_glorot_normal(),
            1.0,
            FanAvg,
            TruncatedNormal,
        ),
        (
            "glorot_uniform",
            VarianceScaling::jax_glorot_uniform(),
            VarianceScaling::keras_glorot_uniform(),
            1.0,
            FanAvg,
            Uniform,
        ),
        (
            "lecun_normal",
            VarianceScaling::jax_lecun_normal(),
            VarianceScaling::keras_lecun_normal(),
            1.0,
            FanIn,
            TruncatedNormal,
        ),
        (
            "lecun_uniform",
            VarianceScaling::jax_lecun_uniform(),
            VarianceScaling::keras_lecun_uniform(),
            1.0,
            FanIn,
            Uniform,
        ),
        (
            "he_normal",
            VarianceScaling::jax_he_normal(),
            VarianceScaling::keras_he_normal(),
            2.0,
            FanIn,
            TruncatedNormal,
        ),
        (
            "he_uniform",
            VarianceScaling::jax_he_uniform(),
            VarianceScaling::keras_he_uniform(),
            2.0,
            FanIn,
            Uniform,
        ),
    ] {
        assert_eq!(jax, VarianceScaling::new(Framework::Jax, factor, mode, distribution), "jax::{name}");
        assert_eq!(
            keras,
            VarianceScaling::new(Framework::Keras, factor, mode, distribution),
            "keras::{name}"
        );
        assert_eq!(format!("jax::{name}()").parse(), Ok(Init::VarianceScaling(jax)));
        assert_eq!(format!("keras::{name}()").parse(), Ok(Init::VarianceScaling(keras)));
        assert_eq!(jax.in_axis, Axes::from(-2));
        assert_eq!(jax.out_axis, Axes::from(-1));
        assert_eq!(jax.batch_axis, Axes::NONE);
    }
}
