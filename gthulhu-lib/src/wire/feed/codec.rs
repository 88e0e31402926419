//! Frames in a stream of bytes: a length in front of each, and nothing allocated on the word of a peer.

use std::mem;

use thiserror::Error;

use super::FRAME_MAX;

/// Bytes of the length in front of each frame.
const PREFIX: usize = 4;

/// What an empty [`Deframer`] keeps of the room that an unusually long frame needed.
const KEPT: usize = 64 << 10;

/// A frame is longer than may be sent or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a frame of {length} bytes; at most {limit} are taken")]
pub struct TooLong {
    /// The length, as announced by the peer or as it would be sent.
    pub length: usize,
    /// What is taken.
    pub limit: usize,
}

/// The frame that carries this JSON text.
///
/// # Errors
///
/// If the text is longer than [`FRAME_MAX`].
pub fn framed(json: &[u8]) -> Result<Vec<u8>, TooLong> {
    let too_long = TooLong { length: json.len(), limit: FRAME_MAX };
    let length = u32::try_from(json.len()).map_err(|_| too_long)?;
    if json.len() > FRAME_MAX {
        return Err(too_long);
    }
    let mut frame = Vec::with_capacity(PREFIX + json.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(json);
    Ok(frame)
}

/// Takes bytes as they arrive and gives frames.
///
/// It holds what has arrived and was not given yet: never more than one frame of the limit and the last piece, if
/// every piece is followed by [`Deframer::next`] until that gives nothing.
#[derive(Debug)]
pub struct Deframer {
    bytes: Vec<u8>,
    /// Bytes at the front that were given already.
    given: usize,
    limit: usize,
}

impl Deframer {
    /// Takes frames of at most `limit` bytes of JSON, and never more than [`FRAME_MAX`].
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), given: 0, limit: limit.min(FRAME_MAX) }
    }

    /// From now on takes frames up to `limit`, as in [`Deframer::new`].
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(FRAME_MAX);
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..mem::take(&mut self.given));
        self.bytes.extend_from_slice(piece);
    }

    /// The JSON text of the next frame, once it is whole. After an error the stream has no meaning any more.
    ///
    /// # Errors
    ///
    /// If the frame that begins here is announced to be longer than the limit.
    #[expect(clippy::should_implement_trait, reason = "the text is borrowed, and there may be more later")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let rest = &self.bytes[self.given..];
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX>() else {
            self.forget_what_was_given();
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(TooLong { length, limit: self.limit });
        }
        if rest.len() < length {
            return Ok(None);
        }
        let start = self.given + PREFIX;
        self.given = start + length;
        Ok(Some(&self.bytes[start..self.given]))
    }

    /// Whether a frame has begun and is not whole yet.
    pub fn is_amid(&self) -> bool {
        self.given < self.bytes.len()
    }

    fn forget_what_was_given(&mut self) {
        self.bytes.drain(..mem::take(&mut self.given));
        if self.bytes.is_empty() {
            self.bytes.shrink_to(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pushes the pieces and collects the frames, as a reader of a socket does.
    fn frames(pieces: &[&[u8]], limit: usize) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut deframer = Deframer::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            deframer.push(piece);
            while let Some(frame) = deframer.next()? {
                found.push(frame.to_vec());
            }
            assert!(deframer.bytes.len() <= limit + PREFIX + piece.len(), "it holds more than it has to");
        }
        Ok(found)
    }

    #[test]
    fn a_frame_is_its_length_and_its_text() {
        assert_eq!(framed(b"{}").unwrap(), *b"\x02\0\0\0{}");
        assert_eq!(framed(b"").unwrap(), [0; 4]);
        let largest = vec![b' '; FRAME_MAX];
        assert_eq!(framed(&largest).unwrap()[..4], [0, 0, 0x40, 0]);
        assert!(framed(&vec![b' '; FRAME_MAX + 1]).is_err());
    }

    #[test]
    fn a_length_alone_takes_no_room_and_one_too_large_is_refused_at_once() {
        let mut deframer = Deframer::new(usize::MAX);
        deframer.push(&u32::try_from(FRAME_MAX).unwrap().to_le_bytes());
        assert_eq!(deframer.next(), Ok(None));
        assert!(deframer.is_amid());
        assert!(deframer.bytes.capacity() < 64, "room for {} bytes", deframer.bytes.capacity());
        for length in [u32::MAX, 1 << 22 | 1] {
            let mut deframer = Deframer::new(usize::MAX);
            deframer.push(&length.to_le_bytes());
            let length = usize::try_from(length).unwrap();
            assert_eq!(deframer.next(), Err(TooLong { length, limit: FRAME_MAX }));
        }
    }

    #[test]
    fn the_limit_can_be_raised_between_two_frames() {
        let mut deframer = Deframer::new(2);
        deframer.push(&[framed(b"{}").unwrap(), framed(b"[1]").unwrap()].concat());
        assert_eq!(deframer.next(), Ok(Some(&b"{}"[..])));
        deframer.set_limit(3);
        assert_eq!(deframer.next(), Ok(Some(&b"[1]"[..])));
        assert_eq!(deframer.next(), Ok(None));
        assert!(!deframer.is_amid());
    }

    #[test]
    fn the_room_of_a_long_frame_is_given_back() {
        let mut deframer = Deframer::new(FRAME_MAX);
        deframer.push(&framed(&vec![b' '; FRAME_MAX]).unwrap());
        assert!(deframer.next().unwrap().is_some());
        assert_eq!(deframer.next(), Ok(None));
        assert!(deframer.bytes.capacity() <= KEPT, "{}", deframer.bytes.capacity());
    }

    proptest! {
        #[test]
        fn frames_arrive_whole_however_the_stream_is_cut(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(1_usize..30, 1..20),
        ) {
            let stream: Vec<u8> = texts.iter().flat_map(|text| framed(text).unwrap()).collect();
            let (mut rest, mut pieces) = (&stream[..], Vec::new());
            for cut in cuts.iter().cycle() {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(frames(&pieces, 64), Ok(texts));
        }

        #[test]
        fn no_stream_of_bytes_is_held_beyond_the_limit(
            pieces in prop::collection::vec(prop::collection::vec(0_u8..4, 0..50), 0..30),
        ) {
            // Small bytes, so that many lengths are within the limit and many are not.
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = frames(&pieces, 700);
        }
    }
}
