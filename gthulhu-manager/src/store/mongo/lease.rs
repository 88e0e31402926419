//! One manager at a time: the document `{_id: "pusher", holder, epoch, renewed, sessions}`.
//!
//! Its holder renews it every five seconds. Whoever wants it watches it: a lease that does not change for fifteen
//! seconds of his own clock is nobody's. No two clocks are compared, so none has to be right. Each taking raises
//! `epoch`, and the ledger is claimed under it: a holder that was overtaken without noticing can write nothing.

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Bson, DateTime, Document as Fields, doc};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::Standing;
use super::documents::STATE;
use super::ledger::Term;
use super::server::{Server, raised};
use super::trouble::Trouble;

const LEASE: &str = "pusher";
/// The sessions of its holder, and of holders before it until it has its own.
const SESSIONS: &str = "sessions";
/// The time of a lease that was given back.
const GIVEN_BACK: DateTime = DateTime::from_millis(0);

/// How long everything lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Between two renewals.
    pub(super) renew: Duration,
    /// A lease that was not renewed for so long is nobody's.
    pub(super) stale: Duration,
    /// How long whoever wants the lease waits for it.
    pub(super) wait: Duration,
    /// How long a renewal may take: with the time between two tries, less than `stale` by far.
    pub(super) patience: Duration,
    /// How long a server may keep the transaction of a client that is gone.
    pub(super) orphans: Duration,
    /// How long a server that can be reached may take to say who it is and to let us in.
    pub(super) hello: Duration,
    /// How long giving the lease back may hold up the end of a process.
    pub(super) farewell: Duration,
}

impl Times {
    pub(super) const USUAL: Self = Self {
        renew: Duration::from_secs(5),
        stale: Duration::from_secs(15),
        wait: Duration::from_secs(20),
        patience: Duration::from_millis(2500),
        orphans: Duration::from_secs(75),
        hello: Duration::from_secs(15),
        farewell: Duration::from_secs(2),
    };

    /// A holder that has not renewed for so long does not rely on it: less than [`Times::stale`] by a call and more.
    fn reliable(self) -> Duration {
        self.renew * 2
    }
}

/// The lease as it was seen.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    term: Term,
    renewed: DateTime,
}

impl Seen {
    fn of(fields: &Fields) -> Self {
        let holder = fields.get_str("holder").unwrap_or_default().to_owned();
        let number = fields.get_i64("epoch").unwrap_or_default();
        let renewed = fields.get_datetime("renewed").copied().unwrap_or(GIVEN_BACK);
        Self { term: Term { holder, number }, renewed }
    }

    fn filter(&self) -> Fields {
        let Term { holder, number } = &self.term;
        doc! { "_id": LEASE, "holder": holder.as_str(), "epoch": *number, "renewed": self.renewed }
    }
}

/// Takes the lease for `holder`, or waits until it can: the term, and the sessions in which holders before it may have
/// left a transaction. [`Trouble::Taken`] names who has it.
pub(super) async fn take(server: &Server, holder: &str, times: Times) -> Result<(Term, Vec<Bson>), Trouble> {
    let begun = Instant::now();
    let mut last: Option<(Seen, Instant)> = None;
    loop {
        let found = server.one(STATE, doc! { "_id": LEASE }).await?;
        let seen = found.as_ref().map(Seen::of);
        let free = match (&seen, &last) {
            (None, _) => true,
            // One that this very place had: its process is gone, or this one could not have been started.
            (Some(seen), _) if seen.renewed == GIVEN_BACK || seen.term.holder == holder => true,
            (Some(seen), Some((before, since))) if seen == before => since.elapsed() >= times.stale,
            (Some(seen), _) => {
                last = Some((seen.clone(), Instant::now()));
                false
            }
        };
        if free && let Some(term) = seize(server, seen.as_ref(), holder).await? {
            let sessions = found.as_ref().and_then(|fields| fields.get_array(SESSIONS).ok());
            return Ok((term, sessions.cloned().unwrap_or_default()));
        }
        if let Some(seen) = seen.filter(|_| begun.elapsed() >= times.wait) {
            return Err(Trouble::Taken { holder: seen.term.holder });
        }
        if !free && begun.elapsed() < times.renew / 5 {
            tracing::info!("another manager has the store: waiting for it to end");
        }
        sleep(times.renew / 5).await;
    }
}

/// Takes the lease if it is still as it was seen.
async fn seize(server: &Server, seen: Option<&Seen>, holder: &str) -> Result<Option<Term>, Trouble> {
    let number = seen.map_or(0, |seen| seen.term.number) + 1;
    let set = doc! { "holder": holder, "epoch": number, "renewed": DateTime::now() };
    let absent = || doc! { "_id": LEASE, "holder": { "$exists": false } };
    let update =
        doc! { "q": seen.map_or_else(absent, Seen::filter), "u": { "$set": set }, "upsert": seen.is_none() };
    match server.write(doc! { "update": STATE, "updates": [update] }).await {
        Ok(reply) => Ok((raised(&reply) == 1).then(|| Term { holder: holder.to_owned(), number })),
        Err(Trouble::Duplicate { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Renews the lease until it is lost or nobody listens.
pub(super) async fn keep(server: Server, term: Term, times: Times, standing: Arc<watch::Sender<Standing>>) {
    let mut renewed = Instant::now();
    let mut next = renewed + times.renew;
    loop {
        sleep_until(next).await;
        if renewed.elapsed() > times.reliable() {
            // This process was stopped, or the machine was: somebody else may have it by now.
            tell(&standing, Standing::Uncertain);
        }
        let begun = Instant::now();
        let now = match timeout(times.patience, renew(&server, &term)).await {
            Ok(Ok(true)) => Standing::Holds,
            Ok(Ok(false)) => {
                // Nothing is pushed while it is found out whose it is.
                tell(&standing, Standing::Uncertain);
                whose(&server, &term).await
            }
            Ok(Err(_)) | Err(_) => Standing::Uncertain,
        };
        tell(&standing, now.clone());
        match now {
            Standing::Holds => {
                renewed = begun;
                next = begun + times.renew;
            }
            Standing::Uncertain => next = Instant::now() + times.renew / 5,
            Standing::Lost { .. } => return,
        }
    }
}

/// What a renewal that met nothing means. Lost is what the lease itself says: a server that renewals of before are still
/// busy on may count none for this one, and this process is not to end for that.
async fn whose(server: &Server, term: &Term) -> Standing {
    match server.one(STATE, doc! { "_id": LEASE }).await.map(|fields| fields.as_ref().map(Seen::of)) {
        Ok(Some(seen)) if seen.term != *term => Standing::Lost { holder: seen.term.holder },
        Ok(None) => Standing::Lost { holder: "somebody who removed the lease".into() },
        Ok(Some(_)) | Err(_) => Standing::Uncertain,
    }
}

/// Whether it is still this term's, and renewed now.
pub(super) async fn renew(server: &Server, term: &Term) -> Result<bool, Trouble> {
    let update = doc! { "q": mine(term), "u": { "$set": { "renewed": DateTime::now() } } };
    let reply = server.write(doc! { "update": STATE, "updates": [update] }).await?;
    Ok(raised(&reply) == 1)
}

/// Names the sessions in which this term makes transactions.
pub(super) async fn announce(server: &Server, term: &Term, sessions: &[Bson]) -> Result<(), Trouble> {
    let set = doc! { SESSIONS: sessions.to_vec() };
    server
        .write(doc! { "update": STATE, "updates": [{ "q": mine(term), "u": { "$set": set } }] })
        .await
        .map(drop)
}

/// Gives it back: whoever wants it need not wait.
pub(super) async fn give_back(server: &Server, term: &Term) {
    let update = doc! { "q": mine(term), "u": { "$set": { "renewed": GIVEN_BACK } } };
    if let Err(trouble) = server.write(doc! { "update": STATE, "updates": [update] }).await {
        tracing::debug!(?trouble, "the lease ends by itself");
    }
}

/// The lease while it is this term's.
fn mine(term: &Term) -> Fields {
    doc! { "_id": LEASE, "holder": term.holder.as_str(), "epoch": term.number }
}

fn tell(standing: &watch::Sender<Standing>, now: Standing) {
    let changed = standing.send_if_modified(|before| {
        let differs = *before != now;
        if differs {
            before.clone_from(&now);
        }
        differs
    });
    if changed {
        match now {
            Standing::Holds => tracing::info!("the lease on the store is renewed again"),
            Standing::Uncertain => {
                tracing::warn!("the lease on the store cannot be renewed: nothing is pushed");
            }
            Standing::Lost { holder } => {
                tracing::error!(holder, "another manager has taken the store over");
            }
        }
    }
}
