//! The ledger: the one document that every commit changes, `{_id: "commits"}`.
//!
//! ```text
//!   holder, term   who may write; every commit demands them, so one who was overtaken changes nothing
//!   count          how many commits there were: the version of what the last one put
//!   nonce          what the last one was called by whoever made it
//!   seq, hash      the end of the audit trail
//!   pending        without transactions: what the last commit still has to do
//! ```
//!
//! It puts all commits into one order, and it is how a commit whose outcome is not known is settled ([`Writer::settle`]):
//! either the ledger has its nonce, or the count is moved on, and a commit that rests on the old count can no longer
//! happen.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document as Fields, doc};

use super::super::audit::Head;
use super::documents::STATE;
use super::server::{Server, raised};
use super::trouble::Trouble;

const LEDGER: &str = "commits";
/// Documents without a version count as version 1, so that commits begin after it.
const START: i64 = super::documents::FOREIGN;

/// Who may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) holder: String,
    pub(super) number: i64,
}

/// The ledger as it was read.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pub(super) count: i64,
    pub(super) nonce: String,
    pub(super) head: Head,
    /// Commands that are still to be carried out.
    pub(super) pending: Option<Vec<Fields>>,
}

impl Ledger {
    fn of(fields: &Fields) -> Result<Self, String> {
        let number = |name: &str| fields.get_i64(name).map_err(|_| format!("`{name}` is wrong"));
        let text = |name: &str| fields.get_str(name).map_err(|_| format!("`{name}` is wrong"));
        let head = format!("{}:{}", number("seq")?, text("hash")?);
        Ok(Self {
            count: number("count")?,
            nonce: text("nonce")?.to_owned(),
            head: head.parse().map_err(|_| "`seq` or `hash` is wrong")?,
            pending: match fields.get("pending") {
                None | Some(Bson::Null) => None,
                Some(Bson::Binary(binary)) => Some(unpack(&binary.bytes).ok_or("`pending` is wrong")?),
                Some(_) => return Err("`pending` is wrong".into()),
            },
        })
    }

    /// The ledger after the next commit.
    pub(super) fn next(&self, head: Head, nonce: String) -> Self {
        Self { count: self.count + 1, nonce, head, pending: None }
    }
}

/// Commands as one value that no rule for field names applies to.
pub(super) fn pack(commands: &[Fields]) -> Result<Bson, Trouble> {
    let whole = doc! { "commands": commands.to_vec() };
    let bytes = whole.to_vec().map_err(|error| Trouble::Refused(error.to_string()))?;
    Ok(Binary { subtype: BinarySubtype::Generic, bytes }.into())
}

fn unpack(bytes: &[u8]) -> Option<Vec<Fields>> {
    let whole = Fields::from_reader(bytes).ok()?;
    let commands = whole.get_array("commands").ok()?;
    commands.iter().map(|command| command.as_document().cloned()).collect()
}

/// What moves the ledger from `from` to `to`, if it is still `term`'s and still at `from`.
pub(super) fn advance(term: &Term, from: &Ledger, to: &Ledger, pending: Option<Bson>) -> Fields {
    let (seq, hash) = (i64::try_from(to.head.seq()).unwrap_or(i64::MAX), to.head.hash());
    let mut set = doc! { "count": to.count, "nonce": to.nonce.as_str(), "seq": seq, "hash": hash };
    if let Some(pending) = pending {
        set.insert("pending", pending);
    }
    let mine =
        doc! { "_id": LEDGER, "holder": term.holder.as_str(), "term": term.number, "count": from.count };
    doc! { "update": STATE, "updates": [{ "q": mine, "u": { "$set": set } }] }
}

/// What says that nothing is left to do of the commit called `nonce`.
pub(super) fn done(nonce: &str) -> Fields {
    let this = doc! { "_id": LEDGER, "nonce": nonce };
    doc! { "update": STATE, "updates": [{ "q": this, "u": { "$unset": { "pending": "" } } }] }
}

/// The ledger as a majority has it, and whose it is.
pub(super) async fn read(server: &Server) -> Result<(Ledger, Term), Trouble> {
    let fields = server.one(STATE, doc! { "_id": LEDGER }).await?;
    let fields = fields.ok_or_else(|| Trouble::Passing("the ledger is missing".into()))?;
    let holder = fields.get_str("holder").unwrap_or_default().to_owned();
    let term = Term { holder, number: fields.get_i64("term").unwrap_or_default() };
    let damaged = |reason| Trouble::Passing(format!("the ledger is damaged: {reason}"));
    Ok((Ledger::of(&fields).map_err(damaged)?, term))
}

/// Makes the ledger this term's, and makes it if there is none. Whoever wrote under an older term no longer can.
pub(super) async fn claim(server: &Server, term: &Term) -> Result<(), Trouble> {
    let start = Head::start();
    let older = doc! { "_id": LEDGER, "term": { "$lt": term.number } };
    let set = doc! { "holder": term.holder.as_str(), "term": term.number };
    let fresh = doc! { "count": START, "nonce": "", "seq": 0_i64, "hash": start.hash() };
    let update = doc! { "q": older, "u": { "$set": set, "$setOnInsert": fresh }, "upsert": true };
    let reply = server.write(doc! { "update": STATE, "updates": [update] }).await;
    match reply {
        Ok(_) => Ok(()),
        // It is of this term already, or of a newer one.
        Err(Trouble::Duplicate { .. }) => match read(server).await? {
            (_, found) if found == *term => Ok(()),
            (_, found) => Err(Trouble::Taken { holder: found.holder }),
        },
        Err(other) => Err(other),
    }
}

/// Moves the ledger on without changing anything else; whether it was where `from` says.
pub(super) async fn bump(
    server: &Server,
    term: &Term,
    from: &Ledger,
    nonce: String,
) -> Result<Option<Ledger>, Trouble> {
    let to = from.next(from.head.clone(), nonce);
    let reply = server.write(advance(term, from, &to, None)).await?;
    Ok((raised(&reply) == 1).then_some(to))
}

/// Sets the ledger of a database that was filled from another store.
pub(super) async fn found(server: &Server, term: &Term, newest: i64, head: &Head) -> Result<(), Trouble> {
    let (ledger, _) = read(server).await?;
    let seq = i64::try_from(head.seq()).unwrap_or(i64::MAX);
    let set = doc! { "count": ledger.count.max(newest), "nonce": "", "seq": seq, "hash": head.hash() };
    let mine = doc! { "_id": LEDGER, "holder": term.holder.as_str(), "term": term.number };
    let reply =
        server.write(doc! { "update": STATE, "updates": [{ "q": mine, "u": { "$set": set } }] }).await?;
    if raised(&reply) == 1 { Ok(()) } else { Err(Trouble::Passing("the ledger has moved".into())) }
}
