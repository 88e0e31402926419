//! One JSON value into a tree, refusing what two readers could understand differently.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{MAX_DEPTH, ParseError, visible};

/// Reads exactly one value. Members that are `null` are dropped from their object; elements of arrays stay.
pub(super) fn tree(body: &[u8]) -> Result<Value, ParseError> {
    if body.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        return Err(ParseError::Empty);
    }
    let fault = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Node { depth: 0, fault: &fault }.deserialize(&mut reader).map_err(|error| {
        // A refusal of ours travels through serde_json as a custom message; its meaning is in `fault`.
        let syntax = ParseError::Syntax { line: error.line(), column: error.column() };
        fault.borrow_mut().take().unwrap_or(syntax)
    })?;
    reader.end().map_err(|_| ParseError::Trailing)?;
    Ok(value)
}

/// Reads one node of the tree; `depth` is the number of arrays and objects around it.
#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    fault: &'a RefCell<Option<ParseError>>,
}

impl Node<'_> {
    fn refuse<E: serde::de::Error>(self, why: ParseError) -> E {
        *self.fault.borrow_mut() = Some(why);
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(ParseError::TooDeep));
        }
        Ok(Node { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<Value, S::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Value, M::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.refuse(ParseError::DuplicateKey { key: visible(&key) }));
            }
            let value = members.next_value_seed(inner)?;
            object.insert(key, value);
        }
        // Only now: a null member still counts when the key comes a second time.
        object.retain(|_, value| !value.is_null());
        Ok(Value::Object(object))
    }
}
