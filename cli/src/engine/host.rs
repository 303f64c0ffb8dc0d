//! The host engine of the library, a window ahead of the writer in a thread of its own.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::Result;
use seedbed::{Error, Region, host};

use super::Sink;
use crate::fill::{ELEMENT_BYTES, Fill};
use crate::window::{WINDOW_BYTES, Window, windows};

/// One being made, one being written.
const BUFFERS: usize = 2;

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

/// Until all is made or the writer has gone.
fn make(fills: &[Fill], empty: &Receiver<Vec<f32>>, made: &Sender<(Window, Vec<f32>)>) -> Result<(), Error> {
    for window in windows(fills, WINDOW_BYTES) {
        let Ok(mut buffer) = empty.recv() else { break };
        buffer.resize((window.bytes() / ELEMENT_BYTES) as usize, 0.0);
        for piece in &window.pieces {
            let (fill, bytes) = (&fills[piece.fill], piece.bytes());
            let destination =
                &mut buffer[(bytes.start / ELEMENT_BYTES) as usize..(bytes.end / ELEMENT_BYTES) as usize];
            let region = Region::new(&fill.shape[..]).elements(piece.elements.clone());
            host::fill(destination, region, &fill.init, fill.key)?;
        }
        if made.send((window, buffer)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Takes its ends of the channels, so that the maker stops where this does.
fn write(made: Receiver<(Window, Vec<f32>)>, written: Sender<Vec<f32>>, sink: &mut Sink<'_>) -> Result<()> {
    for (window, buffer) in made {
        let bytes: &[u8] = bytemuck::cast_slice(&buffer);
        for piece in &window.pieces {
            sink(piece, &bytes[piece.bytes().start as usize..piece.bytes().end as usize])?;
        }
        // The maker may be done.
        let _ = written.send(buffer);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use seedbed::{Init, Key};

    use super::*;

    #[test]
    fn an_error_of_the_sink_stops_the_maker() {
        let fill = Fill::new("w".into(), vec![1 << 40], Init::Ones, Key::new(0)).unwrap();
        let error = run(&[fill], &mut |_, _| bail!("enough")).unwrap_err();
        assert_eq!(error.to_string(), "enough");
    }
}
