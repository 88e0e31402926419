//! The shipped configuration file says what the program does without one, and every key has its variable.

use std::collections::BTreeSet;

use gthulhu_dm::config::Config;
use gthulhu_http::settings;
use serde_json::Value;

const SHIPPED: &str = include_str!("../../../config/dm_config.toml");

#[test]
fn the_shipped_file_is_the_default() {
    let config: Config = settings::parse("DM", "dm_config.toml", SHIPPED, |_| None).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn the_shipped_file_names_every_key() {
    for (section, key, _) in keys() {
        let start = SHIPPED.find(&format!("\n[{section}]\n")).unwrap_or_else(|| panic!("[{section}]"));
        let text = &SHIPPED[start + 2..];
        let text = &text[..text.find("\n[").unwrap_or(text.len())];
        assert!(text.contains(&format!("\n{key} = ")), "{section}.{key}");
    }
}

/// The names that are known to those who have a file of the Go decision maker.
#[test]
fn every_key_of_the_go_decision_maker_is_known() {
    let known: BTreeSet<String> = keys().map(|(section, key, _)| format!("{section}.{key}")).collect();
    for key in [
        "server.host",
        "logging.level",
        "logging.path",
        "token.enable",
        "token.rsa_private_key_pem",
        "token.token_duration_hr",
        "mtls.enable",
        "mtls.cert_pem",
        "mtls.key_pem",
        "mtls.ca_pem",
        "daemon.endpoint",
        "daemon.timeout_sec",
    ] {
        assert!(known.contains(key), "{key}");
    }
}

/// Each key from its variable alone and over a file that has it: that key changes, and no other.
#[test]
fn every_key_can_be_set_by_its_variable() {
    let mut variables = BTreeSet::new();
    for (section, key, default) in keys() {
        let variable = format!("DM_{section}_{key}").to_uppercase();
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
        Value::Number(number) => vec![(number.as_u64().unwrap() + 1).to_string()],
        _ => ["any", "7s", "proc-walk", "changed"].map(str::to_owned).to_vec(),
    };
    let read = |text: &String| {
        let env = |name: &str| (name == variable).then(|| text.clone());
        settings::parse::<Config>("DM", "dm_config.toml", file, env).ok()
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
