//! The comparison finds the first difference between a device's bytes and the host's, and the pattern of all
//! differences.

use super::pattern::Pattern;
use super::trial::Trial;
use crate::dtype::DType;
use crate::error::Error;

/// The difference that a trial found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Finding {
    /// Bytes that no fill writes: the first one, and the number of them.
    Outside { offset: u64, expected: u8, found: u8, bytes: u64 },
    /// Elements: the first one, and the pattern of all.
    Elements { job: usize, element: u64, offset: u64, expected: u32, found: u32, pattern: Pattern },
}

/// Compares a buffer with the expected bytes. The comparison looks at the bytes that no fill writes first,
/// because a kernel that writes outside of its range may damage the elements of another fill too.
pub(super) fn compare(trial: &Trial, expected: &[u8], found: &[u8]) -> Result<Option<Finding>, Error> {
    if expected == found {
        return Ok(None);
    }
    let mut is_inside = vec![false; expected.len()];
    for job in &trial.jobs {
        for row in job.rows()? {
            is_inside[row].fill(true);
        }
    }
    let differs = |&byte: &usize| found.get(byte) != Some(&expected[byte]);
    let mut outside = (0..expected.len()).filter(|&byte| !is_inside[byte]).filter(differs);
    if let Some(first) = outside.next() {
        return Ok(Some(Finding::Outside {
            offset: first as u64,
            expected: expected[first],
            found: found.get(first).copied().unwrap_or_default(),
            bytes: 1 + outside.count() as u64,
        }));
    }
    let mut first = None;
    let mut pattern = Pattern::default();
    for (number, job) in trial.jobs.iter().enumerate() {
        let dtype = job.placement.dtype;
        let size = dtype.size() as usize;
        let mut index = 0;
        for row in job.rows()? {
            let pairs = expected[row.clone()].chunks_exact(size).zip(found[row.clone()].chunks_exact(size));
            for (offset, (right, wrong)) in row.step_by(size).zip(pairs) {
                if right != wrong {
                    let (right, wrong) = (bits(right), bits(wrong));
                    pattern.add(dtype, right, wrong);
                    first.get_or_insert((number, index, offset as u64, right, wrong));
                }
                index += 1;
            }
        }
    }
    Ok(first.map(|(job, element, offset, expected, found)| Finding::Elements {
        job,
        element,
        offset,
        expected,
        found,
        pattern,
    }))
}

/// The bits of an element of 2 or 4 bytes.
fn bits(element: &[u8]) -> u32 {
    match *element {
        [a, b] => u16::from_ne_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
        _ => 0,
    }
}

impl Finding {
    /// The element type of the first wrong element.
    pub(super) fn dtype(&self, trial: &Trial) -> DType {
        match self {
            Self::Outside { .. } => DType::U32,
            Self::Elements { job, .. } => trial.jobs[*job].placement.dtype,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Init;
    use crate::key::Key;
    use crate::self_test::trial::{Job, Recording};

    #[test]
    fn the_first_difference_is_found() {
        let mut trial = Trial::new("test", Recording::Together);
        trial.add(Job::new(DType::F32, [4], Init::Ones, Key::new(0)));
        trial.add(Job::new(DType::F16, [2, 3], Init::Ones, Key::new(0)).shifted(2).pitched(8));
        let right = trial.expected().unwrap();
        assert_eq!((right.len(), trial.elements), (128, 10));
        assert_eq!(compare(&trial, &right, &right), Ok(None));
        // The second row of the second fill begins at byte 80 + 2 + 8.
        let mut wrong = right.clone();
        wrong[94..96].copy_from_slice(&0x3C01_u16.to_ne_bytes());
        let Some(Finding::Elements {
            job: 1,
            element: 5,
            offset: 94,
            expected: 0x3C00,
            found: 0x3C01,
            pattern,
        }) = compare(&trial, &right, &wrong).unwrap()
        else {
            panic!("{:?}", compare(&trial, &right, &wrong))
        };
        assert_eq!(pattern.count, 1);
        // The padding between the rows.
        wrong[88] = 7;
        let outside = Finding::Outside { offset: 88, expected: 0xA5, found: 7, bytes: 1 };
        assert_eq!(compare(&trial, &right, &wrong), Ok(Some(outside)));
    }
}
