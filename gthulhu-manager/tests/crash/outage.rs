//! A server that stops answering while its connections stay: changes are refused, what was published can be read, nodes
//! are left alone, and everything goes on by itself when the server does.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::disputed::server;
use crate::manager::{Manager, Place};
use crate::wire::{Answer, Wire};
use crate::writers::{Writer, create};

const DATABASE: &str = "outage";
const WRITERS: usize = 8;
/// Acknowledged operations before the server stops.
const OPERATIONS: usize = 40;
/// What never comes fails the test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A decision maker that hangs up on everybody, and tells who called.
struct Node {
    address: SocketAddr,
    called: Receiver<SocketAddr>,
}

impl Node {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, (tell, called)) = (listener.local_addr().unwrap(), mpsc::channel());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let caller = stream.peer_addr().unwrap();
                // The call has come when it has a first line.
                let _ = BufReader::new(stream).read_line(&mut String::new());
                if tell.send(caller).is_err() {
                    return;
                }
            }
        });
        Self { address, called }
    }

    /// Waits for the next call.
    fn is_called(&self) {
        self.called.recv_timeout(PATIENCE).expect("the manager calls");
    }

    /// Forgets the calls so far: they come in their order, and this one is the last.
    fn forget(&self) {
        let last = TcpStream::connect(self.address).unwrap();
        let own = last.local_addr().unwrap();
        drop(last);
        while self.called.recv_timeout(PATIENCE).unwrap() != own {}
    }
}

fn get(wire: &mut Wire, path: &str) -> Answer {
    wire.call("GET", path, "look", &Value::Null).unwrap()
}

/// Asks until the answer is as wanted.
fn until(manager: &Manager, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let begun = std::time::Instant::now();
    let mut wire = Wire::connect(manager.address(), "").unwrap();
    loop {
        let answer = get(&mut wire, path);
        if wanted(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{path}: {}", answer.text());
        thread::yield_now();
    }
}

#[test]
fn a_server_that_stops_in_a_write_holds_up_changes_and_pushes_and_nothing_else() {
    let (server, _dir) = match server() {
        Ok(found) => found,
        Err(reason) => return println!("SKIPPED a_server_that_stops_in_a_write_holds_up_changes: {reason}"),
    };
    println!("a_server_that_stops_in_a_write_holds_up_changes: on {}", server.version());
    let (node, place) = (Node::start(), Place::with_mongodb(&server.section(DATABASE)).with_pods());
    place.configure(&format!("[[nodes]]\nname = 'n'\nurl = 'http://{}'\n", node.address));
    let manager = place.start();
    let token = manager.login();
    let mut wire = Wire::connect(manager.address(), &token).unwrap();
    let shared = create(&mut wire, "shared").unwrap().unwrap();
    node.is_called();

    let (acknowledged, heard) = mpsc::channel();
    let (mut writers, end): (Vec<Writer>, _) =
        ((0..WRITERS).map(Writer::new).collect(), &AtomicBool::new(false));
    let done: Vec<_> = thread::scope(|scope| {
        let work = |writer| {
            let (acknowledged, address, token, shared) =
                (acknowledged.clone(), manager.address(), &token, &shared);
            scope.spawn(move || Writer::work(writer, address, token, shared, &acknowledged, end))
        };
        let running: Vec<_> = writers.iter_mut().map(work).collect();
        drop(acknowledged);
        (0..OPERATIONS).for_each(|_| heard.recv().unwrap());
        end.store(true, Ordering::Relaxed);
        server.pause();
        // Each goes on until it is refused.
        running.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert!(done.iter().all(|operations| operations.last().is_some_and(|last| !last.acknowledged)));

    let refused =
        wire.call("POST", "/api/v1/strategies?allowEmpty=true", "x", &crate::writers::strategy(None, "x"));
    let refused = refused.unwrap();
    let seconds = refused.retry_after.as_deref().map(str::parse::<u32>);
    assert!(refused.status == 503 && matches!(seconds, Some(Ok(1..))), "{} {seconds:?}", refused.status);
    assert_eq!(get(&mut wire, "/readyz").status, 503);
    let listed = get(&mut wire, "/api/v1/strategies/self").data();
    assert!(
        listed["strategies"].as_array().is_some_and(|list| !list.is_empty()),
        "what is published can be read"
    );
    // No node is known any more to whoever speaks to nodes.
    let alone = |answer: &Answer| {
        ["yes", "no", "unknown"].iter().all(|answers| {
            answer.text().contains(&format!("gthulhu_manager_nodes{{answers=\"{answers}\"}} 0\n"))
        })
    };
    until(&manager, "/metrics", alone);
    node.forget();
    // A while in which it would have called: it tries a node that hangs up at least every second.
    assert_eq!(create(&mut wire, "y").unwrap(), Err(503));
    assert_eq!(get(&mut wire, "/readyz").status, 503);
    assert!(node.called.try_recv().is_err(), "nobody is called by one who cannot renew");

    server.go_on();
    until(&manager, "/readyz", |answer| answer.status == 200);
    node.is_called();
    // The connection from before may have been idle for too long.
    let mut wire = Wire::connect(manager.address(), &token).unwrap();
    create(&mut wire, "again").unwrap().unwrap();
    let listed = get(&mut wire, "/api/v1/strategies/self").data().to_string();
    for operation in done.iter().flatten().filter(|operation| operation.acknowledged && !operation.shared) {
        let id = operation.id.as_deref().unwrap();
        let deleted = done.iter().flatten().any(|other| {
            other.id.as_deref() == Some(id) && matches!(other.verb, crate::record::Verb::Delete)
        });
        assert!(deleted || listed.contains(id), "{operation:?} is gone");
    }
}
