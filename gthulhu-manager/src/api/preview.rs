//! What creating a strategy would do: the service rehearses it, the nodes tell what it comes to there.

mod outcome;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use gthulhu_lib::intent::Checker;
use gthulhu_lib::intent::set::IntentSet;
use http::{Method, StatusCode};

use super::App;
use super::bodies::{PreviewAnswer, StrategyBody};
use super::openapi::{Operation, Row, row};
use super::policy::Permitted;
use super::routes::BAD_BODY;
use super::strategies::ALLOW_EMPTY;
use crate::nodes::driver::Candidate;
use crate::pusher::screened;
use crate::service::{Granted, Rehearsal, StrategyCreate};
use outcome::Outcome;

/// Previews.
pub(super) fn routes() -> Vec<Row> {
    vec![row(
        Route::new(
            Method::POST,
            "/api/v1/strategies/preview",
            Permitted::<StrategyCreate>::new(),
            preview,
            "Tells what creating a strategy would do now; nothing changes.",
        ),
        Operation::data::<PreviewAnswer>().takes::<StrategyBody>().query(&ALLOW_EMPTY).refuses(
            StatusCode::UNPROCESSABLE_ENTITY,
            "A field breaks a rule, or the caller has too many strategies.",
        ),
    )]
}

/// The sets of the nodes in question, each cut to the pods that the rehearsed strategy is for.
struct Sets(BTreeMap<String, IntentSet>);

/// `POST /api/v1/strategies/preview`; with `?allowEmpty=true` as a creation with that.
async fn preview(app: Arc<App>, grant: Granted<StrategyCreate>, call: Call) -> Result<Reply, HttpError> {
    let body: StrategyBody = call.json(BAD_BODY)?;
    let allow_empty = ALLOW_EMPTY.of(&call.head)?;
    let rehearse = move |service: &crate::service::Service| {
        let request_id = &call.head.request_id;
        let mut rehearsal = service.preview_strategy(&grant, request_id, body.into(), allow_empty)?;
        let sets = Sets::of(&mut rehearsal);
        Ok((rehearsal, sets))
    };
    let (rehearsal, sets) = app.run(rehearse).await?;
    let strategy = Some(rehearsal.strategy.id);
    let candidate =
        |(node, set): (&String, &IntentSet)| (node.clone(), Candidate { intents: set.to_wire(), strategy });
    let told = app.nodes.previews(sets.0.iter().map(candidate).collect()).await;
    Ok(Reply::data(&Outcome { rehearsal, sets, told }.into_answer()))
}

impl Sets {
    /// What the nodes take of what they would have to hold. Intents of other pods are left out then: they mean other
    /// processes.
    fn of(rehearsal: &mut Rehearsal) -> Self {
        let strategy = Some(rehearsal.strategy.id);
        let mut checker = Checker::new(rehearsal.limits);
        let mut sets = BTreeMap::new();
        for (node, bodies) in std::mem::take(&mut rehearsal.desired) {
            let set = screened(&mut checker, bodies).set;
            let of_it = set.iter().filter(|intent| intent.strategy() == strategy);
            let pods: HashSet<&str> = of_it.map(gthulhu_lib::intent::Intent::pod_uid).collect();
            if !pods.is_empty() {
                let cut = set.iter().filter(|intent| pods.contains(intent.pod_uid())).cloned().collect();
                sets.insert(node, cut);
            }
        }
        Self(sets)
    }
}
