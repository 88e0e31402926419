//! The document: everything that the rows say, and what follows from what they are.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Row;
use super::operation::{Content, Link, Needs, Operation};
use super::refusals::{self, Case};
use super::schemas::Schemas;

/// The document for these rows.
pub(in crate::api) fn document(rows: &[Row]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for row in rows {
        let method = row.route.method().as_str().to_ascii_lowercase();
        paths.entry(row.route.path()).or_default().insert(method, operation(row, &mut schemas));
    }
    let mut named = schemas.into_named();
    named.extend(refusals::schemas());
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Gthulhu manager",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Users, roles and strategies; what each node is asked to hold.",
            "description": ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        // Where the document was read from.
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": named,
            "headers": refusals::headers(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The access token of POST /api/v1/auth/login.",
                },
            },
        },
    })
}

const ABOUT: &str = "Bodies are JSON. Unknown members are ignored, and a member that is null is an absent one. A refusal \
    is {\"success\":false,\"error\":TEXT}, or problem details (RFC 9457) for who accepts application/problem+json. \
    Below /api a path and method that are not in this document get 404.";

fn operation(row: &Row, schemas: &mut Schemas) -> Value {
    let (route, operation) = (&row.route, &row.operation);
    let mut responses = Map::new();
    let success = success(operation, schemas);
    if let Some((status, when)) = operation.other {
        let mut other = success.clone();
        other["description"] = when.into();
        responses.insert(status.as_str().into(), other);
    }
    responses.insert(operation.success.status.as_str().into(), success);
    for (status, cases) in cases(row) {
        responses.insert(status.as_str().into(), refusals::response(status, &cases));
    }
    let mut described = json!({
        "operationId": operation_id(route.method().as_str(), route.path()),
        "tags": [tag(route.path())],
        "summary": route.doc(),
        "description": who(route.policy()),
        "security": if route.policy() == "public" { json!([]) } else { json!([{"bearer": []}]) },
        "responses": responses,
    });
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        let content = json!({"application/json": {"schema": schemas.request(body)}});
        described["requestBody"] = json!({"required": true, "content": content});
    }
    described
}

/// Every refusal: those that the row names, and those that any route like it has.
fn cases(row: &Row) -> BTreeMap<StatusCode, Vec<Case>> {
    let mut cases: BTreeMap<StatusCode, Vec<Case>> = BTreeMap::new();
    for &(status, when) in &row.operation.refusals {
        cases.entry(status).or_default().push(Case::envelope(when));
    }
    let operation = &row.operation;
    let general = refusals::of_policy(row.route.policy())
        .chain(refusals::of_body(operation.body.is_some()))
        .chain(refusals::of_query(operation.query.iter().any(|parameter| parameter.judged)))
        .chain(refusals::of_path(!operation.path.is_empty()))
        .chain(refusals::of_load(row.route.is_counted()));
    for (status, case) in general {
        cases.entry(status).or_default().push(case);
    }
    cases
}

fn success(operation: &Operation, schemas: &mut Schemas) -> Value {
    let envelope = |data: Option<Value>| {
        let mut members =
            json!({"success": {"const": true}, "timestamp": {"type": "string", "format": "date-time"}});
        let mut needed = json!(["success", "timestamp"]);
        if let Some(data) = data {
            members["data"] = data;
            needed = json!(["success", "data", "timestamp"]);
        }
        json!({"application/json": {"schema": {"type": "object", "properties": members, "required": needed}}})
    };
    let success = &operation.success;
    let content = match &success.content {
        Content::Data(describe) => envelope(Some(schemas.reply(*describe))),
        Content::Empty => envelope(Some(json!({"type": "object", "maxProperties": 0}))),
        Content::Done => envelope(None),
        Content::Json(schema) => json!({"application/json": {"schema": schema}}),
        Content::Text(media_type) => json!({*media_type: {}}),
        Content::Nothing => json!({}),
    };
    let mut response =
        json!({"description": if success.status.is_redirection() { "Elsewhere." } else { "Done." }});
    if content != json!({}) {
        response["content"] = content;
    }
    for link in &operation.links {
        response["links"][link.operation] = described(link);
    }
    for (name, about) in &success.headers {
        response["headers"][name] =
            json!({"description": about, "required": true, "schema": {"type": "string"}});
    }
    response
}

fn described(link: &Link) -> Value {
    match &link.needs {
        Needs::Body(members) => json!({"operationId": link.operation, "requestBody": members}),
        Needs::Path(name, place) => json!({"operationId": link.operation, "parameters": {*name: place}}),
    }
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let path = operation.path.iter().map(|(name, about)| {
        let schema = json!({"type": "string", "minLength": 1});
        json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema})
    });
    let query = operation.query.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "schema": parameter.schema,
        })
    });
    path.chain(query).collect()
}

/// A sentence about who may call a route.
fn who(policy: &str) -> String {
    match policy.split_once(' ') {
        Some(("permission", key)) => format!("Needs the permission `{key}`."),
        Some(("session", _)) => "For every user who need not change the password first.".to_owned(),
        None if policy == "session" => "For every user, also one who must change the password.".to_owned(),
        _ => "For everybody.".to_owned(),
    }
}

/// `GET /api/v1/strategies/self` is `getStrategiesSelf`.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(|word| word.split_at_checked(1));
    let id =
        words.fold(method.to_ascii_lowercase(), |id, (first, rest)| id + &first.to_ascii_uppercase() + rest);
    // A path that ends with a slash is another than the one without.
    if path.ends_with('/') { id + "Slash" } else { id }
}

/// What a route is about: the word after `/api/v1/`.
fn tag(path: &str) -> &str {
    path.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next()).unwrap_or("system")
}
