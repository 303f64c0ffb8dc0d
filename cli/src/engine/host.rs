//! The host engine: the host functions, in a thread of their own, one window ahead of the writer.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result};
use seedbed::host;
use seedbed_model::{Maker, Source, Tensor, float};

use super::{Job, Sink};
use crate::window::{Room, WINDOW_BYTES, Window, windows};

/// The number of windows in memory: one is made while the other is written.
const BUFFERS: usize = 2;

/// Checks whether the host can make all tensors.
pub fn check(tensors: &[Tensor]) -> Result<()> {
    for tensor in tensors {
        for source in &tensor.content.sources {
            if let (Source::Init { init, shape, .. }, Some(dtype)) = (source, float(tensor.dtype)) {
                let checked = host::check(init, dtype, shape);
                checked.with_context(|| format!("parameter {:?}: {init}", tensor.name))?;
            }
        }
    }
    Ok(())
}

pub fn run(job: Job<'_>, sink: &mut Sink<'_>) -> Result<()> {
    let (made, to_write) = channel();
    let (written, to_make) = channel();
    for _ in 0..BUFFERS {
        written.send(Vec::new())?;
    }
    thread::scope(|scope| {
        let maker = scope.spawn(move || make(job, &to_make, &made));
        let result = write(to_write, written, sink);
        match maker.join() {
            Ok(made) => result.and(made),
            Err(panic) => resume_unwind(panic),
        }
    })
}

/// Makes all windows, unless the writer stops first. Buffers consist of words, so that their alignment fits
/// elements of every type.
fn make(job: Job<'_>, empty: &Receiver<Vec<u32>>, made: &Sender<(Window, Vec<u32>)>) -> Result<()> {
    let mut maker = Maker::with_keys(job.keys, job.source);
    for window in windows(job.tensors, WINDOW_BYTES, Room::All) {
        let Ok(mut buffer) = empty.recv() else { break };
        buffer.resize((window.word_bytes() / 4) as usize, 0);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut buffer);
        for piece in &window.pieces {
            let (tensor, at) = (&job.tensors[piece.tensor], piece.bytes());
            let destination = &mut bytes[at.start as usize..at.end as usize];
            maker
                .make(tensor, piece.source, piece.elements.clone(), destination)
                .with_context(|| format!("parameter {:?}", tensor.name))?;
        }
        if made.send((window, buffer)).is_err() {
            break;
        }
    }
    Ok(())
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
    use seedbed::{Init, Key};
    use seedbed_model::{Content, Dtype, Keys};

    use super::*;

    #[test]
    fn an_error_of_the_sink_stops_the_maker() {
        let source = Source::Init { init: Init::Ones, shape: vec![1 << 40], stream: "w".into() };
        let content = Content::whole(source).unwrap();
        let tensors = [Tensor { name: "w".into(), shape: vec![1 << 40], dtype: Dtype::F32, content }];
        let job = Job { tensors: &tensors, keys: Keys::Named(Key::new(0)), source: None };
        let error = run(job, &mut |_, _| bail!("enough")).unwrap_err();
        assert_eq!(error.to_string(), "enough");
    }
}
