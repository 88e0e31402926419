//! The shipped configuration file says what the program does without one, and every key has its variable.

use std::collections::BTreeSet;

use gthulhu_http::settings;
use gthulhu_scx::config::Config;
use serde_json::Value;

const SHIPPED: &str = include_str!("../../../config/scx_config.toml");

#[test]
fn the_shipped_file_is_the_default_and_names_every_key() {
    let config: Config = settings::parse("SCX", "scx_config.toml", SHIPPED, |_| None).unwrap();
    assert_eq!(config, Config::default());
    for (section, key, _) in keys() {
        let start = SHIPPED.find(&format!("\n[{section}]\n")).unwrap_or_else(|| panic!("[{section}]"));
        let text = &SHIPPED[start + 2..];
        let text = &text[..text.find("\n[").unwrap_or(text.len())];
        assert!(text.contains(&format!("\n{key} = ")), "{section}.{key}");
    }
}

/// Each key from its variable alone and over a file that has it: that key changes, and no other.
#[test]
fn every_key_can_be_set_by_its_variable() {
    let mut variables = BTreeSet::new();
    for (section, key, default) in keys() {
        let variable = format!("SCX_{section}_{key}").to_uppercase();
        assert!(variables.insert(variable.clone()), "{variable} sets two keys");
        for file in ["", SHIPPED] {
            let changed = by_variable(file, &variable, &default);
            let different: Vec<String> = keys()
                .filter(|(section, key, default)| changed[section][key] != *default)
                .map(|(section, key, _)| format!("{section}.{key}"))
                .collect();
            assert_eq!(different, [format!("{section}.{key}")], "{variable}");
        }
    }
}

/// The configuration with this variable set to the first text that is a value for the key and not its default.
fn by_variable(file: &str, variable: &str, default: &Value) -> Value {
    let texts = match default {
        Value::Bool(value) => vec![(!value).to_string()],
        _ => ["require", "7s", "changed"].map(str::to_owned).to_vec(),
    };
    let read = |text: &String| {
        let env = |name: &str| (name == variable).then(|| text.clone());
        settings::parse::<Config>("SCX", "scx_config.toml", file, env).ok()
    };
    let config = texts.iter().find_map(read).unwrap_or_else(|| panic!("{variable} takes none of {texts:?}"));
    serde_json::to_value(config).unwrap()
}

/// Section, key and default of everything that can be set.
fn keys() -> impl Iterator<Item = (String, String, Value)> {
    let Value::Object(sections) = serde_json::to_value(Config::default()).unwrap() else { panic!() };
    sections.into_iter().flat_map(|(section, keys)| {
        let Value::Object(keys) = keys else { panic!("{section} is not a section") };
        keys.into_iter().map(move |(key, value)| (section.clone(), key, value))
    })
}
