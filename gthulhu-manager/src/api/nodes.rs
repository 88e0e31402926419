//! Nodes, and the processes of their pods as the nodes see them.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use gthulhu_lib::wire::PodsPidsReply;
use http::{Method, StatusCode};

use super::App;
use super::bodies::{NodeReply, NodesReply};
use super::lists::page;
use super::openapi::{Operation, Row, row};
use super::policy::Permitted;
use crate::cluster::{ClusterNode, NodeHealth};
use crate::service::{ByName, Granted, PodPidRead};

/// Nodes.
pub(super) fn routes() -> Vec<Row> {
    vec![
        row(
            Route::new(
                Method::GET,
                "/api/v1/nodes",
                Permitted::<PodPidRead>::new(),
                list,
                "Lists the nodes and whether each is ready.",
            ),
            Operation::data::<NodesReply>().paged::<ByName>().path_for(
                "getNodesNodeIDPodsPids",
                "nodeID",
                "$response.body#/data/nodes/0/name",
            ),
        ),
        row(
            Route::new(
                Method::GET,
                "/api/v1/nodes/{nodeID}/pods/pids",
                Permitted::<PodPidRead>::new(),
                pods_pids,
                "Asks a node for its pods and their processes.",
            ),
            Operation::data::<PodsPidsReply>()
                .path("nodeID", "The name of the node.")
                .refuses(
                    StatusCode::NOT_FOUND,
                    "There is no such node, or no decision maker is known for it.",
                )
                .refuses(
                    StatusCode::BAD_GATEWAY,
                    "Its decision maker cannot be reached, or gives no usable answer.",
                )
                .refuses(StatusCode::GATEWAY_TIMEOUT, "Its decision maker did not answer in time."),
        ),
    ]
}

/// `GET /api/v1/nodes`
async fn list(app: Arc<App>, grant: Granted<PodPidRead>, call: Call) -> Result<Reply, HttpError> {
    let listed = app.service.nodes(&grant, &page(&call.head)?);
    let reply = |node: ClusterNode| NodeReply { name: node.name, status: word(node.status) };
    let nodes = listed.rows.into_iter().map(reply).collect();
    Ok(Reply::data(&NodesReply { nodes, next: listed.next }))
}

/// `GET /api/v1/nodes/{nodeID}/pods/pids`; of pods beyond the caller's scope nothing is passed on.
async fn pods_pids(app: Arc<App>, grant: Granted<PodPidRead>, call: Call) -> Result<Reply, HttpError> {
    let node = app.service.node(&grant, call.param("nodeID"))?;
    let mut answer = app.nodes.pods_pids(&node.name).await?;
    let uids: Vec<_> = answer.pods.iter().map(|pod| pod.pod_uid.as_str()).collect();
    let visible = app.service.visible_pods(&grant, &uids);
    answer.pods.retain(|pod| visible.contains(&pod.pod_uid));
    answer.node_id = Some(node.name);
    Ok(Reply::data(&answer))
}

fn word(health: NodeHealth) -> &'static str {
    match health {
        NodeHealth::Ready => "Ready",
        NodeHealth::NotReady => "NotReady",
        NodeHealth::Unknown => "Unknown",
    }
}
