//! What a request can be refused with, in the document's words: what many routes have in common, and the bodies.

use http::StatusCode;
use serde_json::{Map, Value, json};

/// One reason for a status.
pub(super) struct Case {
    when: &'static str,
    /// Answered before a route was found: another body.
    unrouted: bool,
}

impl Case {
    /// A refusal in the envelope.
    pub(super) fn envelope(when: &'static str) -> Self {
        Self { when, unrouted: false }
    }
}

type Cases = Vec<(StatusCode, Case)>;

fn these(
    apply: bool,
    cases: &[(StatusCode, &'static str)],
) -> impl Iterator<Item = (StatusCode, Case)> + use<> {
    let cases: Cases = cases.iter().map(|&(status, when)| (status, Case::envelope(when))).collect();
    cases.into_iter().filter(move |_| apply)
}

/// What a policy refuses.
pub(super) fn of_policy(policy: &str) -> impl Iterator<Item = (StatusCode, Case)> + use<> {
    let open = policy == "public";
    let unknown = these(!open, &[(StatusCode::UNAUTHORIZED, "No token, or none that is good.")]);
    let must_change = "The password must be changed first.";
    let settled = these(!open && policy != "session", &[(StatusCode::FORBIDDEN, must_change)]);
    let lacking = "The permission is lacking, or not to this extent.";
    let permission = these(policy.starts_with("permission "), &[(StatusCode::FORBIDDEN, lacking)]);
    unknown.chain(settled).chain(permission)
}

/// What the reading of a body refuses.
pub(super) fn of_body(has_body: bool) -> impl Iterator<Item = (StatusCode, Case)> + use<> {
    let cases = [
        (StatusCode::BAD_REQUEST, "The body is not JSON of this shape."),
        (StatusCode::REQUEST_TIMEOUT, "The body did not come in time."),
        (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
    ];
    these(has_body, &cases)
}

/// What the reading of parameters refuses.
pub(super) fn of_query(judged: bool) -> impl Iterator<Item = (StatusCode, Case)> + use<> {
    these(judged, &[(StatusCode::BAD_REQUEST, "A parameter is not what it must be.")])
}

/// What the router does with a parameter in a path that cannot be read.
pub(super) fn of_path(has_parameters: bool) -> impl Iterator<Item = (StatusCode, Case)> + use<> {
    let case = Case { when: "The path is not one of a route.", unrouted: true };
    std::iter::once((StatusCode::NOT_FOUND, case)).filter(move |_| has_parameters)
}

/// What every route refuses that is not for probes.
pub(super) fn of_load(counted: bool) -> impl Iterator<Item = (StatusCode, Case)> + use<> {
    let cases = [
        (StatusCode::INTERNAL_SERVER_ERROR, "A failure of the manager; its log says more."),
        (StatusCode::SERVICE_UNAVAILABLE, "The manager, or what it rests on, cannot do this now."),
    ];
    these(counted, &cases)
}

/// The answer with this status.
pub(super) fn response(status: StatusCode, cases: &[Case]) -> Value {
    let mut whens: Vec<_> = cases.iter().map(|case| case.when).collect();
    whens.dedup();
    let refusal = json!({"$ref": "#/components/schemas/Refusal"});
    let unrouted = json!({"$ref": "#/components/schemas/Unrouted"});
    let schema = match (cases.iter().any(|case| case.unrouted), cases.iter().all(|case| case.unrouted)) {
        (false, _) => refusal,
        (true, true) => unrouted,
        (true, false) => json!({"anyOf": [refusal, unrouted]}),
    };
    let mut response = json!({
        "description": whens.join(" "),
        "content": {
            "application/json": {"schema": schema},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    });
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response["headers"] = json!({"Retry-After": {"$ref": "#/components/headers/RetryAfter"}});
    }
    response
}

/// The headers that answers share.
pub(super) fn headers() -> Value {
    let schema = json!({"type": "integer", "minimum": 1});
    json!({"RetryAfter": {"description": "Seconds after which to try again.", "required": true, "schema": schema}})
}

/// The bodies of refusals.
pub(super) fn schemas() -> Map<String, Value> {
    let text = json!({"type": "string"});
    let refusal = json!({
        "type": "object",
        "description": "Nothing was done.",
        "properties": {"success": {"const": false}, "error": text},
        "required": ["success", "error"],
    });
    let unrouted = json!({
        "type": "object",
        "description": "There is no such route.",
        "properties": {"message": text},
        "required": ["message"],
    });
    let problem = json!({
        "type": "object",
        "description": "A refusal as RFC 9457 has it.",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text,
            "requestId": {"type": "string", "description": "As the log names the request."},
            "field": {"type": "string", "description": "What of the request is wrong."},
        },
        "required": ["type", "title", "status", "detail", "requestId"],
    });
    let named = [("Refusal", refusal), ("Unrouted", unrouted), ("Problem", problem)];
    named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
