//! What the node holds, as it travels by the feed.

use std::io;

use gthulhu_lib::wire::{
    IntentBody,
    feed::{
        Frame, MutedTask,
        parts::{NodeSet, split},
    },
};

use super::stream::bytes;
use crate::state::{Muted, State};

/// The frames of a set, each as it travels.
pub(super) fn frames(state: &State) -> io::Result<Vec<Vec<u8>>> {
    let pair = state.fence.held.map(|held| held.pair);
    let set = NodeSet {
        epoch: pair.map_or(0, |pair| pair.epoch),
        generation: pair.map_or(0, |pair| pair.generation),
        intents: state.intents.to_wire(),
        muted: state.muted.iter().map(muted).collect(),
    };
    let parts = split(set, json_len).map_err(io::Error::other)?;
    parts.into_iter().map(|part| bytes(&Frame::Intents(part))).collect()
}

fn muted(muted: &Muted) -> MutedTask {
    MutedTask { pod_id: muted.pod.clone(), pid: muted.pid, start_time: muted.start }
}

fn json_len(intent: &IntentBody) -> usize {
    let mut counted = Counted(0);
    // Texts and numbers always serialise; if they did not, `bytes` would say so.
    let _ = serde_json::to_writer(&mut counted, intent);
    counted.0
}

/// Counts what is written.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_http::json;
    use gthulhu_lib::{
        intent::{Limits, set::IntentSet},
        wire::feed::{FRAME_MAX, codec::Deframer, parts::Assembly},
    };

    use super::*;
    use crate::fence::{Fence, Held, Pair};

    #[test]
    fn a_set_larger_than_a_frame_arrives_as_it_is_held() {
        let intent = |number: usize| IntentBody {
            pod_id: format!("pod-{number}"),
            command_regex: format!("^<{}>&\"\\\\$", number % 500),
            pod_labels: (0..40).map(|key| (format!("key-{key}"), "v".repeat(60))).collect(),
            ..IntentBody::default()
        };
        let intents = IntentSet::check((0..2000).map(intent).collect(), &Limits::default()).unwrap();
        let held = Held { pair: Pair { epoch: 3, generation: 7 }, pushed: intents.digest() };
        let muted = vec![Muted { pod: "pod-1".to_owned(), pid: 42, start: 98 }];
        let state = State { fence: Fence { held: Some(held), edited: true }, intents, muted };
        let stream = frames(&state).unwrap();
        assert!(stream.len() > 1);
        let (mut deframer, mut assembly, mut whole) = (Deframer::new(FRAME_MAX), Assembly::default(), None);
        for frame in stream {
            assert!(whole.is_none());
            deframer.push(&frame);
            let text = deframer.next().unwrap().unwrap();
            let Frame::Intents(part) = json::parse(text).unwrap() else { panic!() };
            whole = assembly.add(part).unwrap();
        }
        let set = whole.unwrap();
        assert_eq!((set.epoch, set.generation, set.muted[0].start_time), (3, 7, 98));
        let arrived = IntentSet::check(set.intents, &Limits::default()).unwrap();
        assert_eq!(arrived.digest(), state.intents.digest());
    }
}
