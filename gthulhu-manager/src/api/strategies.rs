//! Creating, replacing, listing and deleting strategies.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use gthulhu_lib::id::Id;
use http::header::LOCATION;
use http::{Method, StatusCode};
use serde_json::json;

use super::App;
use super::bodies::{DeleteStrategyBody, StrategiesReply, StrategyBody, StrategyReply, StrategyStatus};
use super::lists::{ALL, page, whose};
use super::openapi::{Operation, Row, row};
use super::policy::Permitted;
use super::query::Flag;
use super::routes::BAD_BODY;
use crate::service::{
    ByAge, Granted, ListedStrategy, StrategyCreate, StrategyDelete, StrategyInput, StrategyRead,
    StrategyUpdate, Whose,
};

/// Where strategies live; the `Location` of a new one is below it.
const STRATEGIES: &str = "/api/v1/strategies";

pub(super) const ALLOW_EMPTY: Flag =
    Flag { name: "allowEmpty", about: "Store it although no pod matches now." };

/// Where the first strategy of an answer has its id.
const FIRST: &str = "$response.body#/data/strategies/0/ID";

/// Strategies.
pub(super) fn routes() -> Vec<Row> {
    vec![
        row(
            Route::new(
                Method::POST,
                STRATEGIES,
                Permitted::<StrategyCreate>::new(),
                create,
                "Creates a strategy.",
            ),
            Operation::done()
                .header("Location", "The path of what was made; it ends with the id.")
                .takes::<StrategyBody>()
                .query(&ALLOW_EMPTY)
                .refuses(StatusCode::NOT_FOUND, "No pod matches.")
                .refuses(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "A field breaks a rule, or the caller has too many strategies.",
                ),
        ),
        row(
            Route::new(
                Method::PUT,
                STRATEGIES,
                Permitted::<StrategyUpdate>::new(),
                update,
                "Replaces one of the caller's strategies; an absent field is its zero value.",
            ),
            Operation::done()
                .takes::<StrategyBody>()
                .demands::<Id>("strategyId")
                .query(&ALLOW_EMPTY)
                .refuses(StatusCode::BAD_REQUEST, "The id is none.")
                .refuses(
                    StatusCode::NOT_FOUND,
                    "There is no such strategy of the caller's, or no pod matches.",
                )
                .refuses(StatusCode::UNPROCESSABLE_ENTITY, "A field breaks a rule."),
        ),
        row(
            Route::new(
                Method::DELETE,
                STRATEGIES,
                Permitted::<StrategyDelete>::new(),
                delete,
                "Deletes one of the caller's strategies and its intents.",
            ),
            Operation::empty()
                .takes::<DeleteStrategyBody>()
                .query(&ALL)
                .refuses(StatusCode::BAD_REQUEST, "The id is none.")
                .refuses(StatusCode::NOT_FOUND, "There is no such strategy of the caller's."),
        ),
        row(
            Route::new(
                Method::GET,
                "/api/v1/strategies/self",
                Permitted::<StrategyRead>::new(),
                list,
                "Lists the caller's strategies and how far each has come.",
            ),
            Operation::data::<StrategiesReply>()
                .query(&ALL)
                .paged::<ByAge>()
                .body_for("putStrategies", json!({"strategyId": FIRST}))
                .body_for("deleteStrategies", json!({"strategyId": FIRST})),
        ),
    ]
}

/// `POST /api/v1/strategies`; with `?allowEmpty=true` also when no pod matches yet.
async fn create(app: Arc<App>, grant: Granted<StrategyCreate>, call: Call) -> Result<Reply, HttpError> {
    let body: StrategyBody = call.json(BAD_BODY)?;
    let allow_empty = ALLOW_EMPTY.of(&call.head)?;
    let id = app
        .run(move |service| service.create_strategy(&grant, &call.head.request_id, body.into(), allow_empty))
        .await?;
    Ok(Reply::done().header(LOCATION, format!("{STRATEGIES}/{id}")))
}

/// `PUT /api/v1/strategies`; with `?allowEmpty=true` also when no pod matches now.
async fn update(app: Arc<App>, grant: Granted<StrategyUpdate>, call: Call) -> Result<Reply, HttpError> {
    let body: StrategyBody = call.json(BAD_BODY)?;
    let id = required(&body.strategy_id)?;
    let allow_empty = ALLOW_EMPTY.of(&call.head)?;
    app.run(move |service| {
        service.update_strategy(&grant, &call.head.request_id, id, body.into(), allow_empty)
    })
    .await?;
    Ok(Reply::done())
}

/// `GET /api/v1/strategies/self`; with `?all=true` everybody's, for administrators.
async fn list(app: Arc<App>, grant: Granted<StrategyRead>, call: Call) -> Result<Reply, HttpError> {
    let (whose, page) = (whose(&call.head)?, page(&call.head)?);
    let listed = app.run(move |service| service.strategies(&grant, whose, &page)).await?;
    let reply = |listed: ListedStrategy| {
        let creator_id = (whose == Whose::Everyones).then_some(listed.strategy.value.creator);
        StrategyReply { creator_id, ..StrategyReply::from(listed) }
    };
    Ok(Reply::data(&StrategiesReply {
        strategies: listed.rows.into_iter().map(reply).collect(),
        next: listed.next,
    }))
}

/// `DELETE /api/v1/strategies`; with `?all=true` anybody's, for administrators.
async fn delete(app: Arc<App>, grant: Granted<StrategyDelete>, call: Call) -> Result<Reply, HttpError> {
    let body: DeleteStrategyBody = call.json(BAD_BODY)?;
    let id = required(&body.strategy_id)?;
    let whose = whose(&call.head)?;
    app.run(move |service| service.delete_strategy(&grant, &call.head.request_id, id, whose)).await?;
    Ok(Reply::empty())
}

fn required(id: &str) -> Result<Id, HttpError> {
    if id.is_empty() {
        return Err(HttpError::bad_request("Strategy ID is required"));
    }
    super::routes::parse_id("strategyId", id)
}

impl From<StrategyBody> for StrategyInput {
    fn from(body: StrategyBody) -> Self {
        let StrategyBody {
            strategy_id: _,
            strategy_namespace,
            label_selectors,
            k8s_namespace,
            command_regex,
            priority,
            execution_time,
        } = body;
        Self { strategy_namespace, label_selectors, k8s_namespace, command_regex, priority, execution_time }
    }
}

impl From<ListedStrategy> for StrategyReply {
    fn from(listed: ListedStrategy) -> Self {
        let (strategy, status) = (&listed.strategy.value, listed.status);
        Self {
            id: strategy.id,
            strategy_namespace: strategy.strategy_namespace.clone(),
            label_selectors: strategy.label_selectors.clone(),
            k8s_namespace: Some(strategy.k8s_namespace.clone()).filter(|namespaces| !namespaces.is_empty()),
            command_regex: strategy.command_regex.clone(),
            priority: strategy.priority,
            execution_time: strategy.execution_time,
            status: StrategyStatus {
                pods: status.pods,
                nodes: status.nodes,
                accepted: status.accepted,
                failed: status.failed,
            },
            creator_id: None,
        }
    }
}
