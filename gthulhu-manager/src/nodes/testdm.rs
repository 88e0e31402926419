//! A dm for tests: a plain socket that speaks just enough HTTP, and can misbehave in every way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use gthulhu_http::json;
use gthulhu_http::keys::PrivateKey;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::digest::hex;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::IntentsBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{Endpoint, Pair};

/// One key pair for all tests: making one takes a while.
pub(super) fn key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate().expect("the system has random numbers"))
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Method and path.
    pub(super) what: String,
    pub(super) token: Option<String>,
    pub(super) body: String,
}

/// What to do about it.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Reply(u16, String),
    Raw(Vec<u8>),
    Hang,
}

/// An address at which nobody listens yet and nobody else ever will, as long as the socket is held: it is bound and does
/// not listen.
pub(super) fn absent() -> (TcpSocket, Arc<Endpoint>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, Arc::new(Endpoint { url, ..Endpoint::default() }))
}

/// A reply in the usual envelope.
pub(super) fn data(data: &str) -> Answer {
    Answer::Reply(200, format!(r#"{{"success":true,"data":{data},"timestamp":"2026-01-01T00:00:00Z"}}"#))
}

pub(super) fn error(status: u16, text: &str) -> Answer {
    Answer::Reply(status, format!(r#"{{"success":false,"error":"{text}"}}"#))
}

type Respond = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A listening socket and what it was asked. Dropping it closes all its connections.
pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How many requests came so far.
    pub(super) count: watch::Receiver<usize>,
    serving: JoinHandle<()>,
}

impl TestServer {
    pub(super) async fn start(respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), respond)
    }

    pub(super) fn start_on(
        listener: TcpListener,
        respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        let serving = tokio::spawn(serve(listener, Arc::new(respond), Arc::clone(&asked), counter));
        Self { address, asked, count, serving }
    }

    pub(super) fn endpoint(&self) -> Arc<Endpoint> {
        Arc::new(Endpoint { url: format!("http://{}", self.address), ..Endpoint::default() })
    }

    /// Everything asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    listener: TcpListener,
    respond: Arc<Respond>,
    asked: Arc<Mutex<Vec<Asked>>>,
    counter: watch::Sender<usize>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (respond, asked, counter) = (Arc::clone(&respond), Arc::clone(&asked), counter.clone());
        connections.spawn(async move {
            let mut stream = stream;
            let Some(question) = read(&mut stream).await else { return };
            let answer = respond(&question);
            asked.lock().unwrap().push(question);
            counter.send_modify(|count| *count += 1);
            let bytes = match answer {
                Answer::Raw(bytes) => bytes,
                Answer::Reply(status, body) => {
                    let length = body.len();
                    format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    )
                    .into()
                }
                Answer::Hang => std::future::pending().await,
            };
            // The other side may have gone already, which is its business.
            drop(stream.write_all(&bytes).await);
        });
    }
}

/// One whole request; none if the connection ends before.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let length = field("content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            let what = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
            let token = field("authorization").map(|value| value.trim_start_matches("Bearer ").to_owned());
            return Some(Asked { what, token, body: body.to_owned() });
        }
    }
}

/// What a well-behaved dm holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) pair: Option<Pair>,
    pub(super) set: IntentSet,
    pub(super) hangs: bool,
}

/// A dm that keeps to the rules, and its memory, which outlives its socket.
#[derive(Debug, Clone, Default)]
pub(super) struct TestDm(Arc<Mutex<Held>>);

impl TestDm {
    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap()
    }

    pub(super) async fn start(&self) -> TestServer {
        self.start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(super) fn start_on(&self, listener: TcpListener) -> TestServer {
        let dm = self.clone();
        TestServer::start_on(listener, move |asked| dm.respond(asked))
    }

    fn respond(&self, asked: &Asked) -> Answer {
        let mut held = self.held();
        if held.hangs {
            return Answer::Hang;
        }
        match asked.what.as_str() {
            "GET /api/v1/intents/merkle" => {
                let root = hex(&held.set.merkle_root());
                let digest = hex(&held.set.digest());
                let pair = held.pair.map(|Pair { epoch, generation }| {
                    format!(r#","epoch":{epoch},"generation":{generation},"edited":false"#)
                });
                let pair = pair.unwrap_or_default();
                data(&format!(r#"{{"rootHash":"{root}","digest":"{digest}"{pair}}}"#))
            }
            "POST /api/v1/intents" => {
                let body: IntentsBody = json::parse(asked.body.as_bytes()).unwrap();
                let pair = Pair { epoch: body.epoch.unwrap(), generation: body.generation.unwrap() };
                let set = IntentSet::check(body.intents, &Limits::default()).unwrap();
                if let Some(own) = held.pair.filter(|own| *own > pair || (*own == pair && held.set != set)) {
                    let (epoch, generation) = (own.epoch, own.generation);
                    let body = format!(r#""heldEpoch":{epoch},"heldGeneration":{generation}"#);
                    return Answer::Reply(409, format!(r#"{{"success":false,"error":"older",{body}}}"#));
                }
                held.pair = Some(pair);
                held.set = set;
                Answer::Reply(200, r#"{"success":true}"#.to_owned())
            }
            "GET /api/v1/pods/pids" => data(r#"{"pods":[],"timestamp":"T","node_name":"test"}"#),
            _ => error(404, "no such route"),
        }
    }
}
