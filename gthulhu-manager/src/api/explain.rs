//! Why a task or a pod has the strategies that it has: what the manager wants, and what the node sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use gthulhu_lib::explain::{Explanation, Outcome};
use gthulhu_lib::id::Id;
use gthulhu_lib::wire::preview::{ExplainReply, IntentPreview};
use http::{Method, StatusCode};

use super::App;
use super::bodies::{ExplainAnswer, PodStoryReply, Seen, StrategyMissReply, StrategyOnPodReply, UnknownNode};
use super::error::public_reason;
use super::openapi::{Operation, Row, row};
use super::policy::Permitted;
use super::query::{Number, Shaped, Text};
use crate::nodes::driver::{AskError, Candidate};
use crate::service::{Granted, PodPidRead, PodStory, StrategyMiss, StrategyOnPod};

const NODE: Text = Text { name: "node", about: "The name of the node of the process; with `pid`." };
const PID: Number<u32> =
    Number { name: "pid", about: "A process or thread of the node.", range: 1..=u32::MAX };
const POD: Shaped = Shaped {
    name: "pod",
    about: "A pod, as NAMESPACE/NAME, in the place of `node` and `pid`.",
    pattern: "^[^/]+/[^/]+$",
};

/// What a question without a subject is answered with, or one with two.
const SUBJECT: &str = "name a node and a pid, or a pod";

/// Explanations.
pub(super) fn routes() -> Vec<Row> {
    vec![row(
        Route::new(
            Method::GET,
            "/api/v1/explain",
            Permitted::<PodPidRead>::new(),
            explain,
            "Tells which strategies apply to a process or a pod, who wins, and why others do not apply.",
        ),
        Operation::data::<ExplainAnswer>()
            .query(&NODE)
            .query(&PID)
            .query(&POD)
            .refuses(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Neither a node and a pid nor a pod is named, or both are.",
            )
            .refuses(StatusCode::NOT_FOUND, "There is no such node or pod.")
            .refuses(StatusCode::SERVICE_UNAVAILABLE, "Not all nodes and pods are known yet."),
    )]
}

/// `GET /api/v1/explain?node=&pid=` and `GET /api/v1/explain?pod=namespace/name`
async fn explain(app: Arc<App>, grant: Granted<PodPidRead>, call: Call) -> Result<Reply, HttpError> {
    let head = &call.head;
    let answer = match (NODE.of(head), PID.of(head)?, POD.of(head)) {
        (Some(node), Some(pid), None) => of_task(&app, &grant, &node, pid).await?,
        (None, None, Some(pod)) => of_pod(&app, &grant, pod).await?,
        _ => return Err(HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, SUBJECT)),
    };
    Ok(Reply::data(&answer))
}

async fn of_task(
    app: &App,
    grant: &Granted<PodPidRead>,
    node: &str,
    pid: u32,
) -> Result<ExplainAnswer, HttpError> {
    let node = app.service.node(grant, node)?.name;
    let told = match app.nodes.explain(&node, pid).await {
        Ok(told) => told,
        Err(error) => {
            return Ok(ExplainAnswer { task: None, pod: None, unknown: vec![unknown(node, &error, 0)] });
        }
    };
    let ExplainReply { node_name, source, explanation, scheduler } = told;
    let (seen, story) = app.service.seen_explanation(grant, Explanation { pid, ..explanation });
    let scheduler = scheduler.filter(|_| seen.is_some());
    let explanation = seen.unwrap_or_else(|| nothing(pid));
    Ok(ExplainAnswer {
        task: Some(ExplainReply { node_name, source, explanation, scheduler }),
        pod: story.map(|story| story_reply(story, BTreeMap::new())),
        unknown: Vec::new(),
    })
}

async fn of_pod(app: &App, grant: &Granted<PodPidRead>, pod: &str) -> Result<ExplainAnswer, HttpError> {
    let (namespace, name) = match pod.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            (namespace, name)
        }
        _ => return Err(HttpError::bad_request("pod must be NAMESPACE/NAME").in_field("pod")),
    };
    let story = app.service.pod_story(grant, namespace, name)?;
    let mut seen = BTreeMap::new();
    let mut not_told = Vec::new();
    if let Some(node) = story.pod.node.clone().filter(|_| !story.strategies.is_empty()) {
        let intents = story.strategies.iter().map(|known| known.body.clone()).collect();
        let asked = BTreeMap::from([(node, Candidate { intents, strategy: None })]);
        for (node, answer) in app.nodes.previews(asked).await {
            match answer {
                Ok(reply) => seen = of_this_pod(reply.intents, &story.pod.uid),
                Err(error) => not_told.push(unknown(node, &error, 1)),
            }
        }
    }
    Ok(ExplainAnswer { task: None, pod: Some(story_reply(story, seen)), unknown: not_told })
}

/// What was told of each strategy for the pod that was asked about.
fn of_this_pod(told: Vec<IntentPreview>, pod_uid: &str) -> BTreeMap<Id, Seen> {
    let of_it = told.into_iter().filter(|told| told.pod_id == pod_uid);
    of_it.filter_map(|told| Some((told.strategy_id?, Seen::from(told)))).collect()
}

/// What is told of a task that is not there, or not for the caller.
fn nothing(pid: u32) -> Explanation {
    Explanation {
        pid,
        outcome: Outcome::NotFound,
        process: None,
        intents: Vec::new(),
        omitted: 0,
        due: None,
        published: None,
    }
}

fn unknown(node_id: String, error: &AskError, pods: usize) -> UnknownNode {
    UnknownNode { node_id, reason: public_reason(error).to_owned(), pods }
}

fn story_reply(story: PodStory, mut seen: BTreeMap<Id, Seen>) -> PodStoryReply {
    let PodStory { pod, strategies, misses, omitted } = story;
    let on_pod = |known: StrategyOnPod| {
        let StrategyOnPod { strategy, own, readable, body, accepted, last_error } = known;
        // Which names a regex misses tells what it says.
        let shown = |seen: Seen| if readable { seen } else { Seen { near_misses: Vec::new(), ..seen } };
        let seen = seen.remove(&strategy).map(shown);
        StrategyOnPodReply {
            strategy_id: strategy,
            own,
            priority: body.priority,
            execution_time: body.execution_time,
            command_regex: Some(body.command_regex).filter(|regex| readable && !regex.is_empty()),
            accepted,
            last_error,
            seen,
        }
    };
    PodStoryReply {
        pod_id: pod.uid.clone(),
        pod_name: pod.name.clone(),
        k8s_namespace: pod.namespace.clone(),
        node_id: pod.node.clone(),
        pod_labels: (*pod.labels).clone(),
        ended: pod.terminal,
        strategies: strategies.into_iter().map(on_pod).collect(),
        near_misses: misses.into_iter().map(StrategyMissReply::from).collect(),
        omitted,
    }
}

impl From<StrategyMiss> for StrategyMissReply {
    fn from(StrategyMiss { strategy, clause, wanted, found }: StrategyMiss) -> Self {
        Self { strategy_id: strategy, clause, wanted, found }
    }
}
