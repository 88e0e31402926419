//! The shipped configuration file says what the program does without one.

use gthulhu_dm::config::Config;
use gthulhu_http::settings;

const SHIPPED: &str = include_str!("../../../config/dm_config.toml");

#[test]
fn the_shipped_file_is_the_default() {
    let config: Config = settings::parse("DM", "dm_config.toml", SHIPPED, |_| None).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn the_shipped_file_names_every_key() {
    let sections = serde_json::to_value(Config::default()).unwrap();
    for (section, keys) in sections.as_object().unwrap() {
        let start = SHIPPED.find(&format!("\n[{section}]\n")).unwrap_or_else(|| panic!("[{section}]"));
        let text = &SHIPPED[start + 2..];
        let text = &text[..text.find("\n[").unwrap_or(text.len())];
        for key in keys.as_object().unwrap().keys() {
            assert!(text.contains(&format!("\n{key} = ")), "{section}.{key}");
        }
    }
}

/// A file as the Go decision maker has it, placeholders included, and the variables that its manifests set.
#[test]
fn a_file_of_the_go_decision_maker_loads() {
    let text = r#"
        [server]
        host = ":8080"
        [logging]
        level = "info"
        path = "logs/app.log"
        [token]
        enable = true
        rsa_private_key_pem = "..."
        token_duration_hr = 24
        [mtls]
        enable = false
        cert_pem = "..."
        key_pem = "..."
        ca_pem = "..."
        [daemon]
        endpoint = "http://127.0.0.1:18080"
        timeout_sec = 5
    "#;
    let env = |name: &str| match name {
        "DM_SERVER_HOST" => Some(":9090".to_owned()),
        "DM_STATE_DIR" => Some("/tmp/state".to_owned()),
        "DM_TOKEN_ALLOW_PUBLIC_KEY" => Some("any".to_owned()),
        "DM_LOGGING_LEVEL" => Some(String::new()),
        _ => None,
    };
    let config: Config = settings::parse("DM", "dm_config.toml", text, env).unwrap();
    assert_eq!(config.check(), Ok(()));
    assert_eq!(config.server.host, ":9090");
    assert_eq!(config.state.dir.to_str(), Some("/tmp/state"));
    assert!(config.public_key_is_enough());
    assert_eq!(config.logging.level, "info", "an empty variable changes nothing");
}

#[test]
fn a_misspelt_key_is_an_error_that_says_where() {
    let wrong = settings::parse::<Config>("DM", "dm_config.toml", "[node]\npol = \"1s\"\n", |_| None);
    let message = wrong.unwrap_err().to_string();
    assert!(message.starts_with("dm_config.toml:2:1") && message.contains("poll"), "{message}");
}
