//! What `config check` and `config show` say, and what `serve` makes of it.

use std::collections::HashMap;
use std::path::PathBuf;

use super::*;
use crate::settings::cli::{self, Verb};

impl Configuration for Config {
    const PROGRAM: &'static str = "gthulhu-example";
    const PREFIX: &'static str = "DM";
    const NAME: &'static str = "dm";
    const TELLING: &'static [(&'static str, &'static str)] = &[("account", "account.admin_password")];

    fn examine(&self, origins: &Origins) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(rules::address("server.host", &self.server.host));
        if self.account.admin_password == "example" {
            findings.push(Finding::unserved("account.admin_password", "is an example"));
        }
        if origins.has_section("account") {
            findings.push(Finding::note("account", "is there"));
        }
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.name.is_empty()) {
            findings.push(Finding::warning(format!("nodes[{i}].name"), format!("is empty ({})", node.port)));
        }
        findings
    }
}

/// A file and variables.
struct Place {
    dir: tempfile::TempDir,
    env: HashMap<String, String>,
}

impl Place {
    fn new(text: &str, env: &[(&str, &str)]) -> Place {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dm.toml"), text).unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Place { dir, env }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("dm.toml")
    }

    fn examined(&self) -> Examined<Config> {
        examine(&self.file(), |name| self.env.get(name).map(OsString::from)).unwrap()
    }

    /// Exit code and output of `config check`, with `F` for the file.
    fn check(&self) -> (u8, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ended = cli::check(&self.examined(), &mut out, &mut err);
        err.extend(out);
        let (code, last) = ended.map_or_else(|exit| (exit.code, exit.message), |()| (0, String::new()));
        let said = String::from_utf8(err).unwrap() + &last;
        (code, said.replace(&self.file().display().to_string(), "F"))
    }

    fn show(&self, whole: bool) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        cli::print(&self.examined(), whole, &mut out, &mut err).unwrap();
        assert_eq!(err, b"");
        String::from_utf8(out).unwrap().replace(&self.file().display().to_string(), "F")
    }

    fn serve(&self) -> Result<(), String> {
        let args = FileArgs { config: Some(self.file()), ..FileArgs::default() };
        let ready = for_serving::<Config>(&args, |name| self.env.get(name).map(OsString::from));
        ready.map(drop).map_err(|exit| {
            assert_eq!(exit.code, exit::CONFIG);
            exit.message.replace(&self.file().display().to_string(), "F")
        })
    }
}

#[test]
fn check_tells_mistakes_from_warnings_and_notes() {
    let place = Place::new("[account]\nadmin_password = \"example\"\n[[nodes]]\nport = 4\n", &[]);
    let said = "F:1:1: note: `account` is there\n\
                F:2:18: warning: `account.admin_password` is an example; serve refuses to start with it\n\
                F:3:1: warning: `nodes[0].name` is empty (4)\n\
                F: 0 mistakes, 2 warnings\n";
    assert_eq!(place.check(), (0, said.to_owned()));
    assert_eq!(place.serve(), Err("F:2:18: `account.admin_password` is an example".to_owned()));
}

#[test]
fn mistakes_in_values_and_in_what_they_mean_are_told_together() {
    let place = Place::new("[server]\nhost = \"here\"\nprt = 2\n", &[("DM_SERVER_MAX", "x")]);
    let said = "F:2:8: `server.host` must be host:port, or :port for all addresses of this machine\n\
                F:3:1: unknown key `server.prt`; did you mean `server.port`?\n\
                DM_SERVER_MAX: `server.max` must be a whole number from 0 on, not the text \"x\"\n\
                F: 3 mistakes, 0 warnings";
    assert_eq!(place.check(), (78, said.to_owned()));
    let serve = "F:3:1: unknown key `server.prt`; did you mean `server.port`? \
                 (also wrong: server.max, server.host; see `gthulhu-example config check`)";
    assert_eq!(place.serve(), Err(serve.to_owned()));
}

#[test]
fn a_mistake_is_told_once() {
    // The default address would pass, but a value that is not there cannot be judged.
    let place = Place::new("[server]\nhost = 5\n[[nodes]]\nname = 5\n[[nodes]]\n", &[]);
    let (code, said) = place.check();
    assert_eq!((code, said.lines().count()), (78, 3), "{said}");
    // Half a file is not judged as a whole.
    let (_, said) = Place::new("[server]\nhost = \"here\"\nport = \n", &[]).check();
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn a_good_configuration_is_served_without_a_word() {
    let place = Place::new("", &[("DM_SERVER_HOST", "localhost:80")]);
    assert_eq!(place.check(), (0, "F: 0 mistakes, 0 warnings\n".to_owned()));
    assert_eq!(place.serve(), Ok(()));
}

#[test]
fn what_is_shown_says_where_it_comes_from() {
    let place = Place::new(
        "[server]\nport = 7\nallowed = ['a', 'b']\n[server.tls]\ncert_pem = '''\nSECRET\n'''\n[[nodes]]\nname = 'n'\n",
        &[("DM_SERVER_HOST", ":1")],
    );
    assert_eq!(
        place.show(false),
        "# gthulhu-example, what file and environment set, from F\n\
         [server]\n\
         host = \":1\"  # environment variable DM_SERVER_HOST\n\
         port = 7  # F:2\n\
         allowed = [\"a\", \"b\"]  # F:3\n\
         \n[server.tls]\n\
         cert_pem = \"...\"  # F:5\n\
         \n[[nodes]]\n\
         name = \"n\"  # F:9\n\
         port = 0  # default\n"
    );
    let whole = place.show(true);
    for line in ["max = 2  # default", "idle = \"1m\"  # default", "# [account]", "# pin_key = 0  # default"]
    {
        assert!(whole.lines().any(|shown| shown == line), "{line} is not in\n{whole}");
    }
}

#[test]
fn what_is_shown_loads_again() {
    for (text, env) in [
        ("", ("DM_SERVER_MAX", "9")),
        ("[account]\n", ("DM_SERVER_KIND", "kubernetes")),
        ("[server]\nhost = \"a\\nb\\\"c # d:1\"\n", ("DM_SERVER_IDLE", "1h 5s")),
        ("", ("DM_ACCOUNT_PIN_KEY", "3")),
        ("server.labels = { 'a.b/c' = 'd' }\nserver.share = 1e3", ("DM_ACCOUNT_ADMIN_PASSWORD", "long")),
    ] {
        let place = Place::new(text, &[env]);
        for whole in [false, true] {
            let shown = place.show(whole);
            let again = Place::new(&shown, &[]).examined();
            assert_eq!(again.mistakes, [], "{shown}");
            let first = place.examined();
            assert_eq!(
                again.origins.has_section("account"),
                first.origins.has_section("account") || env.1 == "long",
                "{shown}"
            );
            assert_eq!(again.config.server, first.config.server, "{shown}");
        }
    }
}

#[test]
fn nothing_is_shown_of_a_file_that_cannot_be_read() {
    let place = Place::new("[server]\nport = 'x'\n", &[]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = cli::print(&place.examined(), true, &mut out, &mut err).unwrap_err();
    assert_eq!((exit.code, out.len()), (78, 0));
    assert!(String::from_utf8(err).unwrap().contains(":2:8: `server.port` must be"));
}

#[test]
fn every_verb_has_a_page_in_the_manual() {
    #[derive(clap::Parser)]
    #[command(name = "gthulhu-example", version)]
    struct Cli {
        #[command(subcommand)]
        verb: Verb,
    }
    let pages = cli::manual(<Cli as clap::CommandFactory>::command()).unwrap();
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    let want = ["-completions", "-config-check", "-config-show", "-config", "-man", ""];
    assert_eq!(names, want.map(|verb| format!("gthulhu-example{verb}.1")));
    for (name, text) in &pages {
        assert!(String::from_utf8_lossy(text).contains(".SH SYNOPSIS"), "{name}");
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Optional(Config);

impl Configuration for Optional {
    const PROGRAM: &'static str = "gthulhu-example";
    const PREFIX: &'static str = "DM";
    const NAME: &'static str = "none-of-this-name";
    const FILE_OPTIONAL: bool = true;

    fn examine(&self, origins: &Origins) -> Vec<Finding> {
        self.0.examine(origins)
    }
}

#[test]
fn a_file_may_be_missing_where_none_was_asked_for() {
    let examined = |args: &FileArgs, variables: &[(&str, &str)]| {
        let value = |name: &str| variables.iter().find(|pair| pair.0 == name).map(|pair| pair.1.into());
        examine_found::<Optional>(args, value)
    };
    let found = examined(&FileArgs::default(), &[("DM_SERVER_PORT", "7"), ("DM_CONFIG_NAME", "")]).unwrap();
    assert_eq!((found.config.0.server.port, found.origins.file()), (7, "(no file)"));
    let wrong = examined(&FileArgs::default(), &[("DM_SERVER_HOST", "8080")]).unwrap();
    assert_eq!(wrong.said().len(), 1, "{wrong:?}");

    let named = FileArgs { config_name: Some("other".into()), ..FileArgs::default() };
    let asked: [(FileArgs, &[(&str, &str)]); 3] = [
        (named, &[]),
        (FileArgs::default(), &[("DM_CONFIG_NAME", "other")]),
        (FileArgs::default(), &[("DM_CONFIG_DIR_PATH", "elsewhere")]),
    ];
    for (args, variables) in asked {
        let error = examined(&args, variables).unwrap_err();
        assert!(matches!(error, SettingsError::NotFound { .. }), "{args:?}: {error}");
    }
    let absent = FileArgs { config: Some("absent.toml".into()), ..FileArgs::default() };
    assert!(matches!(examined(&absent, &[]).unwrap_err(), SettingsError::Read { .. }));
}
