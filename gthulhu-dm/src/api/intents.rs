//! `/api/v1/intents`: the set that this node holds.

use std::sync::Arc;

use gthulhu_http::{call::Call, error::HttpError, reply::Reply};
use gthulhu_lib::{
    intent::{Checker, Limits, digest::hex, set::IntentSet},
    wire::{DeleteIntentsBody, IntentBody, IntentsBody, MerkleReply},
};
use http::StatusCode;
use tokio::{sync::Mutex, task};

use super::{App, BAD_BODY};
use crate::{
    auth::Caller,
    fence::Pair,
    node::{NodeError, Removal},
};

/// What whoever pushes without numbers, such as a manager written in Go, can do about the refusal.
const UNNUMBERED: &str = "; push with both numbers, or set node.accept_unnumbered";

/// Checks sets. Compiling the regexes of a hostile one keeps a processor busy for seconds: one at a time, whoever pushes.
#[derive(Debug)]
pub struct Checking(Arc<Mutex<Checker>>);

impl Checking {
    /// By these limits.
    pub fn new(limits: Limits) -> Checking {
        Checking(Arc::new(Mutex::new(Checker::new(limits))))
    }

    /// The set, checked off the threads that serve connections.
    pub(super) async fn set(&self, bodies: Vec<IntentBody>) -> Result<IntentSet, HttpError> {
        let mut checker = Arc::clone(&self.0).lock_owned().await;
        // The turn ends with the work, also when whoever asked for it has gone.
        let check = task::spawn_blocking(move || IntentSet::check_next(bodies, &mut checker));
        let outcome = check.await.map_err(HttpError::internal)?;
        outcome.map_err(|invalid| HttpError::unprocessable(invalid.field, invalid.rule))
    }
}

/// `POST`: all or nothing. What is wrong with one intent refuses the whole set, and nothing is stored.
pub(super) async fn push(app: Arc<App>, caller: Caller, call: Call) -> Result<Reply, HttpError> {
    let body: IntentsBody = call.json(BAD_BODY)?;
    let pair =
        Pair::parse(body.epoch, body.generation).map_err(|bad| HttpError::bad_request(bad.to_string()))?;
    let intents = app.checking.set(body.intents).await?;
    let count = intents.len();
    app.node.push(intents, pair).await.map_err(|error| match (error, pair) {
        (NodeError::Superseded(held), None) => superseded(held, UNNUMBERED),
        (error, _) => refusal(error, "Failed to process intents"),
    })?;
    tracing::info!(
        intents = count,
        epoch = pair.map(|pair| pair.epoch),
        generation = pair.map(|pair| pair.generation),
        client = caller.client_id(),
        "a set of intents was pushed"
    );
    Ok(Reply::done())
}

/// `DELETE`: by pod, by process, or all. It lasts until the next push: a manager that compares sees that the set was
/// edited and pushes it again, ours within 30 s. What is to stay away is excluded there.
pub(super) async fn remove(app: Arc<App>, caller: Caller, call: Call) -> Result<Reply, HttpError> {
    let body: DeleteIntentsBody = call.json(BAD_BODY)?;
    let (removal, failed) = match (body.all, body.pod_id, body.pid) {
        (Some(true), _, _) => (Removal::All, "Failed to delete all intents"),
        (_, Some(pod), Some(pid)) if !pod.is_empty() => {
            (Removal::Process { pod, pid }, "Failed to delete intent")
        }
        (_, Some(pod), None) if !pod.is_empty() => (Removal::Pod(pod), "Failed to delete intent"),
        _ => return Err(HttpError::bad_request("PodID is required when 'all' is false")),
    };
    let shown = format!("{removal:?}");
    app.node.remove(removal).await.map_err(|error| refusal(error, failed))?;
    tracing::info!(removal = shown, client = caller.client_id(), "intents were removed");
    Ok(Reply::done())
}

/// `GET merkle`: hashes of the set held now, and the numbers it was pushed under.
pub(super) async fn merkle(app: Arc<App>, _caller: Caller, _call: Call) -> Result<Reply, HttpError> {
    let failed = |error| refusal(error, "Failed to get intent merkle root");
    let holding = app.node.holding().await.map_err(failed)?;
    let pair = holding.fence.held.map(|held| held.pair);
    Ok(Reply::data(&MerkleReply {
        root_hash: hex(&holding.merkle_root),
        epoch: pair.map(|pair| pair.epoch),
        generation: pair.map(|pair| pair.generation),
        edited: Some(holding.fence.edited),
        digest: Some(hex(&holding.digest)),
    }))
}

pub(super) fn refusal(error: NodeError, failed: &'static str) -> HttpError {
    match error {
        NodeError::Superseded(held) => superseded(held, ""),
        other => HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, failed).caused_by(other),
    }
}

fn superseded(held: Pair, remedy: &str) -> HttpError {
    let message = format!("this node holds epoch {}, generation {}{remedy}", held.epoch, held.generation);
    HttpError::conflict(message).with("heldEpoch", held.epoch).with("heldGeneration", held.generation)
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, sync::mpsc, task::Poll};

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_set_is_checked_off_the_threads_that_serve() {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (release, held) = mpsc::channel::<()>();
            let busy = task::spawn_blocking(move || held.recv());
            let bad = vec![IntentBody { command_regex: "(".to_owned(), ..IntentBody::default() }];
            let checking = Checking::new(Limits::default());
            let mut checking = pin!(checking.set(bad));
            // It has been asked for, and cannot be done while the only thread for such work is busy.
            std::future::poll_fn(|context| {
                assert!(checking.as_mut().poll(context).is_pending(), "checked by the thread that serves");
                Poll::Ready(())
            })
            .await;
            release.send(()).unwrap();
            busy.await.unwrap().unwrap();
            assert_eq!(checking.await.unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
        });
    }

    #[tokio::test]
    async fn sets_are_checked_one_at_a_time() {
        let all = Checking::new(Limits::default());
        let turn = all.0.lock().await;
        let mut checking = pin!(all.set(Vec::new()));
        std::future::poll_fn(|context| {
            assert!(checking.as_mut().poll(context).is_pending(), "checked out of turn");
            Poll::Ready(())
        })
        .await;
        drop(turn);
        assert!(checking.await.unwrap().is_empty());
    }
}
