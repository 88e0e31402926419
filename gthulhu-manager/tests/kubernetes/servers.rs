//! etcd and kube-apiserver on this machine's loopback address, to be killed, paused and started again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gthulhu_http::random;
use gthulhu_local::error::LocalError;
use gthulhu_local::ports::Port;
use gthulhu_local::state::StateDir;
use gthulhu_local::wait;
use rustix::process::{Pid, Signal, kill_process};

use super::api::Api;

/// Where `tools/kubernetes.sh` puts the programs unless it is told otherwise, below the user's cache.
const CACHED: &str = "gthulhu-tools/kubernetes-1.20.2";

/// Service accounts that programs are here, by namespace and name: to the API server they are what the tokens of their pods
/// would say.
const ACCOUNTS: [(&str, &str); 3] =
    [MANAGER, ("gthulhu-api-local", "manager"), ("gthulhu-api-local", "gthulhu-secrets")];
/// The manager's of `deployment/rbac`.
const MANAGER: (&str, &str) = ("gthulhu-system", "gthulhu-manager");

/// Both servers. Dropping them ends them.
pub(crate) struct Servers {
    api: Program,
    etcd: Program,
    /// The API's, and two of etcd's.
    ports: [Port; 3],
    admin: String,
    state: StateDir,
}

/// One of them: how it is started, and its process while there is one.
struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    process: Option<Child>,
}

impl Servers {
    /// Starts both and waits until the API is ready. `Unsupported` says why there are none.
    pub(crate) async fn start() -> Result<Self, LocalError> {
        let programs = programs()?;
        let state = StateDir::temporary()?;
        let dir = state.path().to_path_buf();
        let ports = [Port::take()?, Port::take()?, Port::take()?];
        let [port, client, peer] = ports.each_ref().map(Port::number);
        let etcd = arguments(&[
            ("name", "t"),
            ("data-dir", &dir.join("etcd").display().to_string()),
            ("listen-client-urls", &format!("http://127.0.0.1:{client}")),
            ("advertise-client-urls", &format!("http://127.0.0.1:{client}")),
            ("listen-peer-urls", &format!("http://127.0.0.1:{peer}")),
            ("initial-advertise-peer-urls", &format!("http://127.0.0.1:{peer}")),
            ("initial-cluster", &format!("t=http://127.0.0.1:{peer}")),
        ]);
        let [admin, secret] = [(); 2].map(|()| hex(&random::bytes::<16>()));
        let token = |(number, (namespace, name)): (usize, &(&str, &str))| {
            let groups =
                format!("system:serviceaccounts,system:serviceaccounts:{namespace},system:authenticated");
            let user = format!("system:serviceaccount:{namespace}:{name}");
            format!("{secret}{number},{user},2{number},\"{groups}\"\n")
        };
        let tokens: String = ACCOUNTS.iter().enumerate().map(token).collect();
        let tokens = format!("{admin},admin,1,\"system:masters\"\n{tokens}");
        let tokens = state.write("tokens.csv", &tokens)?;
        let key = state.path().join("service-accounts.key");
        rsa_key(&key)?;
        let (key, tokens) = (key.display().to_string(), tokens.display().to_string());
        let api = arguments(&[
            ("etcd-servers", &format!("http://127.0.0.1:{client}")),
            ("bind-address", "127.0.0.1"),
            ("advertise-address", "127.0.0.1"),
            ("secure-port", &port.to_string()),
            ("cert-dir", &dir.join("certificates").display().to_string()),
            ("token-auth-file", &tokens),
            ("authorization-mode", "RBAC"),
            ("anonymous-auth", "false"),
            ("service-account-issuer", "https://kubernetes.default.svc"),
            ("service-account-signing-key-file", &key),
            ("service-account-key-file", &key),
            ("service-cluster-ip-range", "10.0.0.0/24"),
            // Nobody runs here who would make the accounts' tokens.
            ("disable-admission-plugins", "ServiceAccount"),
            ("endpoint-reconciler-type", "none"),
        ]);
        let program = |name: &'static str, arguments| {
            let log = dir.join(format!("{name}.log"));
            Program { name, path: programs.join(name), arguments, log, process: None }
        };
        let (etcd, api) = (program("etcd", etcd), program("kube-apiserver", api));
        let mut servers = Self { api, etcd, ports, admin, state };
        servers.etcd.begin(&servers.state)?;
        servers.api.begin(&servers.state)?;
        servers.state.write("admin.kubeconfig", &servers.kubeconfig_of(&servers.admin))?;
        for (number, (namespace, name)) in ACCOUNTS.iter().enumerate() {
            let file = servers.kubeconfig_of(&format!("{secret}{number}"));
            servers.state.write(&format!("{namespace}.{name}.kubeconfig"), &file)?;
        }
        servers.until_ready().await?;
        Ok(servers)
    }

    /// The file by which the manager of `deployment/rbac` finds the API and is known there.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_for(MANAGER)
    }

    /// The same for a service account, by namespace and name.
    pub(crate) fn kubeconfig_for(&self, (namespace, name): (&str, &str)) -> PathBuf {
        self.state.path().join(format!("{namespace}.{name}.kubeconfig"))
    }

    /// The API for somebody who may do everything.
    pub(crate) async fn admin(&self) -> Result<Api, LocalError> {
        Api::connect(&self.state.path().join("admin.kubeconfig")).await
    }

    /// The API server dies at once.
    pub(crate) fn kill_api(&mut self) {
        self.api.kill();
    }

    /// The API server is back.
    pub(crate) async fn start_api(&mut self) -> Result<(), LocalError> {
        self.api.begin(&self.state)?;
        self.until_ready().await
    }

    /// etcd stops, and does not even refuse connections.
    pub(crate) fn pause_etcd(&self) {
        self.etcd.signal(Signal::STOP);
    }

    /// etcd goes on where it stopped.
    pub(crate) async fn resume_etcd(&mut self) -> Result<(), LocalError> {
        self.etcd.signal(Signal::CONT);
        self.until_ready().await
    }

    async fn until_ready(&mut self) -> Result<(), LocalError> {
        wait::until(async || {
            self.etcd.check()?;
            self.api.check()?;
            // Its certificate is made by its first start.
            let Ok(api) = self.admin().await else { return Ok(Err("no certificate".to_owned())) };
            match api.try_get("/readyz").await {
                Ok((200, _)) => Ok(Ok(())),
                Ok((status, body)) => Ok(Err(format!("kube-apiserver: {status}: {body}"))),
                Err(error) => Ok(Err(format!("kube-apiserver: {error}"))),
            }
        })
        .await
    }

    fn kubeconfig_of(&self, token: &str) -> String {
        let authority = self.state.path().join("certificates/apiserver.crt");
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{}', certificate-authority: '{}'}}}}]\n\
             users: [{{name: u, user: {{token: '{token}'}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
            self.ports[0].number(),
            authority.display(),
        )
    }
}

impl Program {
    fn begin(&mut self, state: &StateDir) -> Result<(), LocalError> {
        let failed = |error| LocalError::process(self.name, error);
        let log = File::options().create(true).append(true).open(&self.log).map_err(failed)?;
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?);
        let process = command.stderr(log).spawn().map_err(failed)?;
        state.record(process.id())?;
        self.process = Some(process);
        Ok(())
    }

    fn check(&mut self) -> Result<(), LocalError> {
        let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
        let Some(status) = ended else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let end = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
        Err(LocalError::process(self.name, format!("ended with {status}, last lines first:\n{end}")))
    }

    fn signal(&self, signal: Signal) {
        let pid = self
            .process
            .as_ref()
            .and_then(|process| i32::try_from(process.id()).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Not waited for yet, so the pid is nobody else's.
            let _ = kill_process(pid, signal);
        }
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut process) = self.process.take() {
            drop(process.wait());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder with both programs, if they were made.
fn programs() -> Result<PathBuf, LocalError> {
    let set = std::env::var_os("GTHULHU_KUBERNETES").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = set.or_else(|| Some(cache?.join(CACHED))).unwrap_or_default();
    if folder.join("complete").exists() {
        return Ok(folder);
    }
    let why = format!("no kube-apiserver in {}: tools/kubernetes.sh makes one", folder.display());
    Err(LocalError::Unsupported(why))
}

fn arguments(options: &[(&str, &str)]) -> Vec<String> {
    options.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

fn rsa_key(path: &Path) -> Result<(), LocalError> {
    let made = Command::new("openssl").args(["genrsa", "-out"]).arg(path).arg("2048").output();
    let made = made.map_err(|error| LocalError::Unsupported(format!("openssl: {error}")))?;
    assert!(made.status.success() && fs::metadata(path).is_ok(), "{made:?}");
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
