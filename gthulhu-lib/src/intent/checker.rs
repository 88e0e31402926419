//! Checking many intents, whose command regexes are few: compiling one costs more than all other checks together.

use std::collections::{HashMap, HashSet};

use super::{Intent, Invalid, Limits, check_command_regex};
use crate::wire::IntentBody;

/// The most distinct command regexes of one set; the empty one, which is never compiled, does not count.
///
/// A regex within its own bounds can take milliseconds to compile, twice when it is new, and 256 KiB of memory. This many
/// are some seconds and 256 MiB at the worst; unbounded, the largest body of a push could hold a hundred thousand.
/// The pods of one node ask for a few dozen.
pub const COMMAND_REGEXES_MAX: usize = 1024;

/// Checks intents one after another and compiles each distinct regex once.
#[derive(Debug, Default)]
pub struct Checker {
    limits: Limits,
    verdicts: HashMap<String, Verdict>,
    /// Those of the round before, as far as this one has not asked for them.
    before: HashMap<String, Verdict>,
}

/// What is wrong with a regex, if anything is.
type Verdict = Result<(), Invalid>;

impl Checker {
    /// Nothing is known yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// From here on, regexes that were last checked before the previous call are forgotten: who checks changing sets
    /// again and again remembers no more than two rounds of them.
    pub fn next_round(&mut self) {
        self.before = std::mem::take(&mut self.verdicts);
    }

    /// As [`Intent::check`].
    ///
    /// # Errors
    ///
    /// As of [`Intent::check`].
    pub fn check(&mut self, body: IntentBody) -> Result<Intent, Invalid> {
        self.check_regex(&body.command_regex)?;
        Intent::check_all_but_regex(body, self.limits)
    }

    fn check_regex(&mut self, regex: &str) -> Verdict {
        if let Some(verdict) = self.verdicts.get(regex) {
            return verdict.clone();
        }
        let known = self.before.remove(regex);
        let verdict = known.unwrap_or_else(|| check_command_regex("commandRegex", regex));
        self.verdicts.insert(regex.to_owned(), verdict.clone());
        verdict
    }
}

/// The distinct regexes that were admitted to a set, at most [`COMMAND_REGEXES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Admitted<'a>(HashSet<&'a str>);

impl<'a> Admitted<'a> {
    /// Admits the regex, if the set holds it already or has room for one more.
    pub(super) fn admit(&mut self, regex: &'a str) -> bool {
        let Self(held) = self;
        regex.is_empty() || held.contains(regex) || held.len() < COMMAND_REGEXES_MAX && held.insert(regex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(regex: &str) -> IntentBody {
        IntentBody { pod_id: "a".into(), command_regex: regex.into(), ..IntentBody::default() }
    }

    #[test]
    fn the_verdict_is_that_of_a_single_check_in_every_round() {
        let mut checker = Checker::default();
        for _ in 0..3 {
            checker.next_round();
            for regex in ["nginx", "(", "", "nginx", "("] {
                let alone = Intent::check(with(regex), &Limits::default());
                assert_eq!(checker.check(with(regex)), alone, "{regex:?}");
            }
        }
    }

    #[test]
    fn a_regex_is_forgotten_after_a_round_without_it() {
        let mut checker = Checker::default();
        let known = |checker: &Checker| checker.verdicts.len() + checker.before.len();
        for regex in ["a", "b", "c", "d"] {
            checker.next_round();
            checker.check(with(regex)).unwrap();
            checker.check(with("each")).unwrap();
            assert!(known(&checker) <= 3, "{checker:?}");
        }
        checker.next_round();
        checker.next_round();
        assert_eq!(known(&checker), 0);
    }
}
