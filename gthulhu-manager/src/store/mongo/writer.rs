//! Commits, one at a time, each settled before the next begins.
//!
//! With transactions: one, from the ledger over the documents to the audit records. Without: the ledger takes the whole
//! commit as `pending`, in one write of one document; that write is the commit. Then it is carried out, and taken off
//! the ledger. What is left by a crash is carried out by whoever comes next.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gthulhu_lib::intent::digest::hex;
use mongodb::ClientSession;
use mongodb::bson::{Bson, Document as Fields, doc};
use tokio::time::Instant;

use super::super::{Batch, CommitError, Committed};
use super::documents::{Strays, VERSION};
use super::lease;
use super::ledger::{self, Ledger, Term};
use super::plan::{self, Claim, Plan};
use super::server::{Server, Transaction, raised};
use super::trouble::Trouble;

/// How long a commit is tried. Longer than a call, so that one that got no answer can be settled.
const PATIENCE: Duration = Duration::from_secs(8);
/// The pause before the second try; doubled with each.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Sessions that the lease names: the one in use, and some whose transactions the server may not have ended yet.
const SESSIONS: usize = 8;

/// The one who writes.
pub(super) struct Writer {
    server: Server,
    term: Term,
    /// Whether the server has them.
    transactions: Arc<AtomicBool>,
    /// Where transactions are made, and the last ones that the lease names.
    session: Option<ClientSession>,
    announced: Vec<Bson>,
    /// The ledger, when it is known for certain.
    known: Option<Ledger>,
    /// How long a commit is tried.
    patience: Duration,
}

impl Writer {
    pub(super) fn new(server: Server, term: Term, transactions: Arc<AtomicBool>) -> Self {
        let (session, announced) = (None, Vec::new());
        Self { server, term, transactions, session, announced, known: None, patience: PATIENCE }
    }

    #[cfg(test)]
    pub(super) fn hurry(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Applies the batch entirely or not at all; see [`super::super::Store::commit`].
    pub(super) async fn commit(&mut self, batch: &Batch, strays: &Strays) -> Result<Committed, CommitError> {
        let nonce = hex(&gthulhu_http::random::bytes::<12>());
        let (deadline, mut pause) = (Instant::now() + self.patience, PAUSE);
        loop {
            match self.attempt(batch, strays, &nonce).await {
                Ok(to) => {
                    let version = u64::try_from(to.count).unwrap_or_default();
                    self.known = Some(to);
                    return Ok(Committed { version });
                }
                Err(Trouble::NoTransactions) => {
                    tracing::warn!("the server has no transactions: changes are made one after the other");
                    self.transactions.store(false, Ordering::Release);
                }
                Err(Trouble::Passing(reason)) => {
                    tracing::debug!(reason, "a commit is tried again");
                    if Instant::now() + pause >= deadline {
                        return Err(Trouble::Passing(reason).into());
                    }
                    tokio::time::sleep(pause).await;
                    pause = PAUSE_MAX.min(pause * 2);
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// One try. The ledger is known again only if it is certain what became of the commit.
    async fn attempt(&mut self, batch: &Batch, strays: &Strays, nonce: &str) -> Result<Ledger, Trouble> {
        let from = match self.known.take() {
            Some(known) => known,
            None => self.settled(Some(nonce)).await?,
        };
        if from.nonce == nonce {
            // An earlier try did it.
            return Ok(from);
        }
        let plan = Plan::new(batch, &from, nonce, strays);
        let transactions = self.transactions.load(Ordering::Acquire);
        let done = if transactions {
            self.transact(&from, batch, &plan).await
        } else {
            self.step_by_step(&from, batch, &plan).await
        };
        if let Err(Trouble::Conflict(_)) = done {
            self.known = Some(from);
        }
        done.map(|()| plan.to)
    }

    /// The ledger, certain and with nothing left to do. Unless the last commit is `wanted`, no commit that was begun
    /// before can happen any more when this returns.
    pub(super) async fn settled(&mut self, wanted: Option<&str>) -> Result<Ledger, Trouble> {
        let deadline = Instant::now() + self.patience;
        loop {
            let (mut found, owner) = ledger::read(&self.server).await?;
            if owner != self.term {
                return Err(Trouble::Taken { holder: owner.holder });
            }
            if let Some(pending) = found.pending.take() {
                let whole = carry_out(&self.server, &pending, &found.nonce).await?;
                if !whole && wanted == Some(&found.nonce) {
                    return Err(torn());
                }
            }
            if wanted == Some(&found.nonce) {
                return Ok(found);
            }
            let nonce = hex(&gthulhu_http::random::bytes::<12>());
            if let Some(moved) = ledger::bump(&self.server, &self.term, &found, nonce).await? {
                return Ok(moved);
            }
            if Instant::now() >= deadline {
                return Err(Trouble::Passing("the ledger does not come to rest".into()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Forgets what is known of the ledger, unless it is known for certain: the next commit settles it.
    pub(super) async fn settle(&mut self) -> Result<(), Trouble> {
        if self.known.is_none() {
            self.known = Some(self.settled(None).await?);
        }
        Ok(())
    }

    async fn transact(&mut self, from: &Ledger, batch: &Batch, plan: &Plan) -> Result<(), Trouble> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.announced_session().await?,
        };
        let mut transaction = self.server.transaction(session).await?;
        match self.steps(&mut transaction, from, batch, plan).await {
            Ok(()) => self.session = Some(transaction.commit().await?),
            Err(trouble) => {
                self.session = transaction.abort().await;
                return Err(trouble);
            }
        }
        Ok(())
    }

    /// A new session, once the lease names it: should this process be killed in a transaction, the next one ends it.
    async fn announced_session(&mut self) -> Result<ClientSession, Trouble> {
        let session = self.server.session().await?;
        let mut names = self.announced.clone();
        names.push(session.id().clone().into());
        names.drain(..names.len().saturating_sub(SESSIONS));
        lease::announce(&self.server, &self.term, &names).await?;
        self.announced = names;
        Ok(session)
    }

    async fn steps(
        &self,
        transaction: &mut Transaction,
        from: &Ledger,
        batch: &Batch,
        plan: &Plan,
    ) -> Result<(), Trouble> {
        let moved = transaction.run(ledger::advance(&self.term, from, &plan.to, None)).await?;
        if raised(&moved) != 1 {
            return Err(Trouble::Passing("the ledger has moved".into()));
        }
        let mut found = HashMap::new();
        for (collection, ids) in plan::questions(batch) {
            let these =
                transaction.find(collection, doc! { "_id": { "$in": ids } }, doc! { VERSION: 1 }).await?;
            found.extend(these.iter().map(plan::identity).map(|(id, version)| ((collection, id), version)));
        }
        plan::judge(batch, &found)?;
        for (number, command) in plan.commands.iter().enumerate() {
            let reply = transaction.run(command.clone()).await.map_err(|trouble| match trouble {
                Trouble::Duplicate { statement } => plan
                    .key(number, statement)
                    .map_or(Trouble::Passing("an audit record is there already".into()), |key| {
                        Trouble::Conflict(key.clone())
                    }),
                other => other,
            })?;
            if raised(&reply) != Plan::reach(command) {
                return Err(Trouble::Passing("a document has moved".into()));
            }
        }
        Ok(())
    }

    async fn step_by_step(&self, from: &Ledger, batch: &Batch, plan: &Plan) -> Result<(), Trouble> {
        let mut found = HashMap::new();
        for (collection, ids) in plan::questions(batch) {
            let note = |fields: Fields| {
                let (id, version) = plan::identity(&fields);
                found.insert((collection, id), version);
                Ok(())
            };
            self.server.all(collection, doc! { "_id": { "$in": ids } }, doc! {}, 0, note).await?;
        }
        plan::judge(batch, &found)?;
        self.unclaimed(batch).await?;
        let pending = ledger::pack(&plan.commands)?;
        let moved = self.server.write(ledger::advance(&self.term, from, &plan.to, Some(pending))).await?;
        if raised(&moved) != 1 {
            return Err(Trouble::Passing("the ledger has moved".into()));
        }
        // From here on it has happened, unless the first thing is refused: then nothing was changed yet.
        let (first, rest) = plan.commands.split_first().ok_or(Trouble::Refused("nothing to do".into()))?;
        let refused = obeyed(&self.server, first).await?;
        if let Some(trouble) = refused.filter(|_| Plan::reach(first) == 1) {
            self.take_back(from, plan).await?;
            return Err(trouble);
        }
        if carry_out(&self.server, rest, &plan.to.nonce).await? { Ok(()) } else { Err(torn()) }
    }

    /// Takes a commit of which nothing was done off the ledger.
    async fn take_back(&self, from: &Ledger, plan: &Plan) -> Result<(), Trouble> {
        let nonce = hex(&gthulhu_http::random::bytes::<12>());
        let back = plan.to.next(from.head.clone(), nonce);
        let command = ledger::advance(&self.term, &plan.to, &back, Some(Bson::Null));
        match raised(&self.server.write(command).await?) {
            1 => Ok(()),
            _ => Err(Trouble::Passing("the ledger has moved".into())),
        }
    }

    /// No document but the batch's own has one of its unique values: what is pending must be possible.
    async fn unclaimed(&self, batch: &Batch) -> Result<(), Trouble> {
        for Claim { collection, field, value, key } in plan::claims(batch) {
            let (_, id) = super::documents::place(&key);
            let others = doc! { field: value, "_id": { "$ne": id } };
            if self.server.one(collection, others).await?.is_some() {
                return Err(Trouble::Conflict(key));
            }
        }
        Ok(())
    }
}

/// Does what a commit without a transaction still has to do, whether or not part of it is done already. Whether all of it
/// is done: the server may refuse a part for good.
async fn carry_out(server: &Server, commands: &[Fields], nonce: &str) -> Result<bool, Trouble> {
    let mut whole = true;
    for command in commands {
        if let Some(trouble) = obeyed(server, command).await? {
            tracing::error!(
                ?trouble,
                "part of a change was refused: what is stored is not what was asked for"
            );
            whole = false;
        }
    }
    server.write(ledger::done(nonce)).await?;
    Ok(whole)
}

/// Why the server will never do this, if so: a rule of the collection, or what another program has written.
async fn obeyed(server: &Server, command: &Fields) -> Result<Option<Trouble>, Trouble> {
    match server.write(command.clone()).await {
        Ok(_) => Ok(None),
        Err(Trouble::Passing(reason)) => Err(Trouble::Passing(reason)),
        Err(trouble) => Ok(Some(trouble)),
    }
}

/// Part of a change is stored and part is not: only reading everything again tells what holds.
fn torn() -> Trouble {
    Trouble::Torn("part of a change was refused, part of it is stored".into())
}
