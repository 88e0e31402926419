//! Ports for programs that cannot be told to find one themselves, or that have to come back on the one that they had.
//!
//! A port that was looked up and let go of is anybody's until the program has it: another test's, or that of a
//! connection that the system gives a number to. So ports are taken from outside the range that the system gives away,
//! and each has a lock for as long as it is needed: the name of a socket in the abstract namespace, which ends with its
//! process and belongs to the same network as the port. Whoever takes ports from here never meets another who does.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use gthulhu_http::random;

use crate::error::LocalError;

/// What the system gives away: two numbers.
const GIVEN_AWAY: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Below are the ports of well-known services.
const LOWEST: u16 = 15_000;
/// A range that is smaller than this is none: every port is looked at then.
const ENOUGH: u16 = 1000;

/// A port on the loopback address that is nobody else's as long as this lives. Nobody listens there yet.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: UnixListener,
}

impl Port {
    /// Takes one.
    pub fn take() -> Result<Self, LocalError> {
        let range = range(&std::fs::read_to_string(GIVEN_AWAY).unwrap_or_default());
        let count = u32::from(range.end() - range.start()) + 1;
        let first = u32::from_le_bytes(random::bytes()) % count;
        let numbers = (0..count).filter_map(|step| {
            let above = u16::try_from((first + step) % count).ok()?;
            range.start().checked_add(above)
        });
        let failed = || LocalError::process("a port", "none is free on the loopback address");
        numbers.into_iter().find_map(Self::claim).ok_or_else(failed)
    }

    /// This one, if neither its lock nor the port is taken.
    fn claim(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("gthulhu-port-{number}")).ok()?;
        let lock = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _lock: lock })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Where to look: the wider part of what the system does not give away.
fn range(given_away: &str) -> RangeInclusive<u16> {
    let mut ends = given_away.split_whitespace().map(str::parse);
    let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next()) else { return LOWEST..=u16::MAX };
    let (below, above) = (u16::saturating_sub(first, LOWEST), u16::MAX - last);
    match below.max(above) {
        ..ENOUGH => LOWEST..=u16::MAX,
        most if most == below => LOWEST..=first - 1,
        _ => last + 1..=u16::MAX,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_port_is_nobody_elses_while_it_is_held() {
        let held: Vec<Port> = (0..50).map(|_| Port::take().unwrap()).collect();
        let numbers: BTreeSet<u16> = held.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 50);
        let number = held[0].number();
        assert!(Port::claim(number).is_none(), "it is held");
        drop(held);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).expect("nobody listens there");
        assert!(Port::claim(number).is_none(), "somebody listens there");
        drop(listener);
    }

    #[test]
    fn what_the_system_gives_away_is_left_alone() {
        assert_eq!(range("32768\t60999\n"), LOWEST..=32767);
        assert_eq!(range("10000 60000"), 60001..=u16::MAX);
        for unusable in ["", "x y", "1024 65535", "15000 65000"] {
            assert_eq!(range(unusable), LOWEST..=u16::MAX, "{unusable}");
        }
    }
}
