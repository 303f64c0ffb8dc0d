//! `seedbed bench --growth`: what one fill costs by itself, from one element to many.
//!
//! | step | module |
//! |---|---|
//! | an adapter | `growth/device.rs` |
//! | the host | `growth/host.rs` |
//! | where launching ends and elements begin to count | `growth/fit.rs` |
//! | what is printed and written | `growth/report.rs` |

mod device;
mod fit;
mod host;
mod report;

use std::iter;
use std::ops::Range;
use std::time::Duration;

use anyhow::ensure;
use seedbed::DType;

use super::sample::{Effort, Seconds, repeat_warm};
use super::{Case, cases};

pub use self::device::measure as on_device;
pub use self::host::measure as on_host;
pub use self::report::EngineReport;
use self::report::Point;

/// Of the largest fill, where nothing else was asked for.
pub const ELEMENTS: u64 = 1 << 30;

/// More would take days on the engines of today.
const MOST: u64 = 1 << 40;

/// The most elements of a buffer: 1 GiB, far out of every cache, and small enough for machines that do other things too.
const WINDOW: u64 = 1 << 28;

/// A device that has no memory for so many has a problem of another kind.
const LEAST_WINDOW: u64 = 1 << 20;

/// Small fills are repeated often, those that take the whole budget are measured once.
const EFFORT: Effort = Effort { budget: Duration::from_secs(1), least: 3, most: 301 };

/// What writes constants, what computes most, and what bounds them.
fn grown() -> impl Iterator<Item = Case> {
    let names = ["clear", "constant", "xavier_normal"];
    cases().into_iter().filter(move |case| case.dtype == DType::F32 && names.contains(&case.name))
}

/// 1, 4, 16 and so on, and `most` itself.
fn sizes(most: u64) -> anyhow::Result<Vec<u64>> {
    ensure!((1..=MOST).contains(&most), "{most} elements are none or too many; give another --elements");
    let smaller = iter::successors(Some(1), |size| Some(size * 4)).take_while(|&size| size < most);
    Ok(smaller.chain([most]).collect())
}

/// Elements of the buffer: `most` of them, or what a buffer of this size has room for, in whole blocks.
fn capacity(most: u64, buffer_bytes: u64) -> u64 {
    most.min(WINDOW).min(buffer_bytes / 4 / 4 * 4)
}

/// The windows of a fill, one after the other in the same buffer.
fn windows(elements: u64, capacity: u64) -> impl Iterator<Item = Range<u64>> {
    let starts = (0..elements.div_ceil(capacity.max(1))).map(move |window| window * capacity);
    starts.map(move |start| start..elements.min(start + capacity))
}

/// Measures fills of one size. `once` gives the seconds on the wall and, if it is told to read the queue's clock and
/// there is one, those of the queue. The clock takes time on the wall (about 60 us on lavapipe, where a small fill takes
/// 90), so each has repetitions of its own.
fn point(
    elements: u64,
    capacity: u64,
    mut once: impl FnMut(bool) -> anyhow::Result<(f64, Option<f64>)>,
) -> anyhow::Result<Point> {
    let first = once(true)?;
    let (mut walls, mut queues) = (vec![first.0], Vec::from_iter(first.1));
    if first.0 < EFFORT.budget.as_secs_f64() {
        walls = repeat_warm(EFFORT, || Ok(once(false)?.0))?;
        if !queues.is_empty() {
            queues = repeat_warm(EFFORT, || Ok(once(true)?.1))?.into_iter().flatten().collect();
        }
    }
    Ok(Point {
        elements,
        windows: elements.div_ceil(capacity),
        repetitions: walls.len(),
        wall: Seconds::of(walls),
        queue: (!queues.is_empty()).then(|| Seconds::of(queues)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Work;
    use super::*;

    #[test]
    fn sizes_grow_to_the_most() {
        assert_eq!(sizes(1).unwrap(), [1]);
        assert_eq!(sizes(64).unwrap(), [1, 4, 16, 64]);
        assert_eq!(sizes(100).unwrap(), [1, 4, 16, 64, 100]);
        assert_eq!(sizes(ELEMENTS).unwrap().len(), 16);
        for bad in [0, MOST + 1, u64::MAX] {
            assert!(sizes(bad).unwrap_err().to_string().contains("--elements"));
        }
    }

    #[test]
    fn windows_have_every_element_once() {
        let windows = |elements, capacity| -> Vec<_> {
            windows(elements, capacity).map(|window| (window.start, window.end)).collect()
        };
        assert_eq!(windows(5, 8), [(0, 5)]);
        assert_eq!(windows(8, 8), [(0, 8)]);
        assert_eq!(windows(20, 8), [(0, 8), (8, 16), (16, 20)]);
    }

    #[test]
    fn a_buffer_holds_whole_blocks() {
        assert_eq!(capacity(5, 1 << 20), 5);
        assert_eq!(capacity(5000, 1003), 248);
        assert_eq!(capacity(MOST, u64::MAX), WINDOW);
    }

    #[test]
    fn wall_and_queue_have_repetitions_of_their_own() {
        let point =
            point(100, 40, |clocked| Ok((if clocked { 0.5 } else { 0.25 }, clocked.then_some(0.125))));
        let Point { elements, windows, repetitions, wall, queue } = point.unwrap();
        assert_eq!((elements, windows, repetitions), (100, 3, 301));
        assert_eq!((wall.median, queue.unwrap().median), (0.25, 0.125));
    }

    #[test]
    fn what_takes_long_is_measured_once() {
        let mut calls = 0;
        let mut once = |seconds| {
            calls += 1;
            Ok((seconds, None))
        };
        let point = point(1, 1, |_| once(20.0)).unwrap();
        assert_eq!((point.repetitions, point.wall.median, point.queue), (1, 20.0, None));
        assert_eq!(calls, 1);
    }

    #[test]
    fn all_that_grows_is_f32() {
        assert_eq!(grown().map(|case| case.name).collect::<Vec<_>>(), ["clear", "constant", "xavier_normal"]);
        assert!(grown().all(|case| matches!(case.work, Work::Clear | Work::Fill(_))));
    }
}
