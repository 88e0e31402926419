//! JSON that can stand in a page: what HTML or JavaScript would take for its own is escaped.

use std::io::{self, Write};

use serde_json::ser::Formatter;

/// Compact, with `<`, `>`, `&`, U+2028 and U+2029 escaped, which in JSON occur inside strings only.
pub(super) struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment.as_bytes();
        while let Some((at, escape, length)) = first(rest) {
            writer.write_all(&rest[..at])?;
            writer.write_all(escape)?;
            rest = &rest[at + length..];
        }
        writer.write_all(rest)
    }
}

/// Where the first such character is, what stands for it, and its length.
fn first(text: &[u8]) -> Option<(usize, &'static [u8], usize)> {
    text.iter().enumerate().find_map(|(at, byte)| match byte {
        b'<' => Some((at, &b"\\u003c"[..], 1)),
        b'>' => Some((at, b"\\u003e", 1)),
        b'&' => Some((at, b"\\u0026", 1)),
        0xE2 => match text.get(at + 1..at + 3) {
            Some([0x80, 0xA8]) => Some((at, b"\\u2028", 3)),
            Some([0x80, 0xA9]) => Some((at, b"\\u2029", 3)),
            _ => None,
        },
        _ => None,
    })
}
