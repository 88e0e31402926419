//! The configuration files of both daemons, with variables laid over them.
//!
//! Property: no text makes the reader or the checks panic. Each mistake is one line, at a place that exists. A text
//! without mistakes, written out and read again, is the same configuration.
#![no_main]

use std::collections::HashMap;
use std::fmt::Debug;

use gthulhu_http::settings::{self, Configuration, Place};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // What follows the first NUL are variables, a line each.
    let (text, variables) = text.split_once('\0').unwrap_or((text, ""));
    let env: HashMap<&str, &str> = variables.lines().filter_map(|line| line.split_once('=')).collect();
    read::<gthulhu_dm::config::Config>(text, &env);
    read::<gthulhu_manager::config::Config>(text, &env);
});

fn read<C: Configuration + PartialEq + Debug>(text: &str, env: &HashMap<&str, &str>) {
    let variable = |name: &str| env.get(name).map(|value| (*value).to_owned());
    let read = settings::read::<C>(C::PREFIX, "f", text, variable).expect("the defaults can be written");
    let lines = text.matches('\n').count() + 1;
    for mistake in &read.mistakes {
        assert!(!mistake.to_string().contains(['\n', '\r']), "{mistake:?}");
        match &mistake.place {
            Place::File { line, column, .. } => {
                assert!((1..=lines).contains(line) && *column >= 1, "{mistake}: the file has {lines} lines");
            }
            Place::Variable(name) => assert!(env.contains_key(name.as_str()), "{mistake}"),
        }
    }
    for finding in read.value.examine(&read.origins) {
        assert!(!finding.to_string().contains(['\n', '\r']), "{finding:?}");
    }
    if !read.mistakes.is_empty() {
        return;
    }
    // TOML has no whole number above the greatest signed one.
    if let Ok(written) = toml::to_string(&read.value) {
        let again = settings::parse::<C>(C::PREFIX, "f", &written, |_| None);
        assert_eq!(again.as_ref().ok(), Some(&read.value), "from {written}");
    }
}
