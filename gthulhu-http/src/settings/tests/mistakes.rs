//! What a person reads after a mistake, word for word.

use super::{read, read_with};

#[test]
fn unknown_keys_are_refused_with_their_place_and_a_suggestion() {
    let cases = [
        ("[server]\nhots = 1\n", "dm.toml:2:1: unknown key `server.hots`; did you mean `server.host`?"),
        ("[sevrer]\n", "dm.toml:1:2: unknown key `sevrer`; did you mean `server`?"),
        (
            "server.tls.Enable = true",
            "dm.toml:1:12: unknown key `server.tls.Enable`; did you mean `server.tls.enable`?",
        ),
        ("[server]\n  zzzzzzzz = \"secret\"\n", "dm.toml:2:3: unknown key `server.zzzzzzzz`"),
        ("[server]\nzzzz = 1\nhosst = 1", "dm.toml:2:1: unknown key `server.zzzz`"),
        (
            "[[nodes]]\nname = \"a\"\n[[nodes]]\nnmae = \"b\"",
            "dm.toml:4:1: unknown key `nodes[1].nmae`; did you mean `nodes[1].name`?",
        ),
        (
            "# é\nserver = { host = \"é\", tsl = {} }",
            "dm.toml:2:24: unknown key `server.tsl`; did you mean `server.tls`?",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(read(text).unwrap_err(), want, "{text}");
    }
}

#[test]
fn wrong_types_say_where_and_what_is_expected() {
    let cases = [
        ("[server]\nport = \"x\"", "dm.toml:2:8: `server.port`: expected u16, found string \"x\""),
        ("[server]\nport = 70000", "dm.toml:2:8: `server.port`: expected u16, found integer `70000`"),
        ("[server]\nmax = -1", "dm.toml:2:7: `server.max`: expected u64, found integer `-1`"),
        (
            "[server]\nmax = 99999999999999999999",
            "dm.toml:2:7: `server.max`: expected u64, found a number out of range",
        ),
        ("[server]\nhost = 8080", "dm.toml:2:8: `server.host`: expected a string, found integer `8080`"),
        (
            "[server]\nallowed = \"x\"",
            "dm.toml:2:11: `server.allowed`: expected a sequence, found string \"x\"",
        ),
        (
            "[server]\nallowed = [\"x\", 1]",
            "dm.toml:2:17: `server.allowed[1]`: expected a string, found integer `1`",
        ),
        ("server = 1", "dm.toml:1:10: `server`: expected a section, found integer `1`"),
        ("[[nodes]]\nport = true", "dm.toml:2:8: `nodes[0].port`: expected u16, found boolean `true`"),
        (
            "[server]\nkind = \"mesos\"",
            "dm.toml:2:8: `server.kind`: unknown variant `mesos`, expected `folder` or `kubernetes`",
        ),
        ("[server]\nidle = 3", "dm.toml:2:8: `server.idle`: expected a string, found integer `3`"),
    ];
    for (text, want) in cases {
        assert_eq!(read(text).unwrap_err(), want, "{text}");
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let cases = [
        ("DM_SERVER_PORT", "x", "DM_SERVER_PORT: `server.port`: expected u16, found string \"x\""),
        ("DM_SERVER_PORT", "70000", "DM_SERVER_PORT: `server.port`: expected u16, found string \"70000\""),
        (
            "DM_SERVER_TLS_ENABLE",
            "yes",
            "DM_SERVER_TLS_ENABLE: `server.tls.enable`: expected a boolean, found string \"yes\"",
        ),
        (
            "DM_SERVER_KIND",
            "mesos",
            "DM_SERVER_KIND: `server.kind`: unknown variant `mesos`, expected `folder` or `kubernetes`",
        ),
        (
            "DM_NODES",
            "a",
            "DM_NODES: `nodes[0]`: expected a section, found a variable, which cannot hold a section",
        ),
    ];
    for (name, value, want) in cases {
        assert_eq!(read_with("", &[(name, value)]).unwrap_err(), want);
    }
}

#[test]
fn values_of_secrets_are_never_shown() {
    let files = [
        "[account]\nadmin_password = 987654\n",
        "[account]\npin_key = \"987654\"\n",
        "[account]\nadmin_password = \"987654\nnext",
        "[account]\nadmin_password = 987654 987654",
        "[server.tls]\ncert_pem = [\"987654\"]\n",
        "[server.tls]\ncert_pem = \"987654\"\ncert_pem = \"987654\"\n",
    ];
    for text in files {
        let error = read(text).unwrap_err();
        assert!(error.starts_with("dm.toml:") && !error.contains("987654"), "{error}");
    }
    let error = read_with("", &[("DM_ACCOUNT_PIN_KEY", "987654")]).unwrap_err();
    assert_eq!(error, "DM_ACCOUNT_PIN_KEY: `account.pin_key`: expected u16");
}

#[test]
fn syntax_errors_have_a_place() {
    for (text, place) in
        [("[server\n", "dm.toml:1:"), ("a = 1\n\nb = = 2\n", "dm.toml:3:"), ("x", "dm.toml:1:")]
    {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(place) && !error.contains('\n'), "{error}");
    }
}
