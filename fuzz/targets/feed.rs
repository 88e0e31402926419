//! A stream of bytes from a peer of the feed.
//!
//! Property: no stream makes the reader panic or hold more than one frame and what came last. However it is cut, the same
//! frames are found. A frame that is read is written so that reading it again gives the same one, and parts that make a
//! set make the one that is cut into parts again.
#![no_main]

use gthulhu_http::json;
use gthulhu_lib::wire::feed::{
    Frame,
    codec::{Deframer, TooLong, framed},
    parts::{Assembly, split},
};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = texts(stream, stream.len().max(1));
    let pieces = texts(stream, usize::from(cut).max(1));
    assert_eq!(whole, pieces, "the cut matters");
    let mut assembly = Assembly::default();
    for text in &whole.0 {
        let Ok(frame) = json::parse::<Frame>(text) else { return };
        if frame == Frame::Unknown {
            continue;
        }
        let written = serde_json::to_vec(&frame).expect("what was read can be written");
        assert_eq!(json::parse::<Frame>(&written).expect("and read again"), frame);
        let Frame::Intents(part) = frame else { continue };
        let Ok(Some(set)) = assembly.add(part) else { continue };
        let json_len = |intent: &_| serde_json::to_vec(intent).map_or(0, |text| text.len());
        let parts = split(set.clone(), json_len).expect("small enough");
        let mut again = Assembly::default();
        let last = parts.into_iter().filter_map(|part| again.add(part).expect("in order")).last();
        assert_eq!(last, Some(set));
    }
});

/// The frames of a stream that arrives in pieces of this length, up to the first that is refused.
fn texts(stream: &[u8], length: usize) -> (Vec<Vec<u8>>, Option<TooLong>) {
    let mut deframer = Deframer::new(LIMIT);
    let mut found = Vec::new();
    for piece in stream.chunks(length) {
        deframer.push(piece);
        loop {
            match deframer.next() {
                Ok(Some(text)) => {
                    let frame = framed(text).expect("it was within the limit");
                    assert_eq!(frame.len(), text.len() + 4);
                    found.push(text.to_vec());
                }
                Ok(None) => break,
                Err(refused) => return (found, Some(refused)),
            }
        }
    }
    (found, None)
}
