//! The document about the API: that it is one, that it is about these routes and no others, and that it can be read.

use std::collections::BTreeSet;

use boon::{Compiler, Draft, Schemas};
use gthulhu_manager::api;
use serde_json::{Value, json};

use crate::rig::{Rig, golden, golden_text};

/// What every document of this version must look like, by those who made OpenAPI.
const META: &str = include_str!("../../vendor/openapi/schema-3.1.json");

async fn document() -> Value {
    let rig = Rig::start();
    let stranger = rig.stranger();
    let reply = stranger.get("/openapi.json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(stranger.get("/swagger/doc.json").await.text(), reply.text());
    serde_json::from_str(reply.text()).unwrap()
}

/// Every operation of the document: method, path, what it says.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let path = path.clone();
        let methods = methods.as_object().unwrap().clone().into_iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn the_document_is_as_it_was_read() {
    golden_text("openapi.json", &serde_json::to_string_pretty(&document().await).unwrap());
}

#[tokio::test]
async fn every_route_is_in_the_document_and_nothing_else() {
    let routes = api::routes();
    let expected: BTreeSet<_> =
        routes.iter().map(|route| (route.method().to_string(), route.path().to_owned())).collect();
    let operations = operations(&document().await);
    let described: BTreeSet<_> =
        operations.iter().map(|(method, path, _)| (method.clone(), path.clone())).collect();
    assert_eq!(described, expected);
    let ids: BTreeSet<_> =
        operations.iter().map(|(.., operation)| operation["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations.len(), "each has a name of its own");
    for (_, path, operation) in &operations {
        for link in
            operation["responses"]["200"]["links"].as_object().into_iter().flat_map(|links| links.values())
        {
            assert!(ids.contains(&link["operationId"].as_str()), "{path}: {link}");
        }
    }
}

#[tokio::test]
async fn the_document_is_openapi() {
    let meta: Value = serde_json::from_str(META).unwrap();
    let url = meta["$id"].as_str().unwrap().to_owned();
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.add_resource(&url, meta).unwrap();
    let openapi = compiler.compile(&url, &mut schemas).unwrap();
    let document = document().await;
    schemas.validate(&document, openapi).unwrap_or_else(|fault| panic!("{fault:#}"));

    let without = |member: &str| {
        let mut broken = document.clone();
        broken.as_object_mut().unwrap().remove(member);
        broken
    };
    assert!(schemas.validate(&without("info"), openapi).is_err(), "it can tell");
}

#[tokio::test]
async fn what_the_document_refers_to_is_there_and_what_describes_can_be_used() {
    let document = document().await;
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 30, "{references:?}");
    for reference in &references {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let place = format!("#/components/schemas/{name}");
        assert!(references.contains(&place), "{name} is described and not used");
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.add_resource("http://localhost/openapi.json", document.clone()).unwrap();
        let compiled = compiler.compile(&format!("http://localhost/openapi.json{place}"), &mut schemas);
        compiled.unwrap_or_else(|fault| panic!("{name}: {fault:#}"));
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn what_an_operation_says_follows_from_its_route() {
    let routes = api::routes();
    for (method, path, operation) in operations(&document().await) {
        let route = routes.iter().find(|route| route.path() == path && *route.method() == *method).unwrap();
        let what = format!("{method} {path}");
        let (policy, described) = (route.policy(), operation["description"].as_str().unwrap());
        if let Some(key) = policy.strip_prefix("permission ") {
            assert!(described.contains(&format!("`{key}`")), "{what}: {described}");
        }
        let open = policy == "public";
        assert_eq!(operation["security"], if open { json!([]) } else { json!([{"bearer": []}]) }, "{what}");
        let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
        let has = |status: &str| statuses.iter().any(|listed| *listed == status);
        assert!(open || has("401"), "{what}: {statuses:?}");
        assert_eq!(policy.starts_with("permission "), has("403") && policy != "session settled", "{what}");
        assert_eq!(operation.get("requestBody").is_some(), has("413"), "{what}: {statuses:?}");
        let in_path: BTreeSet<_> =
            path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let declared: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        assert_eq!(in_path, declared, "{what}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let rig = Rig::start();
    let stranger = rig.stranger();
    golden("swagger", &stranger.get("/swagger").await);
    golden("swagger-slash", &stranger.get("/swagger/").await);
    let page = stranger.get("/swagger/index.html").await;
    golden("swagger-page", &page);
    golden("swagger-start", &stranger.get("/swagger/start.js").await);
    let named = |attribute: &str| -> Vec<String> {
        let ends = page.text().split(attribute).skip(1);
        ends.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    };
    let files = [named("src=\""), named("href=\"")].concat();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let reply = stranger.get(&format!("/swagger/{file}")).await;
        assert_eq!(reply.status, 200, "{file}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{file}");
    }
    let style = stranger.get("/swagger/swagger-ui.css").await;
    assert!(!style.text().contains("@import") && !style.text().contains("url(http"));
}
