//! Running out of descriptors. In a process of its own, because the limit is the process's.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use gthulhu_http::health::{Check, Health, health_routes};
use gthulhu_http::testkit::TestServer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;

struct App;

impl Health for App {
    const SERVICE: &'static str = "Test Service";
    const VERSION: &'static str = "1.2.3";

    fn endpoints(&self) -> String {
        String::new()
    }

    fn checks(&self) -> Vec<Check> {
        Vec::new()
    }
}

/// The log, and a word to whoever waits for its next line.
#[derive(Clone, Default)]
struct Log(Arc<(Mutex<String>, Notify)>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().expect("no holder panics").push_str(&String::from_utf8_lossy(bytes));
        self.0.1.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_server_without_descriptors_says_so_and_recovers() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = TestServer::start(Arc::new(App), health_routes().into());
    assert_eq!(server.client().get("/livez").await.status, 200);
    let before = getrlimit(Resource::Nofile);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    setrlimit(Resource::Nofile, Rlimit { current: Some(open + 16), ..before }).unwrap();

    // Blocking, so that the server accepts none of them before the last descriptor is gone.
    let mut hoard = Vec::new();
    while let Ok(stream) = TcpStream::connect(server.address()) {
        hoard.push(stream);
    }
    assert!(hoard.len() >= 8, "{}", hoard.len());
    let starved = || log.0.0.lock().unwrap().matches("cannot accept connections").count();
    while starved() == 0 {
        log.0.1.notified().await;
    }

    drop(hoard);
    assert_eq!(server.client().get("/livez").await.status, 200);
    setrlimit(Resource::Nofile, before).unwrap();
    server.stop().await;
}
