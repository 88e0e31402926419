//! Sets in parts: together again as they were, and nothing of a set whose parts are not in order.

use proptest::prelude::*;

use super::*;

fn intent(name: &str) -> IntentBody {
    IntentBody { pod_id: name.to_owned(), ..IntentBody::default() }
}

fn json_len(intent: &IntentBody) -> usize {
    serde_json::to_vec(intent).unwrap().len()
}

fn part(epoch: u64, part: u32, parts: u32) -> IntentsPart {
    let intents = vec![intent(&format!("{epoch}-{part}"))];
    IntentsPart { epoch, generation: 1, part, parts, intents, muted: Vec::new() }
}

#[test]
fn an_empty_set_is_one_empty_part() {
    let parts = split(NodeSet { epoch: 3, generation: 7, ..NodeSet::default() }, json_len).unwrap();
    assert_eq!(parts, [IntentsPart { epoch: 3, generation: 7, part: 1, parts: 1, ..IntentsPart::default() }]);
}

#[test]
fn what_cannot_be_sent_is_said() {
    let set = |count: usize| NodeSet { intents: vec![intent("u"); count], ..NodeSet::default() };
    // 13 bytes and a comma.
    assert_eq!(split_at(13, set(1), json_len), Err(TooLarge::Element(14)));
    assert_eq!(split_at(14, set(16), json_len).unwrap().len(), 16);
    assert_eq!(split_at(14, set(17), json_len), Err(TooLarge::Set));
}

type Step = (IntentsPart, Result<Option<NodeSet>, PartError>);

#[test]
fn parts_out_of_order_are_refused_and_the_set_is_dropped() {
    let whole = |epoch| NodeSet {
        epoch,
        generation: 1,
        intents: vec![intent(&format!("{epoch}-1")), intent(&format!("{epoch}-2"))],
        muted: Vec::new(),
    };
    let order = |part, expected| Err(PartError::Order { part, expected });
    let numbers = |part, parts| Err(PartError::Numbers { part, parts });
    let rows: [(&str, Vec<Step>); 9] = [
        ("in order", vec![(part(1, 1, 2), Ok(None)), (part(1, 2, 2), Ok(Some(whole(1))))]),
        ("without a first part", vec![(part(1, 2, 2), order(2, 1))]),
        (
            "a part twice",
            vec![
                (part(1, 1, 3), Ok(None)),
                (part(1, 2, 3), Ok(None)),
                (part(1, 2, 3), order(2, 3)),
                (part(1, 3, 3), order(3, 1)),
            ],
        ),
        ("a part left out", vec![(part(1, 1, 3), Ok(None)), (part(1, 3, 3), order(3, 2))]),
        (
            "a new set before the end of another",
            vec![(part(1, 1, 2), Ok(None)), (part(2, 1, 2), Ok(None)), (part(2, 2, 2), Ok(Some(whole(2))))],
        ),
        (
            "two sets mixed",
            vec![
                (part(1, 1, 2), Ok(None)),
                (part(2, 2, 2), Err(PartError::Mixed(2))),
                (part(1, 2, 2), order(2, 1)),
            ],
        ),
        (
            "another count on the way",
            vec![(part(1, 1, 2), Ok(None)), (part(1, 2, 3), Err(PartError::Mixed(2)))],
        ),
        ("no parts", vec![(part(1, 0, 0), numbers(0, 0)), (part(1, 1, 0), numbers(1, 0))]),
        ("too many", vec![(part(1, 1, u32::MAX), numbers(1, u32::MAX)), (part(1, 3, 2), numbers(3, 2))]),
    ];
    for (what, steps) in rows {
        let mut assembly = Assembly::default();
        for (part, expected) in steps {
            assert_eq!(assembly.add(part), expected, "{what}");
        }
    }
}

fn any_intent() -> impl Strategy<Value = IntentBody> {
    (".{0,20}", ".{0,20}", any::<i64>()).prop_map(|(pod_id, command_regex, priority)| IntentBody {
        pod_id,
        command_regex,
        priority,
        ..IntentBody::default()
    })
}

fn any_muted() -> impl Strategy<Value = MutedTask> {
    (".{0,20}", any::<u32>(), any::<u64>()).prop_map(|(pod_id, pid, start_time)| MutedTask {
        pod_id,
        pid,
        start_time,
    })
}

proptest! {
    #[test]
    fn a_set_comes_together_again_and_each_part_has_room(
        intents in prop::collection::vec(any_intent(), 0..30),
        muted in prop::collection::vec(any_muted(), 0..5),
        room in 700_usize..3000,
    ) {
        let set = NodeSet { epoch: 3, generation: 7, intents, muted };
        let Ok(parts) = split_at(room, set.clone(), json_len) else {
            return Ok(());
        };
        let mut assembly = Assembly::default();
        let count = parts.len();
        for (number, part) in (1..).zip(parts) {
            let text = serde_json::to_vec(&part).unwrap();
            prop_assert!(text.len() <= room + ENVELOPE, "{} bytes in a part of {room}", text.len());
            let read: IntentsPart = serde_json::from_slice(&text).unwrap();
            let done = assembly.add(read).unwrap();
            prop_assert_eq!(done.is_some(), number == count);
            if let Some(done) = done {
                prop_assert_eq!(&done, &set);
            }
        }
    }

    #[test]
    fn no_sequence_of_parts_is_held_beyond_the_bound(
        numbers in prop::collection::vec((0_u64..3, 0_u32..20, 0_u32..20), 0..200),
    ) {
        let mut assembly = Assembly::default();
        for (epoch, number, parts) in numbers {
            let done = assembly.add(part(epoch, number, parts));
            if let Ok(Some(set)) = done {
                prop_assert_eq!(set.intents.len(), usize::try_from(parts).unwrap());
                let of_one = format!("{}-", set.epoch);
                prop_assert!(set.intents.iter().all(|intent| intent.pod_id.starts_with(&of_one)));
            }
            prop_assert!(assembly.set.intents.len() < usize::try_from(PARTS_MAX).unwrap());
        }
    }
}
