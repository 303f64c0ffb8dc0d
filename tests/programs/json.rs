//! The text of a file: JSON with the outer containers over lines, so that two versions differ in few lines.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// The text of a value. Objects have a line for each field in the `levels` outer levels of containers. Arrays have
/// a line for each element there, and one level further in.
pub fn text(value: &impl Serialize, levels: usize) -> String {
    let mut text = Vec::new();
    let lines = Lines { levels, depth: 0, is_empty: false };
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, lines);
    value.serialize(&mut serializer).expect("a value that can be written");
    text.push(b'\n');
    String::from_utf8(text).expect("JSON")
}

struct Lines {
    levels: usize,
    /// How many containers are open.
    depth: usize,
    /// Whether the innermost container has no element yet.
    is_empty: bool,
}

impl Lines {
    fn begin(&mut self, writer: &mut (impl io::Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        (self.depth, self.is_empty) = (self.depth + 1, true);
        writer.write_all(bracket)
    }

    fn element(
        &mut self,
        writer: &mut (impl io::Write + ?Sized),
        first: bool,
        levels: usize,
    ) -> io::Result<()> {
        self.is_empty = false;
        let comma = if first { "" } else { "," };
        match self.depth <= levels {
            true => write!(writer, "{comma}\n{}", "  ".repeat(self.depth)),
            false => write!(writer, "{comma}{}", if first { "" } else { " " }),
        }
    }

    fn end(
        &mut self,
        writer: &mut (impl io::Write + ?Sized),
        bracket: &[u8],
        levels: usize,
    ) -> io::Result<()> {
        let over_lines = self.depth <= levels && !self.is_empty;
        (self.depth, self.is_empty) = (self.depth - 1, false);
        if over_lines {
            write!(writer, "\n{}", "  ".repeat(self.depth))?;
        }
        writer.write_all(bracket)
    }
}

impl Formatter for Lines {
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.element(writer, first, self.levels + 1)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]", self.levels + 1)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.element(writer, first, self.levels)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}", self.levels)
    }
}
