//! A section of the configuration, i.e. a struct: the only place where keys are known or unknown.

use std::vec::IntoIter;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::DeTable;

use super::super::nearest::nearest;
use super::fault::Fault;
use super::value::{EnvValue, FileValue};
use super::{Source, join};

/// One table of the file, or a table that the file leaves out but the environment may fill.
pub(super) struct Section<'a> {
    pub(super) source: &'a Source<'a>,
    /// Dotted name; empty for the whole file.
    pub(super) path: String,
    pub(super) table: Option<&'a DeTable<'a>>,
    /// Byte offset of the section in the file, for mistakes about all of it.
    pub(super) at: usize,
    /// The same section of the default configuration, if it has one.
    pub(super) known: Option<&'a serde_json::Value>,
    /// False inside arrays, whose elements have no variables.
    pub(super) by_env: bool,
}

/// One field of a section, with what it is read from.
pub(super) enum Item<'a> {
    Section(Section<'a>),
    File(FileValue<'a>),
    Env(EnvValue),
}

impl<'a> Section<'a> {
    fn reject_unknown(&self, fields: &'static [&'static str]) -> Result<(), Fault> {
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        // A table is sorted by key; the mistake nearest to the top of the file is the one to report.
        let unknown =
            keys.filter(|key| !fields.contains(&&**key.get_ref())).min_by_key(|key| key.span().start);
        let Some(key) = unknown else { return Ok(()) };
        let unknown = join(&self.path, key.get_ref());
        let message = match nearest(key.get_ref(), fields) {
            Some(meant) => format!("unknown key `{unknown}`; did you mean `{}`?", join(&self.path, meant)),
            None => format!("unknown key `{unknown}`"),
        };
        Err(Fault::at(self.source.place(key.span().start), message))
    }

    fn item(&self, field: &str) -> Option<Item<'a>> {
        let path = join(&self.path, field);
        let known = self.known.and_then(|known| known.get(field));
        let in_file = self.table.and_then(|table| table.get(field));
        let table = in_file.and_then(|value| value.get_ref().as_table());
        if known.is_some_and(serde_json::Value::is_object) && table.is_some() == in_file.is_some() {
            let at = in_file.map_or(self.at, |value| value.span().start);
            return Some(Item::Section(Section { path, table, at, known, ..*self }));
        }
        if let Some((name, text)) = self.by_env.then(|| self.source.variable(&path)).flatten() {
            return Some(Item::Env(EnvValue { name, path, text }));
        }
        in_file.map(|value| Item::File(FileValue { source: self.source, path, value, by_env: self.by_env }))
    }
}

impl<'de> Deserializer<'de> for Section<'_> {
    type Error = Fault;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.reject_unknown(fields)?;
        let items: Vec<_> = fields.iter().filter_map(|field| Some((*field, self.item(field)?))).collect();
        let items = Items { items: items.into_iter(), next: None };
        visitor.visit_map(items).map_err(|fault| fault.placed(|| self.source.place(self.at), &self.path))
    }

    /// A table whose keys are data, not settings: what the file says.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let entries = self.table.into_iter().flat_map(|table| table.iter());
        let items: Vec<_> = entries
            .map(|(key, value)| {
                let path = join(&self.path, key.get_ref());
                let value = FileValue { source: self.source, path, value, by_env: false };
                (&**key.get_ref(), Item::File(value))
            })
            .collect();
        let items = Items { items: items.into_iter(), next: None };
        visitor.visit_map(items).map_err(|fault| fault.placed(|| self.source.place(self.at), &self.path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields of a section, handed to serde one by one.
struct Items<'a> {
    items: IntoIter<(&'a str, Item<'a>)>,
    next: Option<Item<'a>>,
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, item)) = self.items.next() else { return Ok(None) };
        self.next = Some(item);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.next.take() {
            Some(Item::Section(section)) => seed.deserialize(section),
            Some(Item::File(value)) => seed.deserialize(value),
            Some(Item::Env(value)) => seed.deserialize(value),
            None => Err(Fault::custom("a value was asked for before its key")),
        }
    }
}
