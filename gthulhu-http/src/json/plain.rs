//! The short way: a body as programs write them goes from its text into the type at once, without a tree in between.
//!
//! It takes nothing that the long way refuses, and gives the same. Whatever two readers could understand differently is left
//! to the long way, and so is whatever is rare: `null`, numbers with a point or an exponent, enums, keys with escapes, very
//! many keys. The long way also knows how to say what is wrong.

use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::MAX_DEPTH;

/// The most keys of an object: each is held against all before it.
const KEYS_MAX: usize = 32;

/// The value of a plain body. None says nothing about the body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = T::deserialize(Plain { inner: &mut reader, depth: 0 }).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// For nobody to read.
fn not_plain<E: Error>() -> E {
    E::custom("not plain")
}

/// serde's part for a value, which takes only what is plain; `depth` is the number of arrays and objects around it.
struct Plain<T> {
    inner: T,
    depth: usize,
}

impl<T> Plain<T> {
    fn of<U>(&self, inner: U) -> Plain<U> {
        Plain { inner, depth: self.depth }
    }

    /// The depth of what is in this array or object.
    fn within<E: Error>(&self) -> Result<usize, E> {
        if self.depth == MAX_DEPTH { Err(not_plain()) } else { Ok(self.depth + 1) }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Plain<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.of(visitor);
        self.inner.deserialize_any(visitor)
    }

    /// A struct is an object and nothing else.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.of(visitor);
        self.inner.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.of(visitor);
        self.inner.deserialize_option(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, D::Error> {
        Err(not_plain())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

/// What is not visited here is not plain.
impl<'de, V: Visitor<'de>> Visitor<'de> for Plain<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.inner.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.inner.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.inner.visit_u64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.inner.visit_str(value)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.of(value);
        self.inner.visit_some(value)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, elements: S) -> Result<V::Value, S::Error> {
        let depth = self.within()?;
        self.inner.visit_seq(Plain { inner: elements, depth })
    }

    fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<V::Value, M::Error> {
        let depth = self.within()?;
        self.inner.visit_map(Members { inner: members, depth, keys: Keys::default() })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Plain<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        let value = self.of(value);
        self.inner.deserialize(value)
    }
}

impl<'de, S: SeqAccess<'de>> SeqAccess<'de> for Plain<S> {
    type Error = S::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, S::Error> {
        let seed = self.of(seed);
        self.inner.next_element_seed(seed)
    }
}

/// The members of an object, no two of which have one key.
struct Members<'de, M> {
    inner: M,
    depth: usize,
    keys: Keys<'de>,
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Members<'de, M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, M::Error> {
        self.inner.next_key_seed(Key { seed, keys: &mut self.keys })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, M::Error> {
        self.inner.next_value_seed(Plain { inner: seed, depth: self.depth })
    }
}

/// Keys as they are in the text.
#[derive(Default)]
struct Keys<'de> {
    seen: [&'de str; KEYS_MAX],
    count: usize,
}

struct Key<'k, 'de, K> {
    seed: K,
    keys: &'k mut Keys<'de>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, 'de, K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<K::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Key<'_, 'de, K> {
    type Value = K::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<K::Value, E> {
        let Keys { seen, count } = self.keys;
        if seen[..*count].contains(&key) {
            return Err(not_plain());
        }
        *seen.get_mut(*count).ok_or_else(not_plain)? = key;
        *count += 1;
        self.seed.deserialize(BorrowedStrDeserializer::new(key))
    }
}
