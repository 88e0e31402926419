//! An API server of a few lines that does what its script says: one list or watch of pods after another, each answered by
//! the next step, and after the last step as a well-behaved server would. It holds no nodes and no namespaces.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gthulhu_manager::cluster::kubernetes::{KubernetesCluster, Options, Source};
use gthulhu_manager::cluster::{Cluster, ClusterView};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// How one request for pods is answered.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// As it should be.
    Well,
    /// By a status, further header lines, and a body.
    Status(u16, &'static str, &'static str),
    /// By a body that is longer than what comes of it.
    Cut,
    /// By one page of a list, and where the next one is.
    Page(Vec<Value>, &'static str),
    /// Not at all.
    Silence,
}

/// The server. Dropping it ends it.
pub(crate) struct Server {
    pub(crate) address: String,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
    dir: TempDir,
}

#[derive(Default)]
struct Script {
    pods: Vec<Value>,
    version: u64,
    lists: VecDeque<Step>,
    watches: VecDeque<Step>,
    /// Every request for pods, without what all have in common.
    asked: Vec<String>,
    /// Into the newest watch.
    watching: Option<UnboundedSender<Said>>,
}

enum Said {
    Bytes(Vec<u8>),
    End,
}

impl Server {
    /// Listens; it holds these pods.
    pub(crate) async fn start(pods: &[Value]) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), pods)
    }

    /// The same on a chosen socket.
    pub(crate) fn start_on(listener: TcpListener, pods: &[Value]) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let script = Arc::new(Mutex::new(Script { pods: pods.to_vec(), version: 10, ..Script::default() }));
        let shared = Arc::clone(&script);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, script, task, dir: TempDir::new().unwrap() }
    }

    /// The next lists of pods are answered like this.
    pub(crate) fn lists(&self, steps: &[Step]) {
        self.script.lock().unwrap().lists.extend(steps.iter().cloned());
    }

    /// The next watches of pods are answered like this.
    pub(crate) fn watches(&self, steps: &[Step]) {
        self.script.lock().unwrap().watches.extend(steps.iter().cloned());
    }

    /// From now on it holds these pods, and says nothing of it.
    pub(crate) fn holds(&self, pods: &[Value]) {
        let mut script = self.script.lock().unwrap();
        script.pods = pods.to_vec();
        script.version += 10;
    }

    /// Says this to whoever watches.
    pub(crate) fn say(&self, bytes: impl AsRef<[u8]>) {
        let script = self.script.lock().unwrap();
        script.watching.as_ref().unwrap().send(Said::Bytes(bytes.as_ref().to_vec())).unwrap();
    }

    /// Tells whoever watches of an event.
    pub(crate) fn event(&self, kind: &str, object: &Value) {
        self.say(format!("{}\n", json!({"type": kind, "object": object})));
    }

    /// Ends the watch that is open.
    pub(crate) fn end_watch(&self) {
        let script = self.script.lock().unwrap();
        script.watching.as_ref().unwrap().send(Said::End).unwrap();
    }

    /// What was asked of pods so far, in order: `list`, `list CONTINUE` or `watch VERSION`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }

    /// Waits until pods were asked for in `count` requests.
    pub(crate) async fn until_asked(&self, count: usize) -> Vec<String> {
        let asked = async {
            loop {
                let asked = self.asked();
                if asked.len() >= count {
                    return asked;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), asked).await;
        waited.unwrap_or_else(|_| panic!("only {:?}", self.asked()))
    }

    /// A cluster that follows this server.
    pub(crate) fn follow(&self) -> KubernetesCluster {
        self.follow_with(options())
    }

    /// The same with other options.
    pub(crate) fn follow_with(&self, options: Options) -> KubernetesCluster {
        KubernetesCluster::watch(&self.source(), None, options)
    }

    /// Where it is, as a kubeconfig file.
    pub(crate) fn source(&self) -> Source {
        source(&self.dir, &self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A kubeconfig for an API at this address.
pub(crate) fn source(dir: &TempDir, address: &str) -> Source {
    let path = dir.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\n\
         users: [{{name: u, user: {{token: 't'}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    Source::Kubeconfig(path)
}

/// In little, so that nobody waits for long; a watch is not awaited in vain.
pub(crate) fn options() -> Options {
    Options {
        backoff_min: Duration::from_millis(2),
        backoff_max: Duration::from_millis(20),
        page: 2,
        ..Options::default()
    }
}

/// Waits until this holds of the view.
pub(crate) async fn until(
    cluster: &KubernetesCluster,
    holds: impl Fn(&ClusterView) -> bool,
) -> Arc<ClusterView> {
    let mut changed = cluster.changed();
    let found = async {
        loop {
            changed.mark_unchanged();
            let view = cluster.view();
            if holds(&view) {
                return view;
            }
            changed.changed().await.unwrap();
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), found).await;
    waited.unwrap_or_else(|_| panic!("the view stays {:?}", cluster.view()))
}

/// The uids of all pods, sorted.
pub(crate) fn uids(view: &ClusterView) -> Vec<&str> {
    let mut uids: Vec<_> = view.pods.iter().map(|pod| pod.uid.as_str()).collect();
    uids.sort_unstable();
    uids
}

/// One request after another on a connection.
async fn serve(stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut target = None;
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(1..) if line == "\r\n" => break,
                Ok(1..) => target = target.or_else(|| line.split(' ').nth(1).map(str::to_owned)),
                _ => return,
            }
        }
        let Some(target) = target else { return };
        if !answer(stream.get_mut(), &target, &script).await {
            return;
        }
    }
}

fn parameter<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let query = target.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Answers; whether the connection goes on.
async fn answer(stream: &mut TcpStream, target: &str, script: &Mutex<Script>) -> bool {
    let watch = parameter(target, "watch").is_some();
    let pods = target.starts_with("/api/v1/pods");
    let (said, hears) = unbounded_channel();
    let silent = said.clone();
    let (step, page) = {
        let mut script = script.lock().unwrap();
        let mut step = Step::Well;
        if pods {
            let place =
                parameter(target, if watch { "resourceVersion" } else { "continue" }).unwrap_or_default();
            let asked = format!("{} {place}", if watch { "watch" } else { "list" });
            script.asked.push(asked.trim_end().to_owned());
            let steps = if watch { &mut script.watches } else { &mut script.lists };
            step = steps.pop_front().unwrap_or(Step::Well);
            if watch && matches!(step, Step::Well) {
                // Whoever sees what was asked may speak to who asked.
                script.watching = Some(said);
            }
        }
        let held = if pods { script.pods.clone() } else { Vec::new() };
        (step, list(&held, &script.version.to_string(), ""))
    };
    match step {
        Step::Well if watch => {
            // A watch of other kinds hears nothing, and does not end for that.
            let _said = (!pods).then_some(silent);
            return stream_events(stream, hears).await;
        }
        Step::Well => send(stream, 200, "", &page).await,
        Step::Page(pods, more) => send(stream, 200, "", &list(&pods, "1", more)).await,
        Step::Status(status, headers, body) => send(stream, status, headers, body).await,
        Step::Cut => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", page.len() + 1);
            let _ = stream.write_all((head + &page).as_bytes()).await;
            return false;
        }
        Step::Silence => std::future::pending::<()>().await,
    }
    true
}

fn list(pods: &[Value], version: &str, more: &str) -> String {
    json!({"kind": "List", "metadata": {"resourceVersion": version, "continue": more}, "items": pods})
        .to_string()
}

async fn send(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let head = format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + body).as_bytes()).await;
}

/// An open watch: what the test says goes out as it is.
async fn stream_events(stream: &mut TcpStream, mut hears: UnboundedReceiver<Said>) -> bool {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
    while let Some(Said::Bytes(bytes)) = hears.recv().await {
        let head = format!("{:x}\r\n", bytes.len());
        let chunk = [head.as_bytes(), &bytes, b"\r\n"].concat();
        if stream.write_all(&chunk).await.is_err() {
            return false;
        }
    }
    stream.write_all(b"0\r\n\r\n").await.is_ok()
}
