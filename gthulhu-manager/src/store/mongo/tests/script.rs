//! A server that follows a script: documents in memory, transactions, and whatever fault is asked for at whichever
//! command. It writes down every command. It knows only what the store says to it; that this is what a server does is
//! shown by running the same suite on both.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use mongodb::bson::{Bson, Document as Fields, doc};

use super::super::*;

/// The code of a message that is one document.
const OP_MSG: i32 = 2013;

type Rows = BTreeMap<String, Vec<Fields>>;

/// What goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It is refused with this code and these labels; nothing is done.
    Refuse(i32, &'static [&'static str]),
    /// It says that it met no document; nothing is done.
    Miss,
    /// It is done, but no majority has it in time.
    NoMajority,
    /// The connection ends before anything is done.
    CutBefore,
    /// It is done, and the connection ends in the middle of the reply.
    CutInReply,
}

/// What the server has, and what it is to do.
pub(super) struct Scene {
    pub(super) rows: Rows,
    transaction: Option<Rows>,
    /// Every command, in its order.
    pub(super) log: Vec<Fields>,
    /// The next command of this name, and about this collection if one is named, goes wrong so; each one once.
    pub(super) faults: Vec<(&'static str, &'static str, Fault)>,
    /// No connection lasts while it is away.
    pub(super) away: bool,
    /// The session of a transaction that holds the ledger, and how many writes it outlasts before the server ends it.
    pub(super) orphan: Option<(Bson, usize)>,
    /// It calls itself a member of a replica set.
    pub(super) says_set: bool,
    /// It has transactions.
    pub(super) has_transactions: bool,
}

pub(super) struct Scripted {
    port: u16,
    scene: Arc<Mutex<Scene>>,
    pub(super) dir: tempfile::TempDir,
}

impl Scripted {
    /// A replica set of one.
    pub(super) fn set() -> Self {
        Self::start(true, true)
    }

    pub(super) fn start(says_set: bool, has_transactions: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let scene = Arc::new(Mutex::new(Scene {
            rows: Rows::new(),
            transaction: None,
            log: Vec::new(),
            faults: Vec::new(),
            away: false,
            orphan: None,
            says_set,
            has_transactions,
        }));
        let shared = Arc::clone(&scene);
        // It lasts as long as the process: nobody connects to it any more once its test is over.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let scene = Arc::clone(&shared);
                thread::spawn(move || {
                    let _ = serve(stream, &scene, port);
                });
            }
        });
        Self { port, scene, dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap()
    }

    pub(super) fn fail(&self, command: &'static str, collection: &'static str, fault: Fault) {
        self.scene().faults.push((command, collection, fault));
    }

    pub(super) fn open(&self) -> MongoStore {
        self.open_with(Times::USUAL)
    }

    pub(super) fn open_with(&self, times: Times) -> MongoStore {
        let config = Mongodb {
            host: "127.0.0.1".into(),
            port: self.port.to_string(),
            options: "directConnection=true".into(),
            ..Mongodb::default()
        };
        let store = MongoStore::open_with(&config, self.dir.path(), times, false).unwrap();
        // What the script lets happen happens, however slow the machine is.
        store.give(Duration::from_secs(60));
        store
    }
}

fn serve(mut stream: TcpStream, scene: &Mutex<Scene>, port: u16) -> io::Result<()> {
    loop {
        let mut head = [0; 16];
        stream.read_exact(&mut head)?;
        let word = |at: usize| i32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let mut body = vec![0; usize::try_from(word(0)).unwrap() - 16];
        stream.read_exact(&mut body)?;
        assert_eq!(word(12), OP_MSG, "the driver speaks the protocol of today");
        let command = Fields::from_reader(&body[5..]).map_err(io::Error::other)?;
        let (reply, cut) = scene.lock().unwrap().answer(&command, port);
        let Some(reply) = reply else { return Ok(()) };
        let reply = reply.to_vec().map_err(io::Error::other)?;
        let mut message = Vec::new();
        for number in [i32::try_from(reply.len() + 21).unwrap(), 1, word(4), OP_MSG, 0] {
            message.extend(number.to_le_bytes());
        }
        message.push(0);
        message.extend(reply);
        if cut {
            return stream.write_all(&message[..message.len() / 2]);
        }
        stream.write_all(&message)?;
    }
}

impl Scene {
    /// The reply, and whether it is cut; none when the connection ends.
    fn answer(&mut self, command: &Fields, port: u16) -> (Option<Fields>, bool) {
        let (name, about) = command.iter().next().expect("a command has a name");
        if self.away {
            return (None, false);
        }
        if matches!(name.as_str(), "hello" | "isMaster" | "ismaster") {
            return (Some(self.hello(port)), false);
        }
        self.log.push(command.clone());
        let about = about.as_str().unwrap_or_default();
        let wanted = |(of, on, _): &(&str, &str, Fault)| *of == name && (on.is_empty() || *on == about);
        let fault = self.faults.iter().position(wanted).map(|at| self.faults.remove(at).2);
        match fault {
            Some(Fault::Refuse(code, labels)) => {
                self.transaction = None;
                let labels: Vec<Bson> = labels.iter().map(|label| (*label).into()).collect();
                let refusal = doc! { "ok": 0, "code": code, "codeName": "Scripted", "errmsg": "no", "errorLabels": labels };
                (Some(refusal), false)
            }
            Some(Fault::CutBefore) => {
                self.transaction = None;
                (None, false)
            }
            Some(Fault::Miss) => (Some(doc! { "ok": 1, "n": 0, "nModified": 0 }), false),
            Some(Fault::NoMajority) => {
                let mut reply = self.done(command, name);
                reply.insert(
                    "writeConcernError",
                    doc! { "code": 64, "errmsg": "waiting for replication timed out" },
                );
                (Some(reply), false)
            }
            Some(Fault::CutInReply) => (Some(self.done(command, name)), true),
            None => (Some(self.done(command, name)), false),
        }
    }

    fn hello(&self, port: u16) -> Fields {
        let mut hello = doc! {
            "helloOk": true, "isWritablePrimary": true, "ismaster": true, "minWireVersion": 0, "maxWireVersion": 21,
            "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
            "logicalSessionTimeoutMinutes": 30, "ok": 1,
        };
        if self.says_set {
            let me = format!("127.0.0.1:{port}");
            hello.extend(doc! { "setName": "rs", "me": me.clone(), "primary": me.clone(), "hosts": [me] });
        }
        hello
    }

    /// Whether it is a write to the ledger that a transaction of somebody else is in the way of.
    fn is_held(&mut self, command: &Fields) -> bool {
        let about =
            command.get_array("updates").unwrap()[0].as_document().unwrap().get_document("q").unwrap();
        let Some((_, left)) =
            self.orphan.as_mut().filter(|_| about.get_str("_id").is_ok_and(|id| id == "commits"))
        else {
            return false;
        };
        if *left == 0 {
            self.orphan = None;
            return false;
        }
        *left -= 1;
        true
    }

    fn done(&mut self, command: &Fields, name: &str) -> Fields {
        if command.contains_key("txnNumber") && !self.has_transactions {
            return doc! { "ok": 0, "code": 20, "codeName": "IllegalOperation", "errmsg": "no transactions" };
        }
        match name {
            "commitTransaction" => match self.transaction.take() {
                Some(rows) => self.rows = rows,
                None => {
                    return doc! { "ok": 0, "code": 251, "codeName": "NoSuchTransaction", "errmsg": "none" };
                }
            },
            "abortTransaction" => self.transaction = None,
            "killSessions" => {
                let named = command.get_array("killSessions").unwrap();
                self.orphan.take_if(|(session, _)| named.contains(session));
            }
            "update" if self.is_held(command) => {
                return doc! { "ok": 1, "n": 0, "writeErrors": [{ "index": 0, "code": 112, "errmsg": "conflict" }] };
            }
            "find" | "update" | "delete" => {
                let within = command.contains_key("autocommit");
                if within && command.contains_key("startTransaction") {
                    self.transaction = Some(self.rows.clone());
                }
                let rows = if within { self.transaction.get_or_insert_default() } else { &mut self.rows };
                return match name {
                    "find" => found(rows, command),
                    "update" => updated(rows, command),
                    _ => deleted(rows, command),
                };
            }
            _ => {}
        }
        doc! { "ok": 1 }
    }
}

fn found(rows: &Rows, command: &Fields) -> Fields {
    let collection = command.get_str("find").unwrap();
    let (filter, limit) = (command.get_document("filter").cloned().unwrap_or_default(), command.get("limit"));
    let mut batch: Vec<Fields> =
        rows.get(collection).into_iter().flatten().filter(|row| fits(row, &filter)).cloned().collect();
    if let Ok(order) = command.get_document("sort").and_then(|sort| sort.get_i32("_id")) {
        batch.sort_by_key(|row| order * i32::try_from(row.get_i64("_id").unwrap()).unwrap());
    }
    let limit = limit.and_then(|limit| limit.as_i64().or_else(|| limit.as_i32().map(Into::into)));
    if let Some(limit) = limit.filter(|limit| *limit != 0) {
        batch.truncate(usize::try_from(limit.abs()).unwrap());
    }
    let namespace = format!("db.{collection}");
    doc! { "ok": 1, "cursor": { "id": 0_i64, "ns": namespace, "firstBatch": batch } }
}

fn updated(rows: &mut Rows, command: &Fields) -> Fields {
    let rows = rows.entry(command.get_str("update").unwrap().to_owned()).or_default();
    let mut raised = 0;
    for statement in command.get_array("updates").unwrap().iter().map(|bson| bson.as_document().unwrap()) {
        let (filter, update) = (statement.get_document("q").unwrap(), statement.get_document("u").unwrap());
        let part = |name: &str| update.get_document(name).cloned().unwrap_or_default();
        if let Some(row) = rows.iter_mut().find(|row| fits(row, filter)) {
            row.extend(part("$set"));
            part("$unset").keys().for_each(|name| drop(row.remove(name)));
        } else if statement.get_bool("upsert").unwrap_or(false) {
            let mut row: Fields = filter
                .iter()
                .filter(|(_, value)| value.as_document().is_none())
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            row.extend(part("$set"));
            row.extend(part("$setOnInsert"));
            if row.contains_key("_id") && rows.iter().any(|other| other.get("_id") == row.get("_id")) {
                return doc! { "ok": 1, "n": raised, "writeErrors": [{ "index": 0, "code": 11000, "errmsg": "E11000" }] };
            }
            rows.push(row);
        } else {
            continue;
        }
        raised += 1;
    }
    doc! { "ok": 1, "n": raised, "nModified": raised }
}

fn deleted(rows: &mut Rows, command: &Fields) -> Fields {
    let rows = rows.entry(command.get_str("delete").unwrap().to_owned()).or_default();
    let before = rows.len();
    for statement in command.get_array("deletes").unwrap().iter().map(|bson| bson.as_document().unwrap()) {
        let filter = statement.get_document("q").unwrap();
        if let Some(at) = rows.iter().position(|row| fits(row, filter)) {
            rows.remove(at);
        }
    }
    doc! { "ok": 1, "n": i32::try_from(before - rows.len()).unwrap() }
}

/// The operators that the store uses.
fn fits(row: &Fields, filter: &Fields) -> bool {
    let number = |value: &Bson| value.as_i64().or_else(|| value.as_i32().map(Into::into));
    filter.iter().all(|(name, wanted)| {
        let value = row.get(name);
        let Some(conditions) = wanted.as_document() else { return value == Some(wanted) };
        conditions.iter().all(|(operator, operand)| match operator.as_str() {
            "$in" => operand.as_array().unwrap().iter().any(|one| value.unwrap_or(&Bson::Null) == one),
            "$exists" => value.is_some() == operand.as_bool().unwrap(),
            "$ne" => value != Some(operand),
            "$lt" => value.is_some_and(|value| number(value) < number(operand)),
            "$gt" => value.is_some_and(|value| number(value) > number(operand)),
            other => panic!("{other} is not known here"),
        })
    })
}
