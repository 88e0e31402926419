//! The shipped file says what the program does without one, and every key has its variable.

use std::collections::BTreeSet;

use gthulhu_http::settings;
use gthulhu_manager::config::Config;
use serde_json::Value;

const SHIPPED: &str = include_str!("../../../config/manager_config.toml");
const GO: &str = include_str!("../fixtures/go_manager_config.toml");

/// The shipped file with the sections that it shows as examples.
fn with_examples() -> String {
    let code = |line: &str| line.starts_with("# [") || line.starts_with("# ") && line.contains(" = ");
    let lines = SHIPPED.lines().map(|line| if code(line) { &line[2..] } else { line });
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn read(text: &str) -> Config {
    settings::parse("MANAGER", "manager_config.toml", text, |_| None).unwrap()
}

#[test]
fn the_shipped_file_is_the_default() {
    assert_eq!(read(SHIPPED), Config::default());
}

#[test]
fn the_examples_in_the_shipped_file_are_right() {
    let config = read(&with_examples());
    assert_eq!((config.mongodb.host.as_str(), config.nodes.len()), ("localhost", 1));
}

#[test]
fn the_shipped_file_names_every_key() {
    let text = with_examples();
    for (section, key, _) in keys() {
        let start = text.find(&format!("\n[{section}]\n")).unwrap_or_else(|| panic!("[{section}]"));
        let text = &text[start + 2..];
        let text = &text[..text.find("\n[").unwrap_or(text.len())];
        assert!(text.contains(&format!("\n{key} = ")), "{section}.{key}");
    }
}

/// Each key from its variable alone, and over files that have it: that key changes, and no other.
#[test]
fn every_key_can_be_set_by_its_variable() {
    let mut variables = BTreeSet::new();
    for (section, key, _) in keys() {
        let variable = format!("MANAGER_{section}_{key}").replace('.', "_").to_uppercase();
        assert!(variables.insert(variable.clone()), "{variable} sets two keys");
        for file in ["", SHIPPED, GO] {
            let before = serde_json::to_value(read(file)).unwrap();
            let changed = by_variable(file, &variable, value(&before, &section, &key));
            let different: Vec<String> = keys()
                .filter(|(section, key, _)| value(&changed, section, key) != value(&before, section, key))
                .map(|(section, key, _)| format!("{section}.{key}"))
                .collect();
            assert_eq!(different, [format!("{section}.{key}")], "{variable}");
        }
    }
}

/// The configuration with this variable set to the first text that is a value for the key and not the one it has.
fn by_variable(file: &str, variable: &str, before: &Value) -> Value {
    let texts = match before {
        Value::Bool(value) => vec![(!value).to_string()],
        Value::Number(number) => vec![(number.as_u64().unwrap() + 1).to_string()],
        _ => ["7h", "changed"].map(str::to_owned).to_vec(),
    };
    let read = |text: &String| {
        let env = |name: &str| (name == variable).then(|| text.clone());
        settings::parse::<Config>("MANAGER", "manager_config.toml", file, env).ok()
    };
    let config = texts.iter().find_map(read).unwrap_or_else(|| panic!("{variable} takes none of {texts:?}"));
    serde_json::to_value(config).unwrap()
}

/// Section, key and default of everything that can be set; `[[nodes]]` has no variables.
fn keys() -> impl Iterator<Item = (String, String, Value)> {
    let mut config = serde_json::to_value(Config::default()).unwrap();
    config.as_object_mut().unwrap().remove("nodes");
    let mut keys = Vec::new();
    gather("", &config, &mut keys);
    keys.into_iter()
}

/// A section of a section is named with a dot.
fn gather(section: &str, value: &Value, keys: &mut Vec<(String, String, Value)>) {
    for (key, value) in value.as_object().unwrap() {
        match value {
            Value::Object(_) if section.is_empty() => gather(key, value, keys),
            Value::Object(_) => gather(&format!("{section}.{key}"), value, keys),
            _ => keys.push((section.to_owned(), key.clone(), value.clone())),
        }
    }
}

/// The value of a key in a configuration.
fn value<'a>(config: &'a Value, section: &str, key: &str) -> &'a Value {
    &section.split('.').fold(config, |config, part| &config[part])[key]
}
