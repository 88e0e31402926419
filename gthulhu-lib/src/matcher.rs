//! Command regexes: which processes of a pod an intent means.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::process::Comm;

/// How much memory one compiled regex may take, in bytes.
pub const REGEX_SIZE_LIMIT: usize = 256 * 1024;

/// The name of the sandbox process that only holds a pod's namespaces. It is never governed.
pub const PAUSE: &[u8] = b"pause";

/// Command names whose answers are remembered. A process can rename itself as often as it likes, so the memory has a
/// bound; beyond it everything is forgotten and learnt again.
const MEMO_MAX: usize = 4096;

/// How many regexes are asked together, in one pass over the name. With fewer it is not worth the compiling.
const TOGETHER: usize = 250;

/// One compiled command regex. The empty one matches every process. Clones share what was compiled.
#[derive(Clone, Debug)]
pub struct CommandRegex(Option<Arc<Regex>>);

impl CommandRegex {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// If `text` is no regex, or takes more than [`REGEX_SIZE_LIMIT`] when it is compiled.
    pub fn compile(text: &str) -> Result<Self, regex::Error> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        RegexBuilder::new(text).size_limit(REGEX_SIZE_LIMIT).build().map(|regex| Self(Some(Arc::new(regex))))
    }

    fn text(&self) -> &str {
        self.0.as_ref().map_or("", |regex| regex.as_str())
    }

    /// Whether the regex is found anywhere in the command name.
    pub fn is_match(&self, comm: &Comm) -> bool {
        self.0.as_ref().is_none_or(|regex| regex.is_match(comm.as_bytes()))
    }
}

/// Command regexes with their answers so far: a node has thousands of processes but few distinct command names, so all
/// regexes are asked when a name is first seen, and a look-up is enough from then on.
#[derive(Debug, Default)]
pub struct Matchers {
    regexes: Vec<CommandRegex>,
    /// For each full [`TOGETHER`] of them one that asks all at once, if it could be compiled. Made when first needed.
    sets: Vec<Option<RegexSet>>,
    memo: HashMap<u128, Matches, Seeded>,
}

/// The regexes that match one command name.
#[derive(Debug)]
pub struct Matches(Box<[usize]>);

impl Matches {
    /// Whether the regex with this number is among them.
    pub fn contains(&self, regex: usize) -> bool {
        self.0.binary_search(&regex).is_ok()
    }

    /// Their numbers, ascending.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }
}

impl Matchers {
    /// The regexes by their text, for whoever needs some of them again.
    pub(crate) fn by_text(&self) -> HashMap<&str, &CommandRegex> {
        self.regexes.iter().map(|regex| (regex.text(), regex)).collect()
    }

    /// Adds a regex and gives its number: they are numbered from 0.
    pub fn add(&mut self, regex: CommandRegex) -> usize {
        self.memo.clear();
        self.regexes.push(regex);
        self.regexes.len() - 1
    }

    /// The regexes that are found in the command name.
    pub fn of(&mut self, comm: &Comm) -> &Matches {
        let key = comm.key();
        if self.memo.len() >= MEMO_MAX && !self.memo.contains_key(&key) {
            self.memo.clear();
        }
        let Self { regexes, sets, memo } = self;
        memo.entry(key).or_insert_with(|| Matches(ask(regexes, sets, comm)))
    }
}

/// The numbers of the regexes that are found in the command name.
fn ask(regexes: &[CommandRegex], sets: &mut Vec<Option<RegexSet>>, comm: &Comm) -> Box<[usize]> {
    let mut found = Vec::new();
    let mut first = 0;
    for (at, some) in regexes.chunks(TOGETHER).enumerate() {
        if at == sets.len() && some.len() == TOGETHER {
            sets.push(together(some));
        }
        if let Some(Some(set)) = sets.get(at) {
            found.extend(set.matches(comm.as_bytes()).into_iter().map(|number| first + number));
        } else {
            let matching = some.iter().enumerate().filter(|(_, regex)| regex.is_match(comm));
            found.extend(matching.map(|(number, _)| first + number));
        }
        first += some.len();
    }
    found.into()
}

/// Those that are small each may be too large together; then each is asked.
fn together(regexes: &[CommandRegex]) -> Option<RegexSet> {
    let texts = regexes.iter().map(CommandRegex::text);
    RegexSetBuilder::new(texts).size_limit(REGEX_SIZE_LIMIT * TOGETHER).build().ok()
}

/// Hashes the keys of the memo with one multiplication. Whoever names processes would have to know the seeds to find
/// names that collide, and could slow down no more than the bounded memo.
#[derive(Debug, Clone)]
struct Seeded([u64; 2]);

impl Default for Seeded {
    fn default() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { seeds: self.0, hash: 0 }
    }
}

struct Folded {
    seeds: [u64; 2],
    hash: u64,
}

impl Hasher for Folded {
    fn write_u128(&mut self, key: u128) {
        let [low, high] = self.seeds;
        let seeded = key ^ (u128::from(high) << 64 | u128::from(low));
        let product = u128::from(half(seeded)) * u128::from(half(seeded >> 64));
        self.hash = half(product) ^ half(product >> 64);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u128(u128::from(self.hash) << 64 | u128::from(byte));
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// The lower half.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn half(wide: u128) -> u64 {
    wide as u64
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
            let mut memoised = Matchers::default();
            let number = memoised.add(compiled);
            assert_eq!(memoised.of(&comm).contains(number), expected, "first answer, {regex:?} on {comm}");
            assert_eq!(
                memoised.of(&comm).contains(number),
                expected,
                "remembered answer, {regex:?} on {comm}"
            );
        }
    }

    #[test]
    fn many_regexes_are_answered_as_each_of_them_is() {
        let kinds = ["", "^n{}$", "^n1", "n{}|{}$", "[{}]", r"(?i)N{}", r"(?-u:\xff){}", "(a{50}){50}|{}$"];
        let texts: Vec<String> = (0..3 * TOGETHER + 5)
            .map(|number| kinds[number % 8].replace("{}", &number.to_string()))
            .collect();
        let each: Vec<CommandRegex> = texts.iter().map(|text| CommandRegex::compile(text).unwrap()).collect();
        let mut matchers = Matchers::default();
        for (number, regex) in each.iter().enumerate() {
            matchers.add(regex.clone());
            // Asked in between as well: what comes later counts too.
            if number % 50 == 0 {
                matchers.of(&Comm::new(b"n1"));
            }
        }
        for name in ["n1", "n100", "N6", "", "7", "aaaa", "n195"]
            .map(str::as_bytes)
            .into_iter()
            .chain([&b"\xff6"[..]])
        {
            let comm = Comm::new(name);
            let expected: Vec<usize> =
                (0..each.len()).filter(|&number| each[number].is_match(&comm)).collect();
            assert_eq!(matchers.of(&comm).numbers(), expected, "{comm}");
        }
        assert_eq!(matchers.sets.len(), 3);
    }

    #[test]
    fn a_bad_or_huge_regex_does_not_compile() {
        for text in ["(", "a{2,1}", r"\Qx\E", "(((a{100}){100}){100})"] {
            assert!(CommandRegex::compile(text).is_err(), "{text:?} compiled");
        }
    }

    #[test]
    fn the_memory_of_answers_is_bounded() {
        let mut matchers = Matchers::default();
        for digit in ["1", "2", ""] {
            matchers.add(CommandRegex::compile(digit).unwrap());
        }
        for n in (0..2 * MEMO_MAX).chain(0..MEMO_MAX) {
            let name = n.to_string();
            let matches = matchers.of(&Comm::new(name.as_bytes()));
            let expected = ["1", "2", ""].map(|digit| name.contains(digit));
            assert_eq!([0, 1, 2].map(|number| matches.contains(number)), expected, "{name}");
            assert!(matchers.memo.len() <= MEMO_MAX);
        }
    }

    #[test]
    fn names_that_differ_only_in_length_are_told_apart() {
        let mut matchers = Matchers::default();
        matchers.add(CommandRegex::compile("^a$").unwrap());
        matchers.add(CommandRegex::compile("^a\0$").unwrap());
        assert_eq!(matchers.of(&Comm::new(b"a")).numbers(), [0]);
        assert_eq!(matchers.of(&Comm::new(b"a\0")).numbers(), [1]);
        matchers.add(CommandRegex::compile("a").unwrap());
        assert_eq!(matchers.of(&Comm::new(b"a")).numbers(), [0, 2], "a new regex is asked too");
    }
}
