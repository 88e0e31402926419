//! The schemas of bodies, as the types say them and as bodies are read and written here.
//!
//! In a request a member that is `null` is an absent one, everywhere; so what may be absent may be `null` too.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::operation::{Body, Describe};
use crate::domain::Permission;

/// Where the document keeps the schemas that have a name.
const PLACE: &str = "/components/schemas";

/// Makes the schemas of one document, and keeps those that are referred to.
pub(super) struct Schemas {
    replies: SchemaGenerator,
    requests: SchemaGenerator,
    bodies: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = PLACE.into();
                settings.meta_schema = None;
            })
        };
        Self {
            replies: settings().for_serialize().into_generator(),
            // What has one name may differ between what is read and what is written; so nothing of requests is shared.
            requests: settings().with(|settings| settings.inline_subschemas = true).into_generator(),
            bodies: Map::new(),
        }
    }

    /// The schema of what is written.
    pub(super) fn reply(&mut self, describe: Describe) -> Value {
        describe(&mut self.replies).to_value()
    }

    /// The schema of what is read.
    pub(super) fn request(&mut self, body: &Body) -> Value {
        if !self.bodies.contains_key(&body.name) {
            let mut schema = (body.describe)(&mut self.requests).to_value();
            null_is_absent(&mut schema);
            self.bodies.insert(body.name.clone(), schema);
        }
        let reference = json!({"$ref": format!("#{PLACE}/{}", body.name)});
        match &body.demands {
            None => reference,
            Some(demands) => json!({"allOf": [reference, demands]}),
        }
    }

    /// All that are referred to, by name.
    pub(super) fn into_named(mut self) -> Map<String, Value> {
        let mut named = self.replies.take_definitions(true);
        named.append(&mut self.bodies);
        named
    }
}

/// Lets what may be absent be `null`, here and in everything inside; a body that needs no member too.
fn null_is_absent(schema: &mut Value) {
    within(schema);
    if schema.get("required").is_none() {
        or_null(schema);
    }
}

fn within(schema: &mut Value) {
    let needed = schema.get("required").cloned().unwrap_or_default();
    let is_needed =
        |name: &str| needed.as_array().is_some_and(|names| names.iter().any(|needed| needed == name));
    if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, member) in members {
            within(member);
            if is_needed(name) {
                // What it is read as when it is absent is of no use.
                member.as_object_mut().map(|member| member.remove("default"));
            } else {
                or_null(member);
            }
        }
    }
    if let Some(items) = schema.get_mut("items") {
        within(items);
    }
}

fn or_null(schema: &mut Value) {
    let null = || Value::from("null");
    if let Some(kind) = schema.get_mut("type") {
        match kind {
            Value::Array(kinds) if kinds.contains(&null()) => {}
            Value::Array(kinds) => kinds.push(null()),
            kind => *kind = vec![kind.take(), null()].into(),
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    if let Some(Value::Array(cases)) = schema.get_mut("anyOf") {
        cases.push(json!({"type": "null"}));
    }
}

/// Describes the key of a permission.
pub(in crate::api) struct PermissionKey;

impl JsonSchema for PermissionKey {
    fn schema_name() -> Cow<'static, str> {
        "PermissionKey".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let keys: Vec<_> = Permission::ALL.iter().map(|permission| permission.key()).collect();
        json_schema!({"type": "string", "enum": keys})
    }
}
