//! What the kernel's process connector says: the few of its events that matter here, and the two orders it takes.
//!
//! A message is a netlink header, a connector header, and in events a number that says what happened, the CPU, a time,
//! and then the tasks, each as its id and its process's. All numbers are in the machine's byte order.

use crate::process::Comm;

/// The connector's number, also that of its multicast group.
pub(super) const PROC: u32 = 1;

const NETLINK_HEADER: usize = 16;
const CONNECTOR_HEADER: usize = 20;
/// What happened, the CPU and the time.
const EVENT_HEADER: usize = 16;
/// The only type of netlink message that the connector knows.
const DONE: u16 = 3;

/// A task as events name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) tid: u32,
    pub(super) tgid: u32,
}

impl Task {
    pub(super) fn is_leader(self) -> bool {
        self.tid == self.tgid
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The answer to an order, whoever gave it: all who listen are told.
    Answer {
        /// One more than the order's mark.
        to: u32,
        /// 0, or why it was refused.
        error: u32,
    },
    /// A process (its leader) or thread began; the parent is the process's, not always the one that called fork.
    Fork { parent: u32, child: Task },
    /// The process has another program, and one thread.
    Exec(u32),
    /// A task gave itself or another of its process a name.
    Renamed(Task, Comm),
    /// A task is about to end. Its number is not free yet.
    Exit(Task),
    /// Something of no interest here.
    Other,
}

/// Reads one message.
pub(super) fn parse(message: &[u8]) -> Option<Event> {
    let body = message.get(NETLINK_HEADER..)?;
    if [number(body, 0)?, number(body, 4)?] != [PROC, PROC] {
        return Some(Event::Other);
    }
    let event = body.get(CONNECTOR_HEADER..)?;
    let facts = event.get(EVENT_HEADER..)?;
    let task = |at| Some(Task { tid: number(facts, at)?, tgid: number(facts, at + 4)? });
    Some(match number(event, 0)? {
        0 => Event::Answer { to: number(body, 12)?, error: number(facts, 0)? },
        0x1 => Event::Fork { parent: task(0)?.tgid, child: task(8)? },
        0x2 => Event::Exec(task(0)?.tgid),
        0x200 => {
            let name = facts.get(8..8 + 16)?;
            let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
            Event::Renamed(task(0)?, Comm::new(&name[..end]))
        }
        0x8000_0000 => Event::Exit(task(0)?),
        _ => Event::Other,
    })
}

/// The order to send events to this socket, or (`false`) to stop. The mark is for telling its answer from others.
pub(super) fn order(listen: bool, mark: u32) -> Vec<u8> {
    let operation: u32 = if listen { 1 } else { 2 };
    let payload = operation.to_ne_bytes();
    let mut message = Vec::with_capacity(NETLINK_HEADER + CONNECTOR_HEADER + payload.len());
    let whole = u32::try_from(message.capacity()).unwrap_or_default();
    message.extend(whole.to_ne_bytes());
    message.extend(DONE.to_ne_bytes());
    message.extend([0; 2 + 4 + 4]); // flags, sequence number, sender
    // Which connector, sequence number, acknowledgement: of the last two only this one comes back in the answer.
    message.extend([PROC, PROC, 0, mark].map(u32::to_ne_bytes).concat());
    message.extend([4_u16, 0].map(u16::to_ne_bytes).concat()); // length of what follows, flags
    message.extend(payload);
    message
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(what: u32, facts: &[u32]) -> Vec<u8> {
        let header =
            [vec![0; NETLINK_HEADER], [PROC, PROC, 7, 6, 40].map(u32::to_ne_bytes).concat()].concat();
        let event: Vec<u32> = [what, 1, 99, 0].into_iter().chain(facts.iter().copied()).collect();
        event.into_iter().fold(header, |bytes, number| [bytes, number.to_ne_bytes().to_vec()].concat())
    }

    #[test]
    fn each_event_is_told_by_its_number() {
        let task = |tid, tgid| Task { tid, tgid };
        let name = [*b"ngin", *b"x\0\0\0", [0; 4], [0; 4]].map(u32::from_ne_bytes);
        for (what, facts, event) in [
            (0, vec![1], Event::Answer { to: 6, error: 1 }),
            (1, vec![10, 9, 12, 12], Event::Fork { parent: 9, child: task(12, 12) }),
            (1, vec![10, 9, 12, 9], Event::Fork { parent: 9, child: task(12, 9) }),
            (2, vec![12, 11], Event::Exec(11)),
            (0x200, [&[12, 12], &name[..]].concat(), Event::Renamed(task(12, 12), Comm::new(b"nginx"))),
            (0x8000_0000, vec![12, 11, 0, 17, 1, 1], Event::Exit(task(12, 11))),
            (4, vec![12, 12, 0, 0], Event::Other),
        ] {
            assert_eq!(parse(&message(what, &facts)), Some(event));
        }
        for len in 0..52 {
            assert_eq!(parse(&message(1, &[1, 1, 1])[..len]), None, "cut off after {len} bytes");
        }
        let mut other = message(1, &[1, 1, 1, 1]);
        other[NETLINK_HEADER] = 9;
        assert_eq!(parse(&other), Some(Event::Other), "another connector");
    }

    #[test]
    fn an_order_has_the_length_that_it_says() {
        let order = order(true, 5);
        assert_eq!((order.len(), number(&order, 0)), (40, Some(40)));
        assert_eq!(number(&order, NETLINK_HEADER + 12), Some(5));
        assert_eq!(number(&order, 36), Some(1));
    }
}
