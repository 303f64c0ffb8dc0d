//! Runs of the program.

use crate::corpus::Corpus;
use crate::{Findings, Options};

pub fn fuzz(_options: &Options, _corpus: &Corpus, _findings: &mut Findings) {}
