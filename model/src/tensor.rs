//! What a tensor holds: sources of elements, and the runs of them that make up the tensor.

use std::ops::Range;

use safetensors::tensor::Dtype;
use seedbed::Init;

use crate::error::{At, Result, ensure};
use crate::initialiser::is_integer;
use crate::parameter::{elements, float, units};

/// A tensor of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The name in the output.
    pub name: String,
    /// The dimensions, outermost first.
    pub shape: Vec<u64>,
    /// The element type in the output.
    pub dtype: Dtype,
    /// The elements.
    pub content: Content,
}

/// The elements of a tensor, row-major: `outer` times the runs, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Where elements come from.
    pub sources: Vec<Source>,
    /// How many times the runs repeat.
    pub outer: u64,
    /// The runs of one repetition.
    pub runs: Vec<Run>,
}

/// Neighbouring elements of a source, which are neighbours in the tensor too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The index of the source.
    pub source: usize,
    /// The first element, in the first repetition.
    pub first: u64,
    /// How many elements later the run begins in each further repetition.
    pub stride: u64,
    /// The number of elements.
    pub len: u64,
}

/// A run in one repetition: what the tensor holds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The index of the source.
    pub source: usize,
    /// The elements of the source.
    pub elements: Range<u64>,
}

/// Where elements come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The elements of a fill by seedbed.
    Init {
        /// The initialiser.
        init: Init,
        /// The logical shape, which fans and matrices follow.
        shape: Vec<u64>,
        /// The name that the key comes from: `Key::new(seed).named(stream)`.
        stream: String,
    },
    /// The elements of a parameter of the source model, byte for byte.
    Copy {
        /// The parameter's name there.
        name: String,
        /// The parameter's shape there; the number of bytes where elements of fewer than 8 bits share bytes.
        shape: Vec<u64>,
    },
    /// Values of an expression in f64, each rounded once.
    Formula {
        /// The expression, of the element's indices, and of its uniform or normal.
        text: String,
        /// The values of the other variables.
        variables: Vec<(String, f64)>,
        /// The shape that the indices count.
        shape: Vec<u64>,
        /// The name that the key of `u` or `n` comes from.
        stream: String,
    },
    /// The 2-norms of a tensor over all dimensions but one.
    Norm {
        /// The tensor, as it is written.
        of: Box<Tensor>,
        /// The dimension that stays.
        axis: usize,
    },
}

impl Source {
    /// The number of elements.
    ///
    /// # Errors
    /// A shape of 2^60 elements or more.
    pub fn elements(&self) -> Result<u64> {
        match self {
            Self::Init { shape, .. } | Self::Copy { shape, .. } | Self::Formula { shape, .. } => {
                elements(shape)
            }
            Self::Norm { of, axis } => Ok(of.shape.get(*axis).copied().unwrap_or(0)),
        }
    }

    /// Whether elements follow from data of the source model.
    pub fn is_copied(&self) -> bool {
        match self {
            Self::Copy { .. } => true,
            Self::Norm { of, .. } => of.content.sources.iter().any(Self::is_copied),
            Self::Init { .. } | Self::Formula { .. } => false,
        }
    }

    /// Whether each element depends on the whole source, so that a part costs as much as the whole.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Init { init: Init::Orthogonal { .. }, .. } | Self::Norm { .. })
    }
}

impl Content {
    /// All elements of one source, in their order.
    pub fn whole(source: Source) -> Result<Self> {
        let len = source.elements()?;
        Ok(Self { sources: vec![source], outer: 1, runs: vec![Run { source: 0, first: 0, stride: 0, len }] })
    }

    /// Sources side by side along a dimension of size `sizes`, each of whose elements are `inner` neighbours, `outer` times.
    pub(crate) fn along(sources: Vec<Source>, outer: u64, sizes: &[u64], inner: u64) -> Self {
        let run = |(source, size): (usize, &u64)| {
            let len = size * inner;
            Run { source, first: 0, stride: len, len }
        };
        Self { outer, runs: sizes.iter().enumerate().map(run).collect(), sources }
    }

    /// The only source, if all elements are those of one source in their order.
    pub fn single(&self) -> Option<&Source> {
        match (&self.sources[..], self.outer, &self.runs[..]) {
            ([source], 1, [run]) if run.first == 0 && source.elements() == Ok(run.len) => Some(source),
            _ => None,
        }
    }

    /// The runs in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        let full = || self.runs.iter().filter(|run| run.len > 0);
        let one = move |repetition: u64| {
            full().map(move |run| {
                let start = run.first + repetition * run.stride;
                Segment { source: run.source, elements: start..start + run.len }
            })
        };
        // A tensor without elements may have any number of repetitions.
        let outer = if full().next().is_some() { self.outer } else { 0 };
        (0..outer).flat_map(one)
    }

    /// How many elements of the tensor come from each source.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.sources.len()];
        for run in &self.runs {
            if let Some(count) = counts.get_mut(run.source) {
                *count += run.len * self.outer;
            }
        }
        counts
    }
}

impl Tensor {
    /// The number of elements.
    ///
    /// # Errors
    /// A shape of 2^60 elements or more.
    pub fn elements(&self) -> Result<u64> {
        elements(&self.shape)
    }

    /// The number of bytes.
    ///
    /// # Errors
    /// A shape of 2^60 elements or more.
    pub fn bytes(&self) -> Result<u64> {
        crate::parameter::bytes(self.dtype, &self.shape)
    }

    /// Checks that the runs make up the tensor, and lie within their sources. Plans that this crate made hold that; those
    /// that were read from a file may not.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self) -> Result<()> {
        let elements = units(self.dtype, &self.shape)?;
        let Content { sources, outer, runs } = &self.content;
        ensure!(sources.len() <= 1 << 20 && runs.len() <= 1 << 20, "too many parts");
        let sizes = sources.iter().map(Source::elements).collect::<Result<Vec<_>>>()?;
        // A record could name a huge source for a small tensor.
        ensure!(sizes.iter().all(|&size| size <= elements), "a part has more elements than the tensor");
        let mut total = 0_u64;
        for run in runs {
            let end = outer
                .checked_sub(1)
                .and_then(|last| last.checked_mul(run.stride))
                .and_then(|start| start.checked_add(run.first)?.checked_add(run.len));
            let size = sizes.get(run.source).copied();
            let fits = *outer == 0 || run.len == 0 || end.zip(size).is_some_and(|(end, size)| end <= size);
            ensure!(fits, "a part lies outside of its source");
            total = total.saturating_add(run.len.saturating_mul(*outer));
        }
        ensure!(total == elements, "the parts have {total} elements, and the tensor {elements}");
        for source in sources {
            match source {
                Source::Init { init, shape, .. } => {
                    ensure!(float(self.dtype).is_some(), "{} is made by no initialiser", self.dtype);
                    if let Some(dtype) = float(self.dtype) {
                        seedbed::host::check(init, dtype, shape).at(|| init)?;
                    }
                }
                Source::Norm { of, axis } => {
                    ensure!(
                        float(self.dtype).is_some() && float(of.dtype).is_some(),
                        "a norm needs F32, F16 or BF16, and here is a norm of {} in {}",
                        of.dtype,
                        self.dtype
                    );
                    ensure!(*axis < of.shape.len(), "the norm's tensor has no dimension {axis}");
                    ensure!(
                        of.content.sources.iter().all(|source| !matches!(source, Source::Norm { .. })),
                        "a norm of a norm"
                    );
                    of.check()?;
                }
                Source::Formula { text, variables, shape, .. } => {
                    let is_made = is_integer(self.dtype) || float(self.dtype).is_some();
                    ensure!(is_made, "{} is made by no formula", self.dtype);
                    crate::values::check_formula(text, variables, shape, self.dtype)?;
                }
                Source::Copy { .. } => {}
            }
        }
        Ok(())
    }

    /// Mean and standard deviation that the initialisers promise for all elements together. `None` where an element is
    /// copied or is a formula's.
    pub fn moments(&self) -> Option<(f64, f64)> {
        let counts = self.content.counts();
        let total: f64 = counts.iter().map(|&count| count as f64).sum();
        let (mut first, mut second) = (0.0, 0.0);
        let mut only = None;
        for (source, &count) in self.content.sources.iter().zip(&counts) {
            if count == 0 {
                continue;
            }
            let (mean, std) = source.moments()?;
            // Sums would lose the last bits of what all sources share.
            only = match only {
                None => Some(Some((mean, std))),
                Some(before) => Some(before.filter(|&before| before == (mean, std))),
            };
            first += mean * (count as f64 / total);
            second += (mean * mean + std * std) * (count as f64 / total);
        }
        match only {
            None => self.content.sources.first().and_then(Source::moments),
            Some(Some(same)) => Some(same),
            Some(None) => Some((first, (second - first * first).max(0.0).sqrt())),
        }
    }
}

impl Source {
    /// Mean and standard deviation that the initialiser promises.
    pub fn moments(&self) -> Option<(f64, f64)> {
        match self {
            Self::Init { init, shape, .. } => Some((init.mean(shape).ok()?, init.std(shape).ok()?)),
            Self::Formula { text, .. } => text.parse().ok().map(|value: f64| (value, 0.0)),
            Self::Copy { .. } | Self::Norm { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(shape: &[u64], init: Init) -> Source {
        Source::Init { init, shape: shape.into(), stream: "w".into() }
    }

    #[test]
    fn parts_along_the_columns_alternate() {
        let sources = vec![init(&[2, 3], Init::Ones), init(&[2, 1], Init::Zeros)];
        let content = Content::along(sources, 2, &[3, 1], 1);
        let segment = |source, elements| Segment { source, elements };
        let segments: Vec<_> = content.segments().collect();
        assert_eq!(segments, [segment(0, 0..3), segment(1, 0..1), segment(0, 3..6), segment(1, 1..2)]);
        let tensor = Tensor { name: "w".into(), shape: vec![2, 4], dtype: Dtype::F32, content };
        tensor.check().unwrap();
        let (mean, std) = tensor.moments().unwrap();
        assert_eq!((mean, std), (0.75, (0.75_f64 - 0.5625).sqrt()));
        let wrong = Tensor { shape: vec![2, 5], ..tensor };
        assert!(wrong.check().unwrap_err().to_string().contains("the parts have 8 elements"));
    }

    #[test]
    fn repetitions_of_nothing_are_no_segments() {
        let run = Run { source: 0, first: u64::MAX, stride: u64::MAX, len: 0 };
        for runs in [vec![], vec![run]] {
            let content = Content { sources: vec![init(&[0], Init::Ones)], outer: u64::MAX, runs };
            let tensor = Tensor { name: "w".into(), shape: vec![0], dtype: Dtype::F32, content };
            tensor.check().unwrap();
            assert_eq!(tensor.content.segments().count(), 0);
        }
    }

    #[test]
    fn what_a_record_can_say_and_no_plan_says_is_an_error() {
        let check = |dtype, shape: &[u64], source: Source, len| {
            let runs = vec![Run { source: 0, first: 0, stride: 0, len }];
            let content = Content { sources: vec![source], outer: 1, runs };
            Tensor { name: "w".into(), shape: shape.into(), dtype, content }.check().unwrap_err().to_string()
        };
        let formula = |text: &str, shape: &[u64]| Source::Formula {
            text: text.into(),
            variables: Vec::new(),
            shape: shape.into(),
            stream: "w".into(),
        };
        let large = init(&[40_000, 40_000], Init::orthogonal());
        assert!(check(Dtype::F32, &[1], large, 1).contains("more elements than the tensor"));
        assert!(check(Dtype::F4, &[4], formula("i", &[2]), 2).contains("made by no formula"));
        assert!(check(Dtype::F32, &[2], formula("(", &[2]), 2).contains("column"));
        assert!(check(Dtype::F32, &[2], formula("x", &[2]), 2).contains("\"x\" is unknown"));
        let ones = init(&[2, 2], Init::Ones);
        let content = Content::whole(ones).unwrap();
        let of = Tensor { name: "v".into(), shape: vec![2, 2], dtype: Dtype::F32, content };
        assert!(check(Dtype::F4, &[4], Source::Norm { of: Box::new(of), axis: 0 }, 2).contains("a norm of"));
    }
}
