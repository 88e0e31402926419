//! When a login is refused without a look at the password, and when no more.

use super::*;

const LIMITS: LoginLimits =
    LoginLimits { account: 3, address: 5, window: Duration::from_secs(900), in_a_row: 7 };

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// A throttle and a clock that is turned by hand.
struct Rig(Throttle, Instant);

impl Rig {
    fn new() -> Self {
        Self(Throttle::new(LIMITS), Instant::now())
    }

    fn fail(&self, name: &str, from: u8) -> Result<(), u64> {
        let attempt = self.0.attempt(name, Some(address(from)), self.1).map_err(|after| after.as_secs())?;
        attempt.failed();
        Ok(())
    }

    fn succeed(&self, name: &str, from: u8) -> Result<(), u64> {
        let attempt = self.0.attempt(name, Some(address(from)), self.1).map_err(|after| after.as_secs())?;
        attempt.succeeded();
        Ok(())
    }

    fn pass(&mut self, seconds: u64) {
        self.1 += Duration::from_secs(seconds);
    }
}

#[test]
fn an_account_bears_so_many_failures_in_a_window_from_wherever_they_come() {
    let mut rig = Rig::new();
    assert_eq!([1, 2, 3].map(|from| rig.fail("ann", from)), [Ok(()); 3]);
    rig.pass(300);
    assert_eq!(rig.fail("ann", 4), Err(600));
    assert_eq!(rig.succeed("ann", 4), Err(600), "the right password as well");
    assert_eq!(rig.fail("bob", 4), Ok(()), "others are not touched");
    rig.pass(599);
    assert_eq!(rig.fail("ann", 4), Err(1));
    rig.pass(1);
    assert_eq!(rig.succeed("ann", 4), Ok(()));
}

#[test]
fn an_address_bears_so_many_failures_whatever_the_names() {
    let mut rig = Rig::new();
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(rig.fail(name, 1), Ok(()));
    }
    assert_eq!(rig.fail("f", 1), Err(900));
    assert_eq!(rig.fail("f", 2), Ok(()));
    rig.pass(900);
    assert_eq!(rig.fail("f", 1), Ok(()));
}

#[test]
fn a_success_clears_the_account_but_is_no_credit_for_the_address() {
    let rig = Rig::new();
    for _ in 0..2 {
        assert_eq!(rig.fail("ann", 1), Ok(()));
    }
    assert_eq!(rig.succeed("ann", 1), Ok(()));
    assert_eq!(rig.fail("ann", 2), Ok(()));
    assert_eq!(rig.fail("ann", 2), Ok(()));
    for name in ["b", "c", "d"] {
        assert_eq!(rig.fail(name, 1), Ok(()));
    }
    assert_eq!(rig.fail("e", 1), Err(900));
}

#[test]
fn who_logged_in_from_somewhere_is_not_locked_out_there_by_others() {
    let mut rig = Rig::new();
    assert_eq!(rig.succeed("ann", 1), Ok(()));
    for _ in 0..3 {
        assert_eq!(rig.fail("ann", 2), Ok(()));
    }
    assert_eq!(rig.fail("ann", 2), Err(900));
    assert_eq!(rig.succeed("ann", 1), Ok(()));
    // But guesses from there are counted too.
    for _ in 0..3 {
        assert_eq!(rig.fail("ann", 1), Ok(()));
    }
    assert_eq!(rig.fail("ann", 1), Err(900));
    rig.pass(900);
    assert_eq!(rig.succeed("ann", 1), Ok(()));
}

#[test]
fn after_so_many_in_a_row_an_account_waits_for_a_new_password() {
    let mut rig = Rig::new();
    for n in 0..7 {
        rig.pass(901);
        assert_eq!(rig.fail("ann", n), Ok(()));
    }
    rig.pass(1_000_000);
    assert_eq!(rig.succeed("ann", 9), Err(86_400));
    rig.0.forgive("ann");
    assert_eq!(rig.succeed("ann", 9), Ok(()));
}

#[test]
fn attempts_that_are_being_judged_count_and_those_without_a_verdict_do_not() {
    let rig = Rig::new();
    let attempt = || rig.0.attempt("ann", Some(address(1)), rig.1);
    let judging: Vec<_> = (0..3).map(|_| attempt().ok().unwrap()).collect();
    assert!(attempt().is_err(), "many at once are no way around");
    drop(judging);
    for _ in 0..10 {
        assert!(attempt().is_ok(), "no turn to hash: no attempt");
    }
}

#[test]
fn an_address_of_the_new_kind_counts_by_its_network() {
    let text = |text: &str| network(text.parse().unwrap()).to_string();
    assert_eq!(text("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(text("::ffff:192.0.2.7"), "192.0.2.7");
    assert_eq!(text("192.0.2.7"), "192.0.2.7");
}
