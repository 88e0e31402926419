//! `config check` and `config show`, as a person at a terminal meets them.

use std::fs;
use std::process::{Command, Output};

use gthulhu_http::files::{PRIVATE_FILE, write_atomic};
use tempfile::TempDir;

use crate::rig::KEY;

const GO: &str = include_str!("../fixtures/go_dm_config.toml");

/// A directory with a configuration and a key, in which the program runs.
struct Place(TempDir);

impl Place {
    fn new(config: &str) -> Place {
        let place = Place(TempDir::new().unwrap());
        fs::write(place.0.path().join("dm_config.toml"), config).unwrap();
        write_atomic(&place.0.path().join("key.pem"), KEY.to_pem().as_bytes(), PRIVATE_FILE).unwrap();
        place
    }

    /// Exit code, standard output and standard error of `gthulhu-dm WORDS -d .` with these variables.
    fn run(&self, words: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gthulhu-dm"));
        command.args(words.split(' ')).args(["-d", "."]).current_dir(self.0.path());
        command.env_clear().envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A configuration with one key that works.
fn with_key(rest: &str) -> String {
    format!("token.rsa_private_key_path = \"key.pem\"\n{rest}")
}

#[test]
fn broken_files_are_told_by_line_and_column_and_what_to_write() {
    const ADDRESS: &str = "must be host:port, or :port for all addresses of this machine";
    let rows: [(&str, &[&str]); 17] = [
        ("[server\nhost = \":1\"", &["2:8: the name of the section must end with `]`"]),
        ("[server]\nhost = :8080", &["3:8: a text must be in quotes; write key = \"value\""]),
        ("[server]\nhost =", &["3:7: the value is missing; write `key = value`"]),
        ("[server]\nhost ':1'", &["3:6: a line must be `key = value`, `[section]` or `# a comment`"]),
        ("[server]\nhost = \":1\n", &["3:11: the text must end with a `\"` on this line"]),
        ("[node]\npoll='1s'\npoll='2s'", &["4:1: `poll` is in this file already; keep one of the two"]),
        ("[node]\n[server]\n[node]", &["4:2: `node` is in this file already; keep one of the two"]),
        ("[server]\nhots = ':1'", &["3:1: unknown key `server.hots`; did you mean `server.host`?"]),
        ("[sever]\nhost = ':1'", &["2:2: unknown key `sever`; did you mean `server`?"]),
        (
            "[metrics]\nprometheus = true",
            &["3:1: unknown key `metrics.prometheus`; the keys of `metrics` are `compat_names`"],
        ),
        ("[server]\nhost = 8080", &["3:8: `server.host` must be a text in quotes, not the number 8080"]),
        (
            "[strategies]\nthreads = 'no'",
            &["3:11: `strategies.threads` must be true or false, not the text \"no\""],
        ),
        (
            "[node]\npoll = '1 fortnight'",
            &["3:8: `node.poll`: a duration is written like \"3h\", \"90s\" or \"250ms\""],
        ),
        ("[node]\npoll = '1ms'", &["3:8: `node.poll` must be 50ms to 1h"]),
        ("\n[server]\n  host = 'localhost'", &[&format!("4:10: `server.host` {ADDRESS}")]),
        (
            "[logging]\nlevel = 'loud'",
            &["3:9: `logging.level` must be error, warn, info, debug, trace or off, or a filter such as \
               \"info,hyper=warn\""],
        ),
        // All of them at once, from the top down.
        (
            "token.token_duration_hr = 0\nlog.level = 'info'\n[server]\nhost = ':http'\n[mtls]\nenable = 1\n\
             [token.x]\n[daemon]\ntimeout_sec = -1",
            &[
                "2:27: `token.token_duration_hr` must be 1 to 8760",
                "3:1: unknown key `log`; the sections of the file are `server`, `logging`, `token`, `mtls`, `state`, \
                 `node`, `limits`, `strategies`, `metrics`, `feed`, `daemon`",
                &format!("5:8: `server.host` {ADDRESS}"),
                "7:10: `mtls.enable` must be true or false, not the number 1",
                "8:8: unknown key `token.x`; the keys of `token` are `enable`, `rsa_private_key_pem`, \
                 `rsa_private_key_path`, `token_duration_hr`, `allow_public_key`",
                "10:15: `daemon.timeout_sec` must be a whole number from 0 to 4294967295, not the number -1",
            ],
        ),
    ];
    for (text, want) in rows {
        let place = Place::new(&with_key(text));
        let (code, out, err) = place.run("config check", &[]);
        let mut lines: Vec<String> = want.iter().map(|line| format!("./dm_config.toml:{line}")).collect();
        let count = if want.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", want.len()) };
        lines.push(format!("gthulhu-dm: ./dm_config.toml: {count}, 0 warnings"));
        assert_eq!(err.lines().collect::<Vec<_>>(), lines, "{text}");
        assert_eq!((code, out.as_str()), (78, ""), "{text}");
        // The daemon names one of them, in the same words.
        let (code, _, err) = place.run("serve", &[]);
        assert_eq!((code, err.lines().count()), (78, 1), "{err}");
        let same = |line: &String| err.starts_with(&format!("gthulhu-dm: {line}"));
        assert!(lines.iter().any(same), "{err}");
    }
}

#[test]
fn mistakes_in_variables_are_told_by_their_name() {
    let place = Place::new(&with_key(""));
    let (code, _, err) =
        place.run("config check", &[("DM_NODE_POLL", "soon"), ("DM_TOKEN_TOKEN_DURATION_HR", "0")]);
    assert_eq!(code, 78);
    assert_eq!(
        err,
        "DM_NODE_POLL: `node.poll`: a duration is written like \"3h\", \"90s\" or \"250ms\"\n\
         DM_TOKEN_TOKEN_DURATION_HR: `token.token_duration_hr` must be 1 to 8760\n\
         gthulhu-dm: ./dm_config.toml: 2 mistakes, 0 warnings\n"
    );
}

#[test]
fn a_key_that_is_missing_or_open_to_others_is_a_mistake() {
    let place = Place::new("");
    let (code, _, err) = place.run("config check", &[]);
    let missing = "./dm_config.toml:1:1: `token.rsa_private_key_path` must name the file of the RSA key that signs \
                   tokens (or set token.rsa_private_key_pem)\n";
    assert_eq!((code, err.strip_prefix(missing).is_some()), (78, true), "{err}");
    fs::write(place.0.path().join("open.pem"), KEY.to_pem()).unwrap();
    let (code, _, err) = place.run("config check", &[("DM_TOKEN_RSA_PRIVATE_KEY_PATH", "open.pem")]);
    let open = "DM_TOKEN_RSA_PRIVATE_KEY_PATH: `token.rsa_private_key_path` must name the file of an RSA key that only \
                its owner may read: open.pem is open to others (mode 0644); its mode must be 0600\n";
    assert_eq!((code, err.strip_prefix(open).is_some()), (78, true), "{err}");
}

#[test]
fn a_good_file_passes_and_nothing_is_made() {
    let place = Place::new(&with_key("state.dir = \"state\"\n"));
    let (code, out, err) = place.run("config check", &[]);
    let passed = "./dm_config.toml: 0 mistakes, 0 warnings\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, passed, ""));
    assert_eq!(place.files(), ["dm_config.toml", "key.pem"]);
    let (code, _, err) = place.run("config check -c nothing", &[]);
    assert!(code == 66 && err.contains("looked for ./nothing.toml"), "{err}");
}

/// A file as the Go decision maker has it is no mistake; that it brings no key of its own is worth a warning.
#[test]
fn a_file_of_the_go_decision_maker_passes_the_check_and_is_not_served() {
    let place = Place::new(GO);
    let (code, out, err) = place.run("config check", &[]);
    assert_eq!(
        err,
        "./dm_config.toml:8:8: note: `logging.path` has no effect: the log goes to standard error\n\
         ./dm_config.toml:12:23: warning: `token.rsa_private_key_pem` is the placeholder of an example; put a key of \
         your own there; serve refuses to start with it\n"
    );
    assert_eq!((code, out.as_str()), (0, "./dm_config.toml: 0 mistakes, 1 warning\n"));
    let (code, _, err) = place.run("serve", &[]);
    assert_eq!(code, 78);
    assert_eq!(
        err,
        "gthulhu-dm: ./dm_config.toml:12:23: `token.rsa_private_key_pem` is the placeholder of an example; put a key \
         of your own there\n"
    );
    // With a key, and the section that is off left as it is, nothing is in the way.
    let pem = KEY.to_pem();
    let (code, out, _) = place.run("config check", &[("DM_TOKEN_RSA_PRIVATE_KEY_PEM", &pem)]);
    assert_eq!((code, out.as_str()), (0, "./dm_config.toml: 0 mistakes, 0 warnings\n"));
    assert_eq!(place.files(), ["dm_config.toml", "key.pem"]);
}

#[test]
fn what_is_in_effect_is_shown_without_secrets_and_loads_again() {
    let place = Place::new(GO);
    let pem = KEY.to_pem();
    let variables = [("DM_TOKEN_RSA_PRIVATE_KEY_PEM", pem.as_str()), ("DM_SERVER_HOST", ":9000")];
    let (code, shown, err) = place.run("config show --effective", &variables);
    assert_eq!((code, err.as_str()), (0, ""));
    for line in [
        "host = \":9000\"  # environment variable DM_SERVER_HOST",
        "rsa_private_key_pem = \"...\"  # environment variable DM_TOKEN_RSA_PRIVATE_KEY_PEM",
        "key_pem = \"...\"  # ./dm_config.toml:18",
        "rsa_private_key_path = \"\"  # default",
        "poll = \"1s\"  # default",
        "timeout_sec = 5  # ./dm_config.toml:23",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    assert!(!shown.contains("BEGIN"), "{shown}");
    let again = Place::new(&shown);
    let (code, shown_again, _) = again.run("config show --effective", &[]);
    let bare = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split("  #").next()?.to_owned())).collect()
    };
    assert_eq!((code, bare(&shown_again)), (0, bare(&shown)));
    // Without --effective, only what is set.
    let (_, shown, _) = Place::new("").run("config show", &[("DM_NODE_NAME", "n")]);
    assert_eq!(
        shown,
        "# gthulhu-dm, what file and environment set, from ./dm_config.toml\n\
         [node]\nname = \"n\"  # environment variable DM_NODE_NAME\n"
    );
}
