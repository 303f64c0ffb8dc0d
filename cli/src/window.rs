//! Windows: fills -> windows of bounded size. Pure arithmetic.

use std::ops::Range;

use crate::fill::Fill;

/// The largest size of a window, in bytes. The size is large enough to hide a submission's fixed cost of 0.2
/// ms, which is less than 2 % of llvmpipe's time for 32 MiB, and small enough for several windows to fit in
/// memory.
pub const WINDOW_BYTES: u64 = 32 << 20;

/// The alignment of pieces, in bytes. On these boundaries kernels write whole vectors.
const ALIGNMENT: u64 = 16;

/// The largest number of pieces in a window, so that a million scalars do not become one huge submission.
const MAX_PIECES: usize = 1024;

/// A piece of a window: elements of one fill.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The index of the fill.
    pub fill: usize,
    /// The elements of the fill.
    pub elements: Range<u64>,
    /// The bytes of an element.
    pub size: u64,
    /// The offset in the window, in bytes.
    pub at: u64,
}

impl Piece {
    /// The bytes of the window that the piece takes.
    pub fn bytes(&self) -> Range<u64> {
        self.at..self.at + (self.elements.end - self.elements.start) * self.size
    }
}

/// A window: one or more pieces that are made in one submission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    pub pieces: Vec<Piece>,
}

impl Window {
    pub fn bytes(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.bytes().end)
    }

    /// The bytes, rounded up to whole words, because devices copy whole words.
    pub fn word_bytes(&self) -> u64 {
        self.bytes().next_multiple_of(4)
    }
}

/// Cuts the fills, in their order, into windows of at most `capacity` bytes. Fills without elements
/// have no piece.
pub fn windows(fills: &[Fill], capacity: u64) -> impl Iterator<Item = Window> {
    assert!(capacity >= ALIGNMENT, "room for one block");
    let (mut fill, mut next) = (0, 0);
    std::iter::from_fn(move || {
        let mut window = Window::default();
        while fill < fills.len() && window.pieces.len() < MAX_PIECES {
            let left = fills[fill].elements - next;
            let at = window.bytes().next_multiple_of(ALIGNMENT);
            let size = fills[fill].dtype.size();
            let room = capacity.saturating_sub(at) / ALIGNMENT * (ALIGNMENT / size);
            let count = left.min(room);
            if count > 0 {
                window.pieces.push(Piece { fill, elements: next..next + count, size, at });
                next += count;
            }
            if count < left {
                break;
            }
            (fill, next) = (fill + 1, 0);
        }
        (!window.pieces.is_empty()).then_some(window)
    })
}

#[cfg(test)]
mod tests {
    use seedbed::{DType, Init, Key};

    use super::*;

    fn fills(elements: &[u64]) -> Vec<Fill> {
        let fill =
            |&n: &u64| Fill::new(format!("{n}"), vec![n], DType::F32, Init::Ones, Key::new(0)).unwrap();
        elements.iter().map(fill).collect()
    }

    #[test]
    fn small_fills_share_a_window_and_large_ones_are_cut() {
        let fills = fills(&[3, 0, 21, 4, 1]);
        let windows: Vec<_> = windows(&fills, 64).collect();
        let piece = |fill, elements, at| Piece { fill, elements, size: 4, at };
        assert_eq!(
            windows,
            [
                Window { pieces: vec![piece(0, 0..3, 0), piece(2, 0..12, 16)] },
                Window { pieces: vec![piece(2, 12..21, 0), piece(3, 0..4, 48)] },
                Window { pieces: vec![piece(4, 0..1, 0)] },
            ]
        );
    }

    #[test]
    fn every_element_comes_once_in_order_and_fits() {
        let sizes = [0, 1, 2, 1000, 0, 5, 16, 17, 3, 4096, 0];
        let mut fills = fills(&sizes);
        // Every other fill has 16-bit elements.
        fills.iter_mut().step_by(2).for_each(|fill| fill.dtype = DType::BF16);
        for capacity in [16, 40, 64, 100, 1 << 20] {
            let mut next = [0; 11];
            for window in windows(&fills, capacity) {
                assert!(window.bytes() <= capacity && !window.pieces.is_empty());
                let mut end = 0;
                for piece in &window.pieces {
                    assert_eq!(piece.elements.start, next[piece.fill]);
                    assert!(
                        piece.at >= end
                            && piece.at.is_multiple_of(16)
                            && piece.elements.start.is_multiple_of(4)
                    );
                    next[piece.fill] = piece.elements.end;
                    end = piece.bytes().end;
                }
            }
            assert_eq!(next, sizes);
        }
    }

    #[test]
    fn nothing_gives_no_window() {
        assert_eq!(windows(&[], 64).count(), 0);
        assert_eq!(windows(&fills(&[0, 0]), 64).count(), 0);
    }

    #[test]
    fn pieces_are_limited() {
        let counts: Vec<_> = windows(&fills(&[1; 2500]), 1 << 20).map(|w| w.pieces.len()).collect();
        assert_eq!(counts, [1024, 1024, 452]);
    }
}
