//! The host engine: the library's host functions, in a thread of their own, one window ahead of the writer.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result};
use seedbed::{Error, Region, host};

use super::Sink;
use crate::fill::Fill;
use crate::window::{WINDOW_BYTES, Window, windows};

/// The number of windows in memory: one is made while the other is written.
const BUFFERS: usize = 2;

/// Checks whether the host can make all fills.
pub fn check(fills: &[Fill]) -> Result<()> {
    for fill in fills {
        let checked = host::check(&fill.init, fill.dtype, &fill.shape);
        checked.with_context(|| format!("parameter {:?}: {}", fill.name, fill.init))?;
    }
    Ok(())
}

pub fn run(fills: &[Fill], sink: &mut Sink<'_>) -> Result<()> {
    let (made, to_write) = channel();
    let (written, to_make) = channel();
    for _ in 0..BUFFERS {
        written.send(Vec::new())?;
    }
    thread::scope(|scope| {
        let maker = scope.spawn(move || make(fills, &to_make, &made));
        let result = write(to_write, written, sink);
        match maker.join() {
            Ok(made) => result.and(made.map_err(Into::into)),
            Err(panic) => resume_unwind(panic),
        }
    })
}

/// Makes all windows, unless the writer stops first. Buffers consist of words, so that their alignment fits
/// elements of every type.
fn make(fills: &[Fill], empty: &Receiver<Vec<u32>>, made: &Sender<(Window, Vec<u32>)>) -> Result<(), Error> {
    let mut whole = Whole::default();
    for window in windows(fills, WINDOW_BYTES) {
        let Ok(mut buffer) = empty.recv() else { break };
        buffer.resize((window.word_bytes() / 4) as usize, 0);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut buffer);
        for piece in &window.pieces {
            let (fill, at) = (&fills[piece.fill], piece.bytes());
            let destination = &mut bytes[at.start as usize..at.end as usize];
            if fill.is_whole() && piece.elements != (0..fill.elements) {
                let start = (piece.elements.start * piece.size) as usize;
                destination.copy_from_slice(&whole.of(piece.fill, fill)?[start..][..destination.len()]);
                continue;
            }
            let region = Region::new(&fill.shape[..]).elements(piece.elements.clone());
            host::fill_bytes(destination, fill.dtype, region, &fill.init, fill.key)?;
        }
        if made.send((window, buffer)).is_err() {
            break;
        }
    }
    Ok(())
}

/// A tensor that can only be made as a whole, kept while its pieces are written.
#[derive(Default)]
struct Whole {
    fill: Option<usize>,
    words: Vec<u32>,
}

impl Whole {
    fn of(&mut self, index: usize, fill: &Fill) -> Result<&[u8], Error> {
        if self.fill != Some(index) {
            // The previous tensor's memory is freed first.
            self.words = Vec::new();
            self.words.resize(fill.bytes().div_ceil(4) as usize, 0);
            let bytes = &mut bytemuck::cast_slice_mut(&mut self.words)[..fill.bytes() as usize];
            host::fill_bytes(bytes, fill.dtype, &fill.shape, &fill.init, fill.key)?;
            self.fill = Some(index);
        }
        Ok(bytemuck::cast_slice(&self.words))
    }
}

/// Writes the windows. The function owns its ends of the channels, so that the maker stops when the writer
/// stops.
fn write(made: Receiver<(Window, Vec<u32>)>, written: Sender<Vec<u32>>, sink: &mut Sink<'_>) -> Result<()> {
    for (window, buffer) in made {
        let bytes: &[u8] = bytemuck::cast_slice(&buffer);
        for piece in &window.pieces {
            sink(piece, &bytes[piece.bytes().start as usize..piece.bytes().end as usize])?;
        }
        // The maker may have finished, and then nobody receives the buffer.
        let _ = written.send(buffer);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use seedbed::{DType, Init, Key};

    use super::*;

    #[test]
    fn an_error_of_the_sink_stops_the_maker() {
        let fill = Fill::new("w".into(), vec![1 << 40], DType::F32, Init::Ones, Key::new(0)).unwrap();
        let error = run(&[fill], &mut |_, _| bail!("enough")).unwrap_err();
        assert_eq!(error.to_string(), "enough");
    }
}
