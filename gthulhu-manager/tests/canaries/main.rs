//! Secrets are put in wherever something comes in, with the log at its most talkative; none may come out again: not in
//! the log, the audit trail, the metrics, an error, or what a command prints.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[cfg(feature = "mongodb")]
mod database;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use gthulhu_http::keys::PrivateKey;
use gthulhu_http::testkit::TestClient;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gthulhu-manager");
const ADMIN: &str = "admin@example.com";

/// The secrets, and what was said by anybody.
#[derive(Default)]
struct Watch {
    canaries: Vec<(String, String)>,
    said: Vec<(String, String)>,
}

impl Watch {
    /// A new secret; `place` says where it goes in. Only characters that nothing escapes or treats specially.
    fn canary(&mut self, place: &str) -> String {
        let random = u64::from_le_bytes(gthulhu_http::random::bytes());
        let canary = format!("tweet{:02}{random:016x}", self.canaries.len());
        self.canaries.push((place.to_owned(), canary.clone()));
        canary
    }

    /// Something secret that was not made here.
    fn secret(&mut self, place: &str, secret: &str) {
        assert!(secret.len() >= 15, "{place}: too short to be told from chance");
        self.canaries.push((place.to_owned(), secret.to_owned()));
    }

    fn heard(&mut self, from: &str, text: impl Into<String>) {
        self.said.push((from.to_owned(), text.into()));
    }

    fn assert_silence(&self, at_least: usize) {
        assert!(self.canaries.len() >= at_least, "{} secrets", self.canaries.len());
        for (place, canary) in &self.canaries {
            for (from, text) in &self.said {
                let at = text.find(canary.as_str());
                let around = at.map(|at| &text[at.saturating_sub(60)..(at + 90).min(text.len())]);
                assert!(at.is_none(), "{place} is in {from}: {around:?}");
            }
        }
    }
}

/// The manager with its log at trace level.
struct Manager {
    child: Child,
    log: JoinHandle<String>,
    client: TestClient,
}

impl Manager {
    fn start(config: &Path, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--config"]).arg(config).env_clear().envs(env.iter().copied());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (send, address) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            for line in lines.map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(address) = event["address"].as_str() {
                    let _ = send.send(address.to_owned());
                }
                log += &(line + "\n");
            }
            log
        });
        let address = address.recv().expect("it says where it listens");
        Self { child, log, client: TestClient::new(&format!("http://{address}")) }
    }

    fn stop(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.log.join().unwrap()
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn toml(dir: &Path, more: &str) -> String {
    format!(
        "[server]\nhost = '127.0.0.1:0'\n[state]\ndir = '{}'\n[logging]\nlevel = 'trace'\n{more}",
        dir.display()
    )
}

/// The lines of a key's armour, each of which gives it away.
fn watch_key(watch: &mut Watch, place: &str, pem: &str) {
    for line in pem.lines().filter(|line| !line.starts_with("-----")).take(3) {
        watch.secret(place, line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_that_goes_in_comes_out() {
    let mut watch = Watch::default();
    let place = TempDir::new().unwrap();
    let state = place.path().join("state");
    let made = Command::new(PROGRAM).arg("init").arg("--dir").arg(&state).output().unwrap();
    watch.heard("init", String::from_utf8(made.stdout).unwrap());
    for name in ["keys/user-jwt.key", "keys/dm-token.key", "certs/ca.key", "certs/manager.key"] {
        watch_key(&mut watch, name, &fs::read_to_string(state.join(name)).unwrap());
    }
    let inline = PrivateKey::generate().unwrap().to_pem();
    watch_key(&mut watch, "key.rsa_private_key_pem", &inline);
    let password = watch.canary("the variable MANAGER_ACCOUNT_ADMIN_PASSWORD");
    let config = place.path().join("manager.toml");
    let more = format!(
        "[account]\nadmin_email = '{ADMIN}'\nadmin_password = '{}'\n[store]\nkind = 'redb'\n\
         [mongodb]\nhost = 'h'\nport = '27017'\npassword = '{}'\n[server.tls]\nkey_pem = '{}'\n[mtls]\nenable = true\n[key]\nrsa_private_key_pem = '''{inline}'''\n",
        watch.canary("account.admin_password"),
        watch.canary("mongodb.password"),
        watch.canary("server.tls.key_pem"),
    );
    write(&config, &toml(&state, &more));
    let stray = watch.canary("a variable of no key");
    let env = [("MANAGER_ACCOUNT_ADMIN_PASSWORD", password.as_str()), ("SOME_TOKEN", stray.as_str())];
    let manager = Manager::start(&config, &env);
    requests(&mut watch, &manager.client, &password).await;
    let log = manager.stop();
    assert!(log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""), "it is talkative");
    watch.heard("the log", log);
    for words in
        [&["config", "show"][..], &["config", "show", "--effective"], &["config", "check"], &["keys", "list"]]
    {
        command(&mut watch, words, &config, &env);
    }
    commands(&mut watch, place.path(), &state);
    watch.assert_silence(30);
}

/// Secrets in every part of a request, on routes that refuse and on routes that do not.
async fn requests(watch: &mut Watch, stranger: &TestClient, password: &str) {
    let login = "/api/v1/auth/login";
    let good = stranger.post(login, &json!({"username": ADMIN, "password": password})).await;
    let token = |name: &str| good.data()[name].as_str().unwrap().to_owned();
    let (access, refresh) = (token("accessToken"), token("refreshToken"));
    watch.secret("an access token", access.rsplit('.').next().unwrap());
    watch.secret("a refresh token", &refresh);
    let admin = stranger.bearer(&access);

    for header in [
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-api-key",
        "x-request-id",
        "referer",
        "user-agent",
        "x-forwarded-for",
        "accept",
        "content-type",
        "traceparent",
    ] {
        let canary = watch.canary(&format!("the header {header}"));
        // Blanks and an exclamation mark: no request id, and no token.
        let value =
            if header == "authorization" { format!("Bearer {canary}") } else { format!("a {canary}!") };
        for path in ["/api/v1/users/self", "/api/v1/nowhere", "/readyz?verbose", "/metrics"] {
            let reply = stranger.header(header, &value).get(path).await;
            watch.heard(&format!("GET {path} with {header}"), reply.text());
        }
    }
    for query in [
        "token",
        "limit",
        "continue",
        "since",
        "actor",
        "object",
        "all",
        "allowEmpty",
        "excluded",
        "verbose",
        "",
    ] {
        let canary = watch.canary(&format!("the query {query}"));
        for path in [
            "/api/v1/strategies/self",
            "/api/v1/audit",
            "/api/v1/users",
            "/readyz",
            "/metrics",
            "/api/v1/nowhere",
        ] {
            let path = format!("{path}?{query}={canary}");
            let (one, other) = (admin.get(&path).await, stranger.get(&path).await);
            watch.heard(&format!("GET with ?{query}="), format!("{}{}", one.text(), other.text()));
        }
    }
    for path in ["/api/v1/TWEET", "/TWEET", "/api/v1/nodes/TWEET/pods/pids", "/api/v1/users/TWEET"] {
        let canary = watch.canary(&format!("the path {path}"));
        let reply = admin.get(&path.replace("TWEET", &canary)).await;
        watch.heard(&format!("GET {path}"), reply.text());
    }
    bodies(watch, stranger, &admin, password).await;
    // The password was another one meanwhile, and every session ended.
    let again = stranger.post(login, &json!({"username": ADMIN, "password": password})).await;
    let used = again.data()["refreshToken"].as_str().unwrap().to_owned();
    let refreshed = stranger.post("/api/v1/auth/refresh", &json!({"refreshToken": used})).await;
    watch.secret("a used refresh token", &used);
    watch.secret("the next refresh token", refreshed.data()["refreshToken"].as_str().unwrap());
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        for token in [&used, &refresh] {
            watch.heard(path, stranger.post(path, &json!({"refreshToken": token})).await.text());
        }
    }
    let again = stranger.post(login, &json!({"username": ADMIN, "password": password})).await;
    let admin = stranger.bearer(again.data()["token"].as_str().unwrap());
    let mut path = "/api/v1/audit?limit=1000".to_owned();
    loop {
        let page = admin.get(&path).await;
        watch.heard("the audit trail", page.text());
        let Some(next) = page.data()["continue"].as_str().map(str::to_owned) else { break };
        path = format!("/api/v1/audit?limit=1000&continue={next}");
    }
    watch.heard("the metrics", stranger.get("/metrics").await.text());
}

/// Secrets in bodies: where they belong, where they do not, in wrong types and in broken JSON.
async fn bodies(watch: &mut Watch, stranger: &TestClient, admin: &TestClient, password: &str) {
    let (login, own) = ("/api/v1/auth/login", "/api/v1/users/self/password");
    let mut sent: Vec<(&str, &str, Value)> = Vec::new();
    for (method, path, field) in [
        ("POST", login, "username"),
        ("POST", login, "password"),
        ("POST", "/api/v1/auth/refresh", "refreshToken"),
        ("POST", "/api/v1/auth/logout", "refreshToken"),
        ("POST", "/api/v1/users", "password"),
        ("PUT", "/api/v1/users/password", "newPassword"),
        ("PUT", own, "oldPassword"),
        ("PUT", own, "newPassword"),
        ("POST", "/api/v1/strategies", "password"),
        ("POST", "/api/v1/roles", "token"),
        ("PUT", "/api/v1/users/permissions", "userID"),
        ("PUT", "/api/v1/users/permissions", "status"),
        ("DELETE", "/api/v1/strategies", "strategyId"),
        ("DELETE", "/api/v1/intents", "intentIds"),
    ] {
        let canary = watch.canary(&format!("{field} in {method} {path}"));
        sent.push((method, path, json!({"username": "someone", field: canary.clone()})));
        sent.push((
            method,
            path,
            json!({"username": "x", "password": canary.clone(), field: canary.clone()}),
        ));
        sent.push((method, path, json!({field: [canary.clone()]})));
        sent.push((method, path, json!({field: {canary.clone(): canary.clone()}})));
        sent.push((method, path, json!({canary.clone(): 1})));
        sent.push((method, path, json!(canary)));
    }
    for (method, path, body) in &sent {
        let whole = body.to_string();
        for text in [&whole[..], &whole[..whole.len() - 1], &format!("{whole}{whole}")] {
            for client in [stranger, admin] {
                let reply = client.send(method, path, Some(text.as_bytes())).await;
                watch.heard(&format!("{method} {path}"), reply.text());
            }
        }
    }
    // And one change that is made.
    let new = watch.canary("a password that was set");
    let id = admin.get("/api/v1/users/self").await.data()["id"].clone();
    let made = admin.post("/api/v1/users", &json!({"username": "ann", "password": new.clone()})).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let reset = admin.put("/api/v1/users/password", &json!({"userID": id, "newPassword": new.clone()})).await;
    assert_eq!(reset.status, 200, "{}", reset.text());
    let back = json!({"oldPassword": new, "newPassword": password});
    let reply = stranger.post(login, &json!({"username": ADMIN, "password": new})).await;
    let changed = stranger.bearer(reply.data()["token"].as_str().unwrap()).put(own, &back).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
}

fn command(watch: &mut Watch, words: &[&str], config: &Path, env: &[(&str, &str)]) {
    let mut command = Command::new(PROGRAM);
    command.args(words).arg("--config").arg(config).env_clear().envs(env.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    watch.heard(&words.join(" "), String::from_utf8(said).unwrap());
}

/// What is taken for the key of this sort until it is read.
fn armour(sort: &str, text: &str) -> String {
    let label = format!("{sort} PRIVATE KEY");
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// The text with the secret in it, bare or as a key.
fn armoured(text: &str, canary: &str) -> String {
    let text = text.replace("ENCRYPTED ARMOUR", &armour("ENCRYPTED", canary));
    text.replace("EC ARMOUR", &armour("EC", canary)).replace("TWEET", canary)
}

/// Secrets in configurations that are wrong, and in files that commands read.
fn commands(watch: &mut Watch, place: &Path, state: &Path) {
    let config = place.join("wrong.toml");
    for (place, text) in [
        ("an unknown key", "[account]\nadmin_pasword = 'TWEET'\n"),
        ("a key of no section", "TWEET = 1\n"),
        ("a wrong type", "[account]\nadmin_email = 'a'\nadmin_password = ['TWEET']\n"),
        ("no TOML", "[account]\nadmin_password = 'TWEET\n"),
        ("a PEM that is none", "[key]\nrsa_private_key_pem = 'TWEET'\n"),
        ("a PEM of another kind", "[key]\nrsa_private_key_pem = '''EC ARMOUR'''\n"),
        ("a locked PEM", "[mtls]\nenable = true\nkey_pem = '''ENCRYPTED ARMOUR'''\n"),
        ("a key of TLS that is none", "[mtls]\nenable = true\nkey_pem = 'TWEET'\n"),
        ("a key of TLS of another kind", "[server.tls]\nenable = true\nkey_pem = '''EC ARMOUR'''\n"),
        ("a database password", "[mongodb]\nhost = 'h'\npassword = 'TWEET'\n"),
    ] {
        let canary = watch.canary(place);
        if place == "a key of no section" {
            // The name of an unknown key must be told; it is the value that may be secret.
            watch.canaries.pop();
        }
        write(&config, &toml(state, &armoured(text, &canary)));
        for words in [&["serve"][..], &["config", "check"], &["config", "show"], &["users", "list"]] {
            command(watch, words, &config, &[]);
        }
    }
    let good = place.join("good.toml");
    write(&good, &toml(state, ""));
    let file = place.join("password");
    for (place, text) in
        [("a password file", "TWEET\n"), ("a short one", "TWEET"), ("two lines", "x\nTWEET\n")]
    {
        let canary = watch.canary(place);
        write(&file, &text.replace("TWEET", if place == "a short one" { &canary[..14] } else { &canary }));
        let name = file.to_str().unwrap();
        command(watch, &["users", "create", place, "--password-file", name], &good, &[]);
        command(watch, &["users", "reset-password", place, "--password-file", name], &good, &[]);
    }
    let tls_key = watch.canary("a key file of TLS");
    write(&file, &armour("EC", &tls_key));
    write(&config, &toml(state, &format!("[mtls]\nenable = true\nkey_path = '{}'\n", file.display())));
    for words in [&["serve"][..], &["config", "check"], &["config", "show", "--effective"]] {
        command(watch, words, &config, &[]);
    }
    let wrong_key = watch.canary("a key file");
    write(&state.join("keys/user-jwt.key"), &armour("RSA", &wrong_key));
    for words in [&["serve"][..], &["keys", "list"], &["keys", "rotate"]] {
        command(watch, words, &good, &[]);
    }
}
