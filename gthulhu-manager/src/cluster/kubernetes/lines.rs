//! A body that comes in pieces, as lines.

use bytes::{Bytes, BytesMut};

/// The longest line that is read, in bytes. The largest object that an API server keeps has 3 MiB at most.
const LINE_BYTES_MAX: usize = 8 << 20;

/// What came of a body and is not a whole line yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// So much of the buffer is known to hold no end of a line.
    searched: usize,
}

impl Lines {
    /// Takes in the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole line, without its end. Fails on a line that never ends.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, String> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        if let Some(end) = end {
            let mut line = self.buffer.split_to(self.searched + end + 1);
            self.searched = 0;
            line.truncate(line.len() - 1);
            return Ok(Some(line.freeze()));
        }
        self.searched = self.buffer.len();
        if self.searched > LINE_BYTES_MAX {
            return Err(format!("an event has more than {LINE_BYTES_MAX} bytes"));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_how_they_were_cut() {
        let body = b"one\n\nthree is longer\nno end";
        for size in 1..body.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in body.chunks(size) {
                lines.push(piece);
                while let Some(line) = lines.next().unwrap() {
                    found.push(String::from_utf8(line.to_vec()).unwrap());
                }
            }
            assert_eq!(found, ["one", "", "three is longer"], "pieces of {size}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_refused() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; LINE_BYTES_MAX];
        lines.push(&piece);
        assert_eq!(lines.next(), Ok(None));
        lines.push(b"xx");
        assert!(lines.next().is_err());
    }
}
