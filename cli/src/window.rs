//! Windows: tensors -> windows of bounded size. Pure arithmetic.

use std::ops::Range;

use seedbed_model::{Maker, Run, Segment, Tensor, unit_size};

/// The largest size of a window, in bytes. The size is large enough to hide a submission's fixed cost of 0.2
/// ms, which is less than 2 % of llvmpipe's time for 32 MiB, and small enough for several windows to fit in
/// memory.
pub const WINDOW_BYTES: u64 = 32 << 20;

/// The alignment of pieces, in bytes. On these boundaries kernels write whole vectors.
const ALIGNMENT: u64 = 16;

/// The largest number of pieces in a window, so that a million scalars do not become one huge submission.
const MAX_PIECES: usize = 1024;

/// A piece of a window: elements of one source of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The index of the tensor.
    pub tensor: usize,
    /// The index of the source.
    pub source: usize,
    /// The elements of the source.
    pub elements: Range<u64>,
    /// The bytes of an element.
    pub size: u64,
    /// The offset in the window, in bytes.
    pub at: u64,
    /// Whether the library makes the elements, so that a GPU can.
    pub is_fill: bool,
}

impl Piece {
    /// The number of bytes.
    pub fn len(&self) -> u64 {
        (self.elements.end - self.elements.start) * self.size
    }

    /// The bytes of the window that the piece takes.
    pub fn bytes(&self) -> Range<u64> {
        self.at..self.at + self.len()
    }
}

/// A window: one or more pieces that are made in one submission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    pub pieces: Vec<Piece>,
    /// The bytes that the pieces in it take.
    pub bytes: u64,
}

impl Window {
    /// The bytes, rounded up to whole words, because devices copy whole words.
    pub fn word_bytes(&self) -> u64 {
        self.bytes.next_multiple_of(4)
    }
}

/// Who fills windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The host: all pieces have room.
    All,
    /// A device: only fills have room. The host makes the other pieces, of at most as many bytes, when they are written.
    Fills,
}

/// Cuts the tensors, in their order, into windows of at most `capacity` bytes. Tensors without elements
/// have no piece.
pub fn windows(tensors: &[Tensor], capacity: u64, room: Room) -> impl Iterator<Item = Window> {
    assert!(capacity >= ALIGNMENT, "room for one block");
    let all = tensors.iter().enumerate().flat_map(|(index, tensor)| {
        // A device copies whole words out of a matrix that it made, and runs of 16-bit elements may begin within a word.
        let begins_anywhere = |run: &Run| run.first % 2 == 1 || tensor.content.outer > 1;
        let is_cut = unit_size(tensor.dtype) < 4 && tensor.content.runs.iter().any(begins_anywhere);
        let is_fill = |source: usize| {
            Maker::is_fill(tensor, source) && !(is_cut && tensor.content.sources[source].is_whole())
        };
        let fills: Vec<bool> = (0..tensor.content.sources.len()).map(is_fill).collect();
        tensor.content.segments().map(move |Segment { source, elements }| Piece {
            tensor: index,
            source,
            elements,
            size: unit_size(tensor.dtype),
            at: 0,
            is_fill: fills[source],
        })
    });
    let mut segments = all.peekable();
    std::iter::from_fn(move || {
        let mut window = Window::default();
        let mut elsewhere = 0_u64;
        while window.pieces.len() < MAX_PIECES {
            let Some(segment) = segments.peek_mut() else { break };
            let left = segment.elements.end - segment.elements.start;
            let is_inside = room == Room::All || segment.is_fill;
            let taken = if is_inside { &mut window.bytes } else { &mut elsewhere };
            let at = taken.next_multiple_of(ALIGNMENT);
            let free = capacity.saturating_sub(at) / ALIGNMENT * (ALIGNMENT / segment.size);
            let count = left.min(free);
            if count > 0 {
                let elements = segment.elements.start..segment.elements.start + count;
                *taken = at + count * segment.size;
                window.pieces.push(Piece { elements, at, ..segment.clone() });
                segment.elements.start += count;
            }
            if count < left {
                break;
            }
            segments.next();
        }
        (!window.pieces.is_empty()).then_some(window)
    })
}

#[cfg(test)]
mod tests {
    use seedbed::{DType, Init};
    use seedbed_model::{Content, Dtype, Source};

    use super::*;

    fn tensors(elements: &[u64]) -> Vec<Tensor> {
        let tensor = |&n: &u64| {
            let source = Source::Init { init: Init::Ones, shape: vec![n], stream: String::new() };
            let content = Content::whole(source).unwrap();
            Tensor { name: format!("{n}"), shape: vec![n], dtype: Dtype::F32, content }
        };
        elements.iter().map(tensor).collect()
    }

    #[test]
    fn small_tensors_share_a_window_and_large_ones_are_cut() {
        let tensors = tensors(&[3, 0, 21, 4, 1]);
        let windows: Vec<_> = windows(&tensors, 64, Room::All).collect();
        let piece = |tensor, elements, at| Piece { tensor, source: 0, elements, size: 4, at, is_fill: true };
        assert_eq!(
            windows,
            [
                Window { pieces: vec![piece(0, 0..3, 0), piece(2, 0..12, 16)], bytes: 64 },
                Window { pieces: vec![piece(2, 12..21, 0), piece(3, 0..4, 48)], bytes: 64 },
                Window { pieces: vec![piece(4, 0..1, 0)], bytes: 4 },
            ]
        );
    }

    #[test]
    fn every_element_comes_once_in_order_and_fits() {
        let sizes = [0, 1, 2, 1000, 0, 5, 16, 17, 3, 4096, 0];
        let mut tensors = tensors(&sizes);
        // Every other tensor has 16-bit elements.
        let bf16 = seedbed_model::in_file(DType::BF16).unwrap();
        tensors.iter_mut().step_by(2).for_each(|tensor| tensor.dtype = bf16);
        for capacity in [16, 40, 64, 100, 1 << 20] {
            let mut next = [0; 11];
            for window in windows(&tensors, capacity, Room::Fills) {
                assert!(window.bytes <= capacity && !window.pieces.is_empty());
                let mut end = 0;
                for piece in &window.pieces {
                    assert_eq!(piece.elements.start, next[piece.tensor]);
                    assert!(
                        piece.at >= end
                            && piece.at.is_multiple_of(16)
                            && piece.elements.start.is_multiple_of(4)
                    );
                    next[piece.tensor] = piece.elements.end;
                    end = piece.bytes().end;
                }
            }
            assert_eq!(next, sizes);
        }
    }

    #[test]
    fn what_a_device_does_not_fill_takes_no_room() {
        let mut tensors = tensors(&[3, 100, 4]);
        let source = Source::Copy { name: "1".into(), shape: vec![100] };
        tensors[1].content = Content::whole(source).unwrap();
        let all: Vec<_> = windows(&tensors, 256, Room::Fills).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].pieces.iter().map(Piece::len).collect::<Vec<_>>(), [12, 256]);
        assert_eq!((all[0].bytes, all[1].bytes), (12, 16));
    }

    #[test]
    fn nothing_gives_no_window() {
        assert_eq!(windows(&[], 64, Room::All).count(), 0);
        assert_eq!(windows(&tensors(&[0, 0]), 64, Room::All).count(), 0);
    }

    #[test]
    fn pieces_are_limited() {
        let counts: Vec<_> =
            windows(&tensors(&[1; 2500]), 1 << 20, Room::All).map(|w| w.pieces.len()).collect();
        assert_eq!(counts, [1024, 1024, 452]);
    }
}
