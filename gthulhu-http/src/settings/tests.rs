//! A small configuration that has every kind of key a daemon's has.

mod examined;
mod mistakes;

use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use serde::Deserialize;

use super::*;
use crate::time::DurationText;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    server: Server,
    account: Account,
    nodes: Vec<Node>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Server {
    host: String,
    probe_host: Option<String>,
    port: u16,
    max: u64,
    share: f64,
    offset: i64,
    kind: Kind,
    idle: DurationText,
    allowed: Vec<String>,
    labels: BTreeMap<String, String>,
    tls: Tls,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Tls {
    enable: bool,
    cert_pem: String,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Account {
    admin_password: String,
    pin_key: u16,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Node {
    name: String,
    port: u16,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Folder,
    Kubernetes,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            host: ":8080".into(),
            probe_host: None,
            port: 1,
            max: 2,
            share: 0.5,
            offset: -1,
            kind: Kind::Folder,
            idle: DurationText::new(Duration::from_secs(60)),
            allowed: Vec::new(),
            labels: BTreeMap::new(),
            tls: Tls::default(),
        }
    }
}

fn read_with(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    parse("DM", "dm.toml", text, |name| env.get(name).map(|value| (*value).to_owned()))
        .map_err(|error: SettingsError| error.to_string())
}

/// Everything found in a file and these variables.
fn settings(text: &str, env: &[(&str, &str)]) -> Settings<Config> {
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    super::read("DM", "dm.toml", text, |name| env.get(name).map(|value| (*value).to_owned())).unwrap()
}

fn read(text: &str) -> Result<Config, String> {
    read_with(text, &[])
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(read(""), Ok(Config::default()));
    assert_eq!(read("# nothing\n[server]\n[server.tls]\n"), Ok(Config::default()));
}

#[test]
fn the_file_sets_every_kind_of_key() {
    let text = r#"
        nodes = [{ name = "a" }]
        [server]
        host = ":9000"
        probe_host = "127.0.0.1:1"
        port = 0xffff
        max = 18446744073709551615
        share = 1e3
        offset = -9_000
        kind = "kubernetes"
        idle = "250ms"
        allowed = ["x", "y"]
        labels = { app = "web", "tier.io/x" = "1" }
        [server.tls]
        enable = true
    "#;
    let got = read(text).unwrap();
    let want = Server {
        host: ":9000".into(),
        probe_host: Some("127.0.0.1:1".into()),
        port: 65_535,
        max: u64::MAX,
        share: 1000.0,
        offset: -9000,
        kind: Kind::Kubernetes,
        idle: DurationText::new(Duration::from_millis(250)),
        allowed: vec!["x".into(), "y".into()],
        labels: [("app".into(), "web".into()), ("tier.io/x".into(), "1".into())].into(),
        tls: Tls { enable: true, cert_pem: String::new() },
    };
    assert_eq!(got.server, want);
    assert_eq!(got.nodes, [Node { name: "a".into(), port: 0 }]);
    assert_eq!(read("[[nodes]]\nname = \"a\"\n[[nodes]]\nport = 2\n").unwrap().nodes.len(), 2);
}

#[test]
fn the_environment_sets_every_kind_of_key_without_a_file() {
    let env = [
        ("DM_SERVER_HOST", ":9000"),
        ("DM_SERVER_PROBE_HOST", "127.0.0.1:1"),
        ("DM_SERVER_PORT", " 65535 "),
        ("DM_SERVER_MAX", "18446744073709551615"),
        ("DM_SERVER_SHARE", "1e3"),
        ("DM_SERVER_OFFSET", "-9000"),
        ("DM_SERVER_KIND", "kubernetes"),
        ("DM_SERVER_IDLE", "250ms"),
        ("DM_SERVER_ALLOWED", "x, y,"),
        ("DM_SERVER_TLS_ENABLE", "TRUE"),
        ("DM_ACCOUNT_ADMIN_PASSWORD", " 12 "),
    ];
    let got = read_with("", &env).unwrap();
    let want = Server {
        host: ":9000".into(),
        probe_host: Some("127.0.0.1:1".into()),
        port: 65_535,
        max: u64::MAX,
        share: 1000.0,
        offset: -9000,
        kind: Kind::Kubernetes,
        idle: DurationText::new(Duration::from_millis(250)),
        allowed: vec!["x".into(), "y".into()],
        labels: BTreeMap::new(),
        tls: Tls { enable: true, cert_pem: String::new() },
    };
    assert_eq!(got.server, want);
    assert_eq!(got.account.admin_password, " 12 ");
}

#[test]
fn the_environment_beats_the_file_unless_it_is_empty() {
    let text = "[server]\nhost = \":1\"\nport = 7\n";
    let env =
        [("DM_SERVER_HOST", ":2"), ("DM_SERVER_PORT", ""), ("MANAGER_SERVER_PORT", "9"), ("DM_PORT", "9")];
    let got = read_with(text, &env).unwrap();
    assert_eq!((got.server.host.as_str(), got.server.port), (":2", 7));
}

#[test]
fn files_are_found_by_flag_variable_and_directory() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["dm_config.toml", "other.toml"] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    let empty = tempfile::tempdir().unwrap();
    let text = |path: &Path| path.display().to_string();
    let find = |args: &FileArgs, env: &[(&str, String)]| {
        locate("DM", "dm_config", args, |name| Some(env.iter().find(|pair| pair.0 == name)?.1.clone().into()))
    };

    let args = FileArgs { config_dir: Some(dir.path().into()), ..FileArgs::default() };
    assert_eq!(find(&args, &[]).unwrap(), dir.path().join("dm_config.toml"));
    let name = [("DM_CONFIG_NAME", "other".to_owned())];
    assert_eq!(find(&args, &name).unwrap(), dir.path().join("other.toml"));

    // The variables win over the flags, and an empty variable is none.
    let args =
        FileArgs { config_name: Some("nothing".into()), config_dir: Some(empty.path().into()), config: None };
    let env = [("DM_CONFIG_NAME", "other".to_owned()), ("DM_CONFIG_DIR_PATH", text(dir.path()))];
    assert_eq!(find(&args, &env).unwrap(), dir.path().join("other.toml"));
    let error = find(&args, &[("DM_CONFIG_DIR_PATH", String::new())]).unwrap_err();
    let want = format!(
        "looked for {}/nothing.toml, ./config/nothing.toml, /etc/gthulhu/nothing.toml",
        text(empty.path())
    );
    assert!(error.to_string().contains(&want), "{error}");
    assert_eq!(Exit::from(error).code, exit::NO_INPUT);

    let args = FileArgs { config: Some("exactly/this".into()), ..args };
    assert_eq!(find(&args, &env).unwrap(), Path::new("exactly/this"));
}

#[test]
fn a_file_may_be_named_by_bytes_that_are_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join(OsString::from_vec(b"caf\xe9".to_vec()));
    std::fs::create_dir(&odd).unwrap();
    std::fs::write(odd.join("dm_config.toml"), "").unwrap();
    let env = |name: &str| (name == "DM_CONFIG_DIR_PATH").then(|| odd.clone().into_os_string());
    let found = locate("DM", "dm_config", &FileArgs::default(), env).unwrap();
    assert_eq!(found, odd.join("dm_config.toml"));
}

#[test]
fn a_variable_that_is_no_text_is_a_mistake_if_it_is_one_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dm.toml");
    std::fs::write(&path, "[server]\nhost = \":9\"\nport = 7\n").unwrap();
    let bytes = || OsString::from_vec(b"987654\xff".to_vec());
    for (name, message) in [
        ("DM_SERVER_HOST", Some("`server.host` must be text in UTF-8")),
        ("DM_SERVER_PROBE_HOST", Some("`server.probe_host` must be text in UTF-8")),
        ("DM_SERVER_TLS_ENABLE", Some("`server.tls.enable` must be text in UTF-8")),
        ("DM_ACCOUNT_ADMIN_PASSWORD", Some("`account.admin_password` must be text in UTF-8")),
        ("DM_SERVER_HOME", None),
        ("MANAGER_SERVER_HOST", None),
        ("LS_COLORS", None),
    ] {
        let loaded = load::<Config>("DM", &path, |asked| (asked == name).then(bytes));
        let said = loaded.map(|config| config.server.port).map_err(|error| error.to_string());
        assert_eq!(said, message.map_or(Ok(7), |message| Err(format!("{name}: {message}"))));
    }
    // The rest is read, and what the variable should have beaten is not taken instead of it.
    let env = |name: &str| (name == "DM_SERVER_HOST").then(bytes);
    let Settings { value, mistakes, .. } =
        overlaid::<Config>("DM", "f", "[server]\nhost = \":9\"\nport = true\nmax = 5\n", &env).unwrap();
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["server.port", "server.host"], "each is told once");
    assert_eq!((value.server.host.as_str(), value.server.max), (":8080", 5));
}

#[test]
fn load_names_the_file_it_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dm.toml");
    let missing = load::<Config>("DM", &path, |_| None).unwrap_err();
    assert!(missing.to_string().starts_with(&format!("cannot read {}: ", path.display())), "{missing}");
    std::fs::write(&path, "[server]\nport = true\n").unwrap();
    let wrong = load::<Config>("DM", &path, |_| None).unwrap_err();
    assert!(wrong.to_string().starts_with(&format!("{}:2:8: ", path.display())), "{wrong}");
    assert_eq!(Exit::from(wrong).code, exit::CONFIG);
    std::fs::write(&path, "[server]\nport = 5\n").unwrap();
    assert_eq!(load::<Config>("DM", &path, |_| None).unwrap().server.port, 5);
}

#[test]
fn the_flags_are_the_ones_users_know() {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        file: FileArgs,
    }
    let parse = |args: &[&str]| <Cli as clap::Parser>::try_parse_from(args).unwrap().file;
    let want = FileArgs { config_name: Some("n".into()), config_dir: Some("d".into()), config: None };
    assert_eq!(parse(&["dm", "-c", "n", "-d", "d"]), want);
    assert_eq!(parse(&["dm", "--config-name", "n", "--config-dir", "d"]), want);
    assert_eq!(parse(&["dm", "--config", "f"]).config, Some("f".into()));
    assert_eq!(parse(&["dm"]), FileArgs::default());
}
