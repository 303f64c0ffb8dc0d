//! The table of initialisers. `FromStr`, `Display`, the errors, the program's help and the tests read it.

use std::fmt;

use crate::init::Init;
use crate::init::arguments::{Argument, Arguments, axes, number, unquoted, whole_number, word};
use crate::init::axes::Axes;
use crate::init::fan::FanMode;
use crate::init::kaiming::Kaiming;
use crate::init::variance_scaling::{Framework, IN_AXIS, OUT_AXIS, ScaledDistribution, VarianceScaling};

/// An initialiser of the textual form: its name, what it takes, and what it is.
///
/// ```
/// use seedbed::Init;
///
/// for signature in Init::signatures() {
///     println!("{signature:<50}  {}", signature.help);
///     assert!(signature.example.parse::<Init>().is_ok());
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Signature {
    /// The framework that the initialiser comes from: `jax::` or `keras::` stands before the name. `None` for
    /// PyTorch's initialisers, which have no prefix.
    pub framework: Option<Framework>,
    /// The framework's name of the initialiser, without the prefix.
    pub name: &'static str,
    /// Other names of the initialiser in the same framework.
    pub aliases: &'static [&'static str],
    /// The arguments, in the framework's order.
    pub arguments: &'static [Argument],
    /// One line that says what the elements are.
    pub help: &'static str,
    /// The initialiser with arguments that are not the default, as [`Init`] displays it.
    pub example: &'static str,
    build: fn(&Arguments<'_>) -> Result<Init, String>,
}

impl fmt::Display for Signature {
    /// Name, arguments and defaults: `normal(mean=0,std=1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.framework.map_or(String::new(), |framework| format!("{framework}::"));
        let arguments = self.arguments.iter().map(|argument| match argument.default {
            Some(default) => format!("{}={default}", argument.name),
            None => argument.name.to_owned(),
        });
        let arguments: Vec<_> = arguments.collect();
        f.pad(&format!("{prefix}{}({})", self.name, arguments.join(",")))
    }
}

impl Signature {
    /// The row of this name or alias.
    pub(super) fn find(framework: Option<Framework>, name: &str) -> Option<&'static Self> {
        Init::signatures()
            .find(|row| row.framework == framework && (row.name == name || row.aliases.contains(&name)))
    }

    /// The initialiser of the row with these arguments.
    pub(super) fn build(&self, arguments: &Arguments<'_>) -> Result<Init, String> {
        (self.build)(arguments)
    }
}

impl Init {
    /// Every initialiser that has a textual form: PyTorch's, then JAX's, then Keras's.
    pub fn signatures() -> impl Iterator<Item = &'static Signature> + Clone {
        TORCH.iter().chain(JAX).chain(KERAS)
    }
}

/// The name of an initialiser, and its arguments, as the textual form has them.
pub(super) struct Written {
    pub(super) framework: Option<Framework>,
    pub(super) name: &'static str,
    pub(super) arguments: Vec<(&'static str, String)>,
}

macro_rules! argument {
    ($name:literal) => {
        Argument::required($name)
    };
    ($name:literal, $default:literal) => {
        Argument::optional($name, $default)
    };
}

/// Makes two things of PyTorch's rows: [`TORCH`], and [`written`], the way back from an initialiser to its
/// row.
///
/// A row reads `"name" { field: reader("argument", "default"), … } => { Init::Variant { field, … } }`, then
/// the help and the example. What the second braces hold is an expression for [`TORCH`] and a pattern for
/// [`written`]. A variant of [`Init`] without a row does not compile.
macro_rules! torch {
    ($(
        $name:literal { $($field:ident: $reader:ident($($argument:literal),+)),* } => { $($init:tt)+ },
        $help:literal, $example:literal;
    )+) => {
        static TORCH: &[Signature] = &[$(Signature {
            framework: None,
            name: $name,
            aliases: &[],
            arguments: &[$(argument!($($argument),+)),*],
            help: $help,
            example: $example,
            build: |_arguments| {
                $(let $field = _arguments.read(first!($($argument),+), $reader)?;)*
                Ok($($init)+)
            },
        }),+];

        /// What [`Init`] displays.
        pub(super) fn written(init: Init) -> Written {
            match init {
                $($($init)+ => Written {
                    framework: None,
                    name: $name,
                    arguments: vec![$((first!($($argument),+), $field.to_string())),*],
                },)+
                Init::VarianceScaling(scaling) => written_scaling(scaling),
            }
        }
    };
}

macro_rules! first {
    ($first:literal $(, $rest:literal)*) => {
        $first
    };
}

torch! {
    "constant" { value: number("val") } => { Init::Constant { value } },
        "every element is val", "constant(0.01)";
    "zeros" {} => { Init::Zeros },
        "every element is 0", "zeros()";
    "ones" {} => { Init::Ones },
        "every element is 1", "ones()";
    "uniform" { low: number("a", "0"), high: number("b", "1") } => { Init::Uniform { low, high } },
        "uniform on [a, b)", "uniform(a=-0.1,b=0.3)";
    "normal" { mean: number("mean", "0"), std: number("std", "1") } => { Init::Normal { mean, std } },
        "normal", "normal(mean=0.5,std=0.02)";
    "log_normal" { mean: number("mean", "1"), std: number("std", "2") } => { Init::LogNormal { mean, std } },
        "exp of normal(mean,std)", "log_normal(mean=-0.5,std=0.25)";
    "trunc_normal" {
        mean: number("mean", "0"), std: number("std", "1"), a: number("a", "-2"), b: number("b", "2")
    } => { Init::TruncNormal { mean, std, a, b } },
        "normal, cut off at the values a and b", "trunc_normal(mean=0,std=0.02,a=-inf,b=0.04)";
    "eye" {} => { Init::Eye },
        "the identity matrix", "eye()";
    "dirac" { groups: whole_number("groups", "1") } => { Init::Dirac { groups } },
        "the identity of a convolution", "dirac(groups=3)";
    "xavier_uniform" { gain: number("gain", "1") } => { Init::XavierUniform { gain } },
        "uniform, std = gain * sqrt(2 / (fan_in + fan_out))", "xavier_uniform(gain=0.1)";
    "xavier_normal" { gain: number("gain", "1") } => { Init::XavierNormal { gain } },
        "normal, std = gain * sqrt(2 / (fan_in + fan_out))", "xavier_normal(gain=1.4142135)";
    "kaiming_uniform" {
        a: number("a", "0"), mode: one_fan("mode", "fan_in"), nonlinearity: word("nonlinearity", "leaky_relu")
    } => { Init::KaimingUniform(Kaiming { a, mode, nonlinearity }) },
        "uniform, std = gain of the non-linearity / sqrt(fan)",
        "kaiming_uniform(a=0.2,mode=fan_out,nonlinearity=leaky_relu)";
    "kaiming_normal" {
        a: number("a", "0"), mode: one_fan("mode", "fan_in"), nonlinearity: word("nonlinearity", "leaky_relu")
    } => { Init::KaimingNormal(Kaiming { a, mode, nonlinearity }) },
        "normal, std = gain of the non-linearity / sqrt(fan)",
        "kaiming_normal(a=0,mode=fan_in,nonlinearity=selu)";
    "orthogonal" { gain: number("gain", "1") } => { Init::Orthogonal { gain } },
        "orthonormal rows or columns, times gain", "orthogonal(gain=-2)";
    "sparse" {
        sparsity: number("sparsity"), std: number("std", "0.01")
    } => { Init::Sparse { sparsity, std } },
        "in each column a part of zeros, elsewhere normal", "sparse(sparsity=0.9,std=0.1)";
}

/// `fan_in` or `fan_out`: PyTorch has no mean of both.
fn one_fan(text: &str) -> Result<FanMode, String> {
    let mode = unquoted(text);
    let known = mode.parse().ok().filter(|mode| matches!(mode, FanMode::FanIn | FanMode::FanOut));
    known.ok_or_else(|| format!("Mode {mode} not supported, please use one of ['fan_in', 'fan_out']"))
}

const IN: Argument = Argument::optional("in_axis", "-2");
const OUT: Argument = Argument::optional("out_axis", "-1");
const BATCH: Argument = Argument::optional("batch_axis", "()");

/// Makes [`JAX`], [`KERAS`] and [`MEMBERS`] of the named members of the family. Both frameworks have the same
/// members; axes and aliases are JAX's alone.
macro_rules! variance_scaling {
    ($($name:literal [$($alias:literal)?] $jax:ident $keras:ident $help:literal;)+) => {
        static JAX: &[Signature] = &[
            Signature {
                framework: Some(Framework::Jax),
                name: "variance_scaling",
                aliases: &[],
                arguments: &[
                    Argument::required("scale"),
                    Argument::required("mode"),
                    Argument::required("distribution"),
                    IN,
                    OUT,
                    BATCH,
                ],
                help: "mean 0, variance = scale / fan",
                example: "jax::variance_scaling(scale=0.3,mode=fan_geo_avg,distribution=normal,batch_axis=2)",
                build: |arguments| on_axes(scaling(Framework::Jax, arguments)?, arguments),
            },
            $(Signature {
                framework: Some(Framework::Jax),
                name: $name,
                aliases: &[$($alias)?],
                arguments: &[IN, OUT, BATCH],
                help: $help,
                example: concat!("jax::", $name, "(in_axis=0,out_axis=(1,2))"),
                build: |arguments| on_axes(VarianceScaling::$jax(), arguments),
            },)+
        ];

        static KERAS: &[Signature] = &[
            Signature {
                framework: Some(Framework::Keras),
                name: "variance_scaling",
                aliases: &[],
                arguments: &[
                    Argument::optional("scale", "1"),
                    Argument::optional("mode", "fan_in"),
                    Argument::optional("distribution", "truncated_normal"),
                ],
                help: "mean 0, variance = scale / max(1, fan)",
                example: "keras::variance_scaling(scale=2,mode=fan_out,distribution=untruncated_normal)",
                build: |arguments| scaling(Framework::Keras, arguments).map(Init::VarianceScaling),
            },
            $(Signature {
                framework: Some(Framework::Keras),
                name: $name,
                aliases: &[],
                arguments: &[],
                help: $help,
                example: concat!("keras::", $name, "()"),
                build: |_| Ok(Init::VarianceScaling(VarianceScaling::$keras())),
            },)+
        ];

        /// The named members of the family, with their scale, mode and distribution.
        static MEMBERS: &[(&str, VarianceScaling)] = &[$(($name, VarianceScaling::$jax())),+];
    };
}

variance_scaling! {
    "glorot_normal" ["xavier_normal"] jax_glorot_normal keras_glorot_normal
        "variance_scaling(1,fan_avg,truncated_normal)";
    "glorot_uniform" ["xavier_uniform"] jax_glorot_uniform keras_glorot_uniform
        "variance_scaling(1,fan_avg,uniform)";
    "lecun_normal" [] jax_lecun_normal keras_lecun_normal
        "variance_scaling(1,fan_in,truncated_normal)";
    "lecun_uniform" [] jax_lecun_uniform keras_lecun_uniform
        "variance_scaling(1,fan_in,uniform)";
    "he_normal" ["kaiming_normal"] jax_he_normal keras_he_normal
        "variance_scaling(2,fan_in,truncated_normal)";
    "he_uniform" ["kaiming_uniform"] jax_he_uniform keras_he_uniform
        "variance_scaling(2,fan_in,uniform)";
}

/// `variance_scaling` on the default axes.
fn scaling(framework: Framework, arguments: &Arguments<'_>) -> Result<VarianceScaling, String> {
    let scale = arguments.read("scale", number)?;
    let mode = arguments.read("mode", word)?;
    let distribution =
        arguments.read("distribution", |text| ScaledDistribution::parse(unquoted(text), framework))?;
    Ok(VarianceScaling::new(framework, scale, mode, distribution))
}

/// A member of JAX's family, on the axes that are given.
fn on_axes(scaling: VarianceScaling, arguments: &Arguments<'_>) -> Result<Init, String> {
    Ok(Init::VarianceScaling(VarianceScaling {
        in_axis: arguments.read(IN.name, axes)?,
        out_axis: arguments.read(OUT.name, axes)?,
        batch_axis: arguments.read(BATCH.name, axes)?,
        ..scaling
    }))
}

/// A member of the family, under its own name if it has one, with the axes that are not the default.
fn written_scaling(scaling: VarianceScaling) -> Written {
    let VarianceScaling { scale, mode, distribution, framework, in_axis, out_axis, batch_axis } = scaling;
    let is_this = |member: &VarianceScaling| {
        (member.scale, member.mode, member.distribution) == (scale, mode, distribution)
    };
    let (name, mut arguments) = match MEMBERS.iter().find(|(_, member)| is_this(member)) {
        Some((name, _)) => (*name, Vec::new()),
        None => (
            "variance_scaling",
            vec![
                ("scale", scale.to_string()),
                ("mode", mode.to_string()),
                ("distribution", distribution.name(framework).to_owned()),
            ],
        ),
    };
    let all = [(IN, in_axis, IN_AXIS), (OUT, out_axis, OUT_AXIS), (BATCH, batch_axis, Axes::NONE)];
    let chosen = all.into_iter().filter(|(_, axes, default)| axes != default);
    arguments.extend(chosen.map(|(argument, axes, _)| (argument.name, axes.to_string())));
    Written { framework: Some(framework), name, arguments }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_back_what_it_writes() {
        for row in Init::signatures() {
            let init: Init = row.example.parse().unwrap();
            assert_eq!(init.to_string(), row.example);
            assert_eq!(written(init).name, row.name);
            assert_eq!(written(init).framework, row.framework);
            assert!(!row.help.is_empty() && !row.help.contains('\n'), "{row}");
            for name in std::iter::once(&row.name).chain(row.aliases) {
                assert!(std::ptr::eq(Signature::find(row.framework, name).unwrap(), row), "{row}");
            }
        }
    }

    #[test]
    fn defaults_are_values_of_their_arguments() {
        for row in Init::signatures() {
            let signature = row.to_string();
            let (name, _) = signature.split_once('(').unwrap();
            match row.arguments.iter().find(|argument| argument.default.is_none()) {
                // A signature is itself a text, with every default.
                None => assert_eq!(signature.parse::<Init>(), name.parse(), "{row}"),
                Some(argument) => {
                    let error = name.parse::<Init>().unwrap_err().to_string();
                    assert!(error.ends_with(&format!("{name} needs {:?}", argument.name)), "{error}");
                }
            }
        }
        // The constructors have the same defaults.
        for init in [
            Init::zeros(),
            Init::ones(),
            Init::uniform(0.0, 1.0),
            Init::normal(0.0, 1.0),
            Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
            Init::eye(),
            Init::dirac(),
            Init::xavier_uniform(),
            Init::xavier_normal(),
            Init::kaiming_uniform(),
            Init::kaiming_normal(),
            Init::orthogonal(),
        ] {
            assert_eq!(written(init).name.parse(), Ok(init));
        }
        assert_eq!("sparse(0.5)".parse(), Ok(Init::sparse(0.5)));
    }

    #[test]
    fn gains_are_set_where_the_table_has_one() {
        let has_gain = |row: &&Signature| row.arguments.iter().any(|argument| argument.name == "gain");
        for row in Init::signatures() {
            let init: Init = row.example.parse().unwrap();
            match init.with_gain(0.25) {
                Ok(init) => {
                    assert!(has_gain(&row), "{row}");
                    assert_eq!(init.to_string(), format!("{}(gain=0.25)", row.name));
                }
                Err(error) => {
                    assert!(!has_gain(&row), "{row}");
                    assert_eq!(error, crate::error::Error::NoGain { init: row.example.to_owned() });
                }
            }
        }
        let names: Vec<_> = Init::signatures().filter(has_gain).map(|row| row.name).collect();
        let error = Init::Zeros.with_gain(1.0).unwrap_err().to_string();
        assert_eq!(names, ["xavier_uniform", "xavier_normal", "orthogonal"]);
        assert_eq!(error, "zeros() takes no gain; xavier_uniform, xavier_normal and orthogonal take one");
    }

    #[test]
    fn both_frameworks_have_the_same_members() {
        let names = |rows: &[Signature]| rows.iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(names(JAX), names(KERAS));
    }
}
