//! Listing intents, and excluding some.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use gthulhu_lib::id::Id;
use http::{Method, StatusCode};
use serde_json::json;

use super::App;
use super::bodies::{DeleteIntentsBody, IntentReply, IntentsReply};
use super::lists::{ALL, page, whose};
use super::openapi::{Operation, Row, row};
use super::policy::Permitted;
use super::query::Flag;
use super::routes::{BAD_BODY, parse_id};
use crate::service::{ByPod, Granted, IntentDelete, IntentRead, ListedIntent};

const INTENTS: &str = "/api/v1/intents";

const EXCLUDED: Flag = Flag { name: "excluded", about: "Those that were excluded instead." };

/// Intents.
pub(super) fn routes() -> Vec<Row> {
    vec![
        row(
            Route::new(
                Method::GET,
                "/api/v1/intents/self",
                Permitted::<IntentRead>::new(),
                list,
                "Lists the intents of the caller's strategies.",
            ),
            Operation::data::<IntentsReply>()
                .query(&EXCLUDED)
                .query(&ALL)
                .paged::<ByPod>()
                .body_for("deleteIntents", json!({"intentIds": ["$response.body#/data/intents/0/ID"]})),
        ),
        row(
            Route::new(
                Method::DELETE,
                INTENTS,
                Permitted::<IntentDelete>::new(),
                delete,
                "Excludes intents until their strategy is replaced or deleted, or their pod is gone.",
            ),
            Operation::empty()
                .takes::<DeleteIntentsBody>()
                .query(&ALL)
                .refuses(StatusCode::BAD_REQUEST, "There is no id, or one that is none.")
                .refuses(
                    StatusCode::NOT_FOUND,
                    "One of them is not there, or not the caller's; then none is excluded.",
                ),
        ),
    ]
}

/// `GET /api/v1/intents/self`; with `?excluded=true` those that were deleted instead, with `?all=true` everybody's, for
/// administrators.
async fn list(app: Arc<App>, grant: Granted<IntentRead>, call: Call) -> Result<Reply, HttpError> {
    let (whose, page) = (whose(&call.head)?, page(&call.head)?);
    let excluded = EXCLUDED.of(&call.head)?;
    let listed = app
        .run(move |service| {
            if excluded {
                service.excluded_intents(&grant, whose, &page)
            } else {
                service.intents(&grant, whose, &page)
            }
        })
        .await?;
    let intents = listed.rows.into_iter().map(IntentReply::from).collect();
    Ok(Reply::data(&IntentsReply { intents, next: listed.next }))
}

/// `DELETE /api/v1/intents`; with `?all=true` anybody's, for administrators.
async fn delete(app: Arc<App>, grant: Granted<IntentDelete>, call: Call) -> Result<Reply, HttpError> {
    let body: DeleteIntentsBody = call.json(BAD_BODY)?;
    if body.intent_ids.is_empty() {
        return Err(HttpError::bad_request("At least one intent ID is required"));
    }
    let parse = |(i, id): (usize, &String)| parse_id(&format!("intentIds[{i}]"), id);
    let ids = body.intent_ids.iter().enumerate().map(parse).collect::<Result<Vec<Id>, _>>()?;
    let whose = whose(&call.head)?;
    app.run(move |service| service.delete_intents(&grant, &call.head.request_id, &ids, whose)).await?;
    Ok(Reply::empty())
}

impl From<ListedIntent> for IntentReply {
    fn from(intent: ListedIntent) -> Self {
        let body = intent.body;
        Self {
            id: intent.id,
            strategy_id: intent.strategy,
            pod_id: body.pod_id,
            node_id: body.node_id,
            k8s_namespace: body.k8s_namespace,
            command_regex: body.command_regex,
            priority: body.priority,
            execution_time: body.execution_time,
            pod_labels: (*body.pod_labels).clone(),
            state: if intent.accepted { 2 } else { 1 },
            pod_name: body.pod_name,
            last_error: intent.last_error.unwrap_or_default(),
            generation: intent.generation,
        }
    }
}
