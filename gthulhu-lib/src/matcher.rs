//! Command regexes: which processes of a pod an intent means.

use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};

use crate::process::Comm;

/// How much memory one compiled regex may take, in bytes.
pub const REGEX_SIZE_LIMIT: usize = 256 * 1024;

/// The name of the sandbox process that only holds a pod's namespaces. It is never governed.
pub const PAUSE: &[u8] = b"pause";

/// Answers remembered per regex. A process can rename itself as often as it likes, so the memory has a
/// bound; beyond it everything is forgotten and learnt again.
const MEMO_MAX: usize = 4096;

/// One compiled command regex. The empty one matches every process.
#[derive(Clone, Debug)]
pub struct CommandRegex(Option<Regex>);

impl CommandRegex {
    /// Compiles `text`; fails if it is not a regex or would take more than [`REGEX_SIZE_LIMIT`].
    pub fn compile(text: &str) -> Result<Self, regex::Error> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        RegexBuilder::new(text).size_limit(REGEX_SIZE_LIMIT).build().map(Some).map(Self)
    }

    /// Whether the regex is found anywhere in the command name.
    pub fn is_match(&self, comm: &Comm) -> bool {
        self.0.as_ref().is_none_or(|regex| regex.is_match(comm.as_bytes()))
    }
}

/// A regex with its answers so far: a node has thousands of processes but few distinct command names.
#[derive(Debug)]
pub(crate) struct Matcher {
    regex: CommandRegex,
    memo: HashMap<Comm, bool>,
}

impl Matcher {
    pub(crate) fn new(regex: CommandRegex) -> Self {
        Self { regex, memo: HashMap::new() }
    }

    pub(crate) fn is_match(&mut self, comm: &Comm) -> bool {
        if self.regex.0.is_none() {
            return true;
        }
        if let Some(&known) = self.memo.get(comm) {
            return known;
        }
        if self.memo.len() >= MEMO_MAX {
            self.memo.clear();
        }
        let answer = self.regex.is_match(comm);
        self.memo.insert(*comm, answer);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regex_is_searched_anywhere_in_the_command_name() {
        for (regex, comm, expected) in [
            ("", &b"anything"[..], true),
            ("", b"", true),
            ("nginx|worker", b"nginx", true),
            ("gin", b"nginx", true),
            ("^gin", b"nginx", false),
            ("^nginx$", b"nginx", true),
            ("NGINX", b"nginx", false),
            ("(?i)NGINX", b"nginx", true),
            ("a b", b"a b", true),
            (r"\)", b"we) R (ird", true),
            ("x", b"\xff\xfex", true),
            (r"(?-u:\xff)", b"\xff\xfex", true),
        ] {
            let compiled = CommandRegex::compile(regex).unwrap();
            let comm = Comm::new(comm);
            assert_eq!(compiled.is_match(&comm), expected, "{regex:?} on {comm}");
            let mut memoised = Matcher::new(compiled);
            assert_eq!(memoised.is_match(&comm), expected, "first answer, {regex:?} on {comm}");
            assert_eq!(memoised.is_match(&comm), expected, "remembered answer, {regex:?} on {comm}");
        }
    }

    #[test]
    fn a_bad_or_huge_regex_does_not_compile() {
        for text in ["(", "a{2,1}", r"\Qx\E", "(((a{100}){100}){100})"] {
            assert!(CommandRegex::compile(text).is_err(), "{text:?} compiled");
        }
    }

    #[test]
    fn the_memory_of_answers_is_bounded() {
        let mut matcher = Matcher::new(CommandRegex::compile("1").unwrap());
        for n in 0..3 * MEMO_MAX {
            let name = n.to_string();
            assert_eq!(matcher.is_match(&Comm::new(name.as_bytes())), name.contains('1'));
            assert!(matcher.memo.len() <= MEMO_MAX);
        }
    }
}
