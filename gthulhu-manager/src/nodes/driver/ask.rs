//! Questions that people ask of nodes, beside the driver's own work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::id::Id;
use gthulhu_lib::wire::PodsPidsReply;
use gthulhu_lib::wire::preview::{ExplainReply, PreviewReply};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::NodesHandle;
use crate::nodes::Endpoint;
use crate::nodes::machine::{Failure, FailureKind};
use gthulhu_lib::wire::IntentBody;

/// How long a person waits for nodes, however many.
const DEADLINE: Duration = Duration::from_secs(5);

/// Why a node did not tell what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No dm is known for the node.
    #[error("no decision maker is known for node {0}")]
    UnknownNode(String),
    /// There is no connection to the node's dm.
    #[error("decision maker cannot be reached: {0}")]
    Unreachable(String),
    /// The node's dm did not answer in time.
    #[error("decision maker did not answer: {0}")]
    TimedOut(String),
    /// The node's dm answered with an error or with nonsense.
    #[error("decision maker gave no usable answer: {0}")]
    BadAnswer(String),
    /// The node's dm is one that cannot be asked this.
    #[error("decision maker does not know the question: {0}")]
    NotOffered(String),
}

/// Intents that a node is asked about.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The intents: all of each pod that is in question.
    pub intents: Vec<IntentBody>,
    /// The strategy whose intents the answer is to be about; none: all.
    pub strategy: Option<Id>,
}

impl NodesHandle {
    /// Asks the node's dm for its pods and their processes.
    pub async fn pods_pids(&self, node: &str) -> Result<PodsPidsReply, AskError> {
        let (client, endpoint) = (&self.client, self.endpoint(node)?);
        let ask = async {
            let _turn = self.turns.of(node).await;
            client.pods_pids(&endpoint).await
        };
        in_time(Instant::now() + DEADLINE, ask).await
    }

    /// Asks the node's dm why a task has its strategy or none.
    pub async fn explain(&self, node: &str, pid: u32) -> Result<ExplainReply, AskError> {
        let (client, endpoint) = (&self.client, self.endpoint(node)?);
        let ask = async {
            let _turn = self.turns.of(node).await;
            client.explain(&endpoint, pid).await
        };
        in_time(Instant::now() + DEADLINE, ask).await
    }

    /// Asks nodes what intents would do if they were pushed; all within one deadline, and only so many at a time. Every
    /// node has an entry in the answer.
    pub async fn previews(
        &self,
        candidates: BTreeMap<String, Candidate>,
    ) -> BTreeMap<String, Result<PreviewReply, AskError>> {
        let until = Instant::now() + DEADLINE;
        let mut answers = BTreeMap::new();
        // Dropped with the caller: whoever goes away stops asking.
        let mut asking = JoinSet::new();
        for (node, candidate) in candidates {
            let endpoint = match self.endpoint(&node) {
                Ok(endpoint) => endpoint,
                Err(unknown) => {
                    answers.insert(node, Err(unknown));
                    continue;
                }
            };
            // What a task that panics was about to say.
            answers.insert(node.clone(), Err(AskError::BadAnswer("it was not understood".to_owned())));
            let (client, turns) = (Arc::clone(&self.client), Arc::clone(&self.turns));
            asking.spawn(async move {
                let ask = async {
                    let _turn = turns.of_many(&node).await;
                    client.preview(&endpoint, &candidate).await
                };
                let answer = in_time(until, ask).await;
                (node, answer)
            });
        }
        while let Some(asked) = asking.join_next().await {
            if let Ok((node, answer)) = asked {
                answers.insert(node, answer);
            }
        }
        answers
    }

    fn endpoint(&self, node: &str) -> Result<Arc<Endpoint>, AskError> {
        let endpoint = self.inputs.endpoints.borrow().get(node).cloned();
        endpoint.ok_or_else(|| AskError::UnknownNode(node.to_owned()))
    }
}

async fn in_time<T>(until: Instant, answer: impl Future<Output = Result<T, Failure>>) -> Result<T, AskError> {
    match timeout_at(until, answer).await {
        Ok(answer) => answer.map_err(AskError::from),
        Err(_) => Err(AskError::TimedOut(format!("no answer within {DEADLINE:?}"))),
    }
}

impl From<Failure> for AskError {
    fn from(Failure { kind, message }: Failure) -> Self {
        match kind {
            FailureKind::Unreachable => Self::Unreachable(message),
            FailureKind::TimedOut => Self::TimedOut(message),
            FailureKind::BadAnswer => Self::BadAnswer(message),
            FailureKind::NotOffered => Self::NotOffered(message),
        }
    }
}
