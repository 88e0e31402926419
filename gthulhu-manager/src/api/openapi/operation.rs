//! What a route takes and gives, beyond what the table of routes says anyway.

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::api::query::Parameter;

/// Makes the schema of a type; the generator keeps those of the types inside it.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// What a route takes and gives. What follows from its policy, and from its having a body, is added by the document.
pub(in crate::api) struct Operation {
    pub(super) success: Success,
    pub(super) body: Option<Body>,
    pub(super) path: Vec<(&'static str, &'static str)>,
    pub(super) query: Vec<Parameter>,
    pub(super) refusals: Vec<(StatusCode, &'static str)>,
    /// An answer of another status that looks like the one of success.
    pub(super) other: Option<(StatusCode, &'static str)>,
    pub(super) links: Vec<Link>,
}

/// The answer to a request that was granted.
pub(super) struct Success {
    pub(super) status: StatusCode,
    pub(super) content: Content,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// What is inside an answer.
pub(super) enum Content {
    /// The envelope around `data` of this type.
    Data(Describe),
    /// The envelope around an empty `data`.
    Empty,
    /// The envelope without `data`.
    Done,
    /// JSON of this schema, without the envelope.
    Json(Value),
    /// Text, or bytes, of this media type.
    Text(&'static str),
    /// Nothing.
    Nothing,
}

/// The body that a request must have.
pub(super) struct Body {
    /// Of its type.
    pub(super) name: String,
    pub(super) describe: Describe,
    /// Fields that must be there although the type could do without.
    pub(super) demands: Option<Value>,
}

/// What can be done with an answer: call another operation with something of it.
pub(super) struct Link {
    /// As the document names it.
    pub(super) operation: &'static str,
    /// Where what it needs is in the answer.
    pub(super) needs: Needs,
}

/// What a linked operation needs.
pub(super) enum Needs {
    /// Members of its body.
    Body(Value),
    /// A parameter in its path.
    Path(&'static str, &'static str),
}

impl Operation {
    fn new(content: Content) -> Self {
        let success = Success { status: StatusCode::OK, content, headers: Vec::new() };
        Self {
            success,
            body: None,
            path: Vec::new(),
            query: Vec::new(),
            refusals: Vec::new(),
            other: None,
            links: Vec::new(),
        }
    }

    /// Answers with `data` of this type.
    pub(in crate::api) fn data<T: JsonSchema>() -> Self {
        Self::new(Content::Data(SchemaGenerator::subschema_for::<T>))
    }

    /// Answers with an empty `data`.
    pub(in crate::api) fn empty() -> Self {
        Self::new(Content::Empty)
    }

    /// Answers without `data`.
    pub(in crate::api) fn done() -> Self {
        Self::new(Content::Done)
    }

    /// Answers with JSON of this schema, and nothing around it.
    pub(in crate::api) fn json(schema: Value) -> Self {
        Self::new(Content::Json(schema))
    }

    /// Answers with text, or bytes, of this media type.
    pub(in crate::api) fn text(media_type: &'static str) -> Self {
        Self::new(Content::Text(media_type))
    }

    /// Sends the caller to another address.
    pub(in crate::api) fn redirect(status: StatusCode) -> Self {
        let mut operation = Self::new(Content::Nothing).header("Location", "Where to go.");
        operation.success.status = status;
        operation
    }

    /// The answer has this header.
    pub(in crate::api) fn header(mut self, name: &'static str, about: &'static str) -> Self {
        self.success.headers.push((name, about));
        self
    }

    /// Demands a JSON body that this type is read from.
    pub(in crate::api) fn takes<T: JsonSchema>(mut self) -> Self {
        let (name, describe) = (T::schema_name().into_owned(), SchemaGenerator::subschema_for::<T>);
        self.body = Some(Body { name, describe, demands: None });
        self
    }

    /// Demands a field of the body, described by `T`, that the body's type could do without.
    pub(in crate::api) fn demands<T: JsonSchema>(mut self, field: &'static str) -> Self {
        let schema = T::json_schema(&mut SchemaGenerator::default());
        // An object, for what needs a member is not there when it is `null`.
        let demands = json!({"type": "object", "required": [field], "properties": {field: schema}});
        self.body = self.body.map(|body| Body { demands: Some(demands), ..body });
        self
    }

    /// Has a parameter in its path.
    pub(in crate::api) fn path(mut self, name: &'static str, about: &'static str) -> Self {
        self.path.push((name, about));
        self
    }

    /// Understands a parameter after the question mark.
    pub(in crate::api) fn query(mut self, parameter: impl Into<Parameter>) -> Self {
        self.query.push(parameter.into());
        self
    }

    /// What the answer says can be sent to another operation, in its body.
    pub(in crate::api) fn body_for(mut self, operation: &'static str, members: Value) -> Self {
        self.links.push(Link { operation, needs: Needs::Body(members) });
        self
    }

    /// What the answer says can be put into the path of another operation.
    pub(in crate::api) fn path_for(
        mut self,
        operation: &'static str,
        parameter: &'static str,
        place: &'static str,
    ) -> Self {
        self.links.push(Link { operation, needs: Needs::Path(parameter, place) });
        self
    }

    /// Answers with another status, and no less, in this case.
    pub(in crate::api) fn or(mut self, status: StatusCode, when: &'static str) -> Self {
        self.other = Some((status, when));
        self
    }

    /// Refuses with this status in this case.
    pub(in crate::api) fn refuses(mut self, status: StatusCode, when: &'static str) -> Self {
        self.refusals.push((status, when));
        self
    }
}
