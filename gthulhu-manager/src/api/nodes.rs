//! Nodes, and the processes of their pods as the nodes see them.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;

use super::App;
use super::bodies::{NodeReply, NodesReply};
use crate::cluster::NodeHealth;
use crate::service::{Granted, PodPidRead};

/// `GET /api/v1/nodes`
pub(super) async fn list(app: Arc<App>, grant: Granted<PodPidRead>, _call: Call) -> Result<Reply, HttpError> {
    let nodes = app.service.nodes(&grant);
    let reply = |(name, health): (String, NodeHealth)| NodeReply { name, status: word(health) };
    Ok(Reply::data(&NodesReply {
        nodes: nodes.into_iter().map(|node| reply((node.name, node.status))).collect(),
    }))
}

/// `GET /api/v1/nodes/{nodeID}/pods/pids`
pub(super) async fn pods_pids(
    app: Arc<App>,
    grant: Granted<PodPidRead>,
    call: Call,
) -> Result<Reply, HttpError> {
    let node = app.service.node(&grant, call.param("nodeID"))?;
    let mut pods = app.nodes.pods_pids(&node.name).await?;
    pods.node_id = Some(node.name);
    Ok(Reply::data(&pods))
}

fn word(health: NodeHealth) -> &'static str {
    match health {
        NodeHealth::Ready => "Ready",
        NodeHealth::NotReady => "NotReady",
        NodeHealth::Unknown => "Unknown",
    }
}
