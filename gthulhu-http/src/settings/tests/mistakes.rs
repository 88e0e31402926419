//! What a person reads after a mistake, word for word.

use super::{Config, read, read_with, settings};

/// Every mistake in a file.
fn all(text: &str) -> Vec<String> {
    settings(text, &[]).mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn unknown_keys_are_refused_with_their_place_and_a_suggestion() {
    let cases = [
        ("[server]\nhots = 1\n", "dm.toml:2:1: unknown key `server.hots`; did you mean `server.host`?"),
        ("[sevrer]\n", "dm.toml:1:2: unknown key `sevrer`; did you mean `server`?"),
        (
            "server.tls.Enable = true",
            "dm.toml:1:12: unknown key `server.tls.Enable`; did you mean `server.tls.enable`?",
        ),
        (
            "[account]\n  zzzzzzzz = \"secret\"\n",
            "dm.toml:2:3: unknown key `account.zzzzzzzz`; the keys of `account` are `admin_password`, `pin_key`",
        ),
        (
            "zzzzzzzz = 1\n",
            "dm.toml:1:1: unknown key `zzzzzzzz`; the sections of the file are `server`, `account`, `nodes`",
        ),
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
        assert_eq!(all(text), [want], "{text}");
    }
}

#[test]
fn wrong_types_say_where_and_what_to_write() {
    let cases = [
        ("port = \"x\"", "8: `server.port` must be a whole number from 0 to 65535, not the text \"x\""),
        ("port = 70000", "8: `server.port` must be a whole number from 0 to 65535, not the number 70000"),
        ("max = -1", "7: `server.max` must be a whole number from 0 on, not the number -1"),
        (
            "max = 99999999999999999999",
            "7: `server.max` must be a whole number from 0 on, not a number out of range",
        ),
        ("host = 8080", "8: `server.host` must be a text in quotes, not the number 8080"),
        (
            "allowed = \"x\"",
            "11: `server.allowed` must be an array such as [\"a\", \"b\"], not the text \"x\"",
        ),
        ("allowed = [\"x\", 1]", "17: `server.allowed[1]` must be a text in quotes, not the number 1"),
        ("tls = 1", "7: `server.tls` must be a section with keys of its own, not the number 1"),
        ("tls.enable = 1", "14: `server.tls.enable` must be true or false, not the number 1"),
        ("kind = \"mesos\"", "8: `server.kind` must be \"folder\" or \"kubernetes\", not the text \"mesos\""),
        ("idle = 3", "8: `server.idle` must be a text in quotes, not the number 3"),
        ("idle = \"3\"", "8: `server.idle`: a duration is written like \"3h\", \"90s\" or \"250ms\""),
    ];
    for (line, want) in cases {
        assert_eq!(all(&format!("[server]\n{line}")), [format!("dm.toml:2:{want}")], "{line}");
    }
    assert_eq!(
        all("server = 1"),
        ["dm.toml:1:10: `server` must be a section with keys of its own, not the number 1"]
    );
    assert_eq!(
        all("[[nodes]]\nport = true"),
        ["dm.toml:2:8: `nodes[0].port` must be a whole number from 0 to 65535, not true"]
    );
}

#[test]
fn every_mistake_is_found_and_the_rest_is_read() {
    let text = "\
[server]
port = 70000
hots = 1
max = 7
tls.enable = 3
tls.cert = \"x\"
allowed = [1, \"y\", 2]
host = localhost
[account]
pin_key = true
[[nodes]]
port = 1
[[nodes]]
name = 2
port = 3
";
    let read = settings(text, &[("DM_SERVER_IDLE", "soon"), ("DM_NODES", "")]);
    let places: Vec<String> =
        read.mistakes.iter().map(|mistake| format!("{} {}", mistake.place, mistake.key)).collect();
    assert_eq!(
        places,
        [
            "dm.toml:2:8 server.port",
            "dm.toml:3:1 server.hots",
            "dm.toml:5:14 server.tls.enable",
            "dm.toml:6:5 server.tls.cert",
            "dm.toml:7:12 server.allowed[0]",
            "dm.toml:7:20 server.allowed[2]",
            "dm.toml:8:8 ",
            "dm.toml:10:11 account.pin_key",
            "dm.toml:14:8 nodes[1].name",
            "DM_SERVER_IDLE server.idle",
        ]
    );
    let Config { server, nodes, .. } = read.value;
    assert_eq!((server.port, server.max, server.allowed), (1, 7, vec!["y".to_owned()]));
    assert_eq!(nodes.iter().map(|node| node.port).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_file_full_of_mistakes_comes_to_an_end() {
    assert_eq!(all(&"[[nodes]]\nport = \"x\"\n".repeat(200)).len(), 100);
}

#[test]
fn a_wrong_variable_is_named() {
    let cases = [
        ("PORT", "x", "`server.port` must be a whole number from 0 to 65535, not the text \"x\""),
        ("PORT", "70000", "`server.port` must be a whole number from 0 to 65535, not the text \"70000\""),
        ("TLS_ENABLE", "yes", "`server.tls.enable` must be true or false, not the text \"yes\""),
        ("KIND", "mesos", "`server.kind` must be \"folder\" or \"kubernetes\", not the text \"mesos\""),
    ];
    for (name, value, want) in cases {
        let name = format!("DM_SERVER_{name}");
        assert_eq!(read_with("", &[(&name, value)]).unwrap_err(), format!("{name}: {want}"));
    }
    assert_eq!(
        read_with("", &[("DM_NODES", "a")]).unwrap_err(),
        "DM_NODES: `nodes` must be a section with keys of its own, not a variable, which cannot hold a section"
    );
}

#[test]
fn values_of_secrets_are_never_shown() {
    let files = [
        "[account]\nadmin_password = 987654\n",
        "[account]\npin_key = \"987654\"\n",
        "[account]\nadmin_password = \"987654\nnext",
        "[account]\nadmin_password = 987654 987654",
        "[account]\nadmin_password = 0987654",
        "[account]\nadmin_password = a987654",
        "[account]\nadmin_password = \"\"\"987654",
        "[account]\nadmin_password = ['987654'",
        "[server.tls]\ncert_pem = [\"987654\"]\n",
        "[server.tls]\ncert_pem = \"987654\"\ncert_pem = \"987654\"\n",
        "[server.tls]\ncert_pem = \n-----BEGIN 987654-----\n987654==\n",
    ];
    for text in files {
        for said in all(text) {
            assert!(said.starts_with("dm.toml:") && !said.contains("987654"), "{said}");
        }
        assert!(read(text).is_err(), "{text}");
    }
    let error = read_with("", &[("DM_ACCOUNT_PIN_KEY", "987654")]).unwrap_err();
    assert_eq!(error, "DM_ACCOUNT_PIN_KEY: `account.pin_key` must be a whole number from 0 to 65535");
}

#[test]
fn what_is_not_toml_is_told_by_what_to_write() {
    let cases: [(&str, &[&str]); 16] = [
        ("[server\nport = 1", &["1:8: the name of the section must end with `]`"]),
        ("[server]\nhost = :80", &["2:8: a text must be in quotes; write key = \"value\""]),
        ("[server]\nhost =", &["2:7: the value is missing; write `key = value`"]),
        ("[server]\nhost", &["2:5: a line must be `key = value`, `[section]` or `# a comment`"]),
        ("[server]\nhost = \":1", &["2:11: the text must end with a `\"` on this line"]),
        ("[server]\nhost = ':1", &["2:11: the text must end with a `'` on this line"]),
        ("[server]\nhost = \"\"\"a", &["2:12: the text must end with three quotes"]),
        ("[server]\nport = 1 max = 2", &["2:14: one line can set one key only; start a new line here"]),
        ("[server]\nallowed = ['a'", &["2:15: the array must end with `]`"]),
        ("[server.tls]\nenable = True", &["2:10: write true or false, in small letters"]),
        (
            "[server]]\nport = 1",
            &["1:9: nothing may follow the name of the section, `[name]` or `[[name]]`, on its line"],
        ),
        ("[server.tls]\nenable = tru", &["2:10: write true or false, in small letters"]),
        ("[server]\nport = 1\nport = 2", &["3:1: `port` is in this file already; keep one of the two"]),
        ("[server]\n[account]\n[server]", &["3:2: `server` is in this file already; keep one of the two"]),
        ("[server]\nport = 01", &["2:8: this is not TOML: unexpected leading zero, expected nothing"]),
        // The mistakes of other lines are found as well.
        (
            "[server]\nhost = a\nport = b\nmax = 'c'",
            &[
                "2:8: a text must be in quotes; write key = \"value\"",
                "3:8: a text must be in quotes; write key = \"value\"",
                "4:7: `server.max` must be a whole number from 0 on, not the text \"c\"",
            ],
        ),
    ];
    for (text, want) in cases {
        let want: Vec<String> = want.iter().map(|line| format!("dm.toml:{line}")).collect();
        assert_eq!(all(text), want, "{text}");
    }
}
