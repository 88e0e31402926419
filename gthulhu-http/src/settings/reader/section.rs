//! A section of the configuration, i.e. a struct: the only place where keys are known or unknown.

use std::vec::IntoIter;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::DeTable;

use super::super::Mistake;
use super::super::nearest::nearest;
use super::super::place::Place;
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
    /// Unknown keys are mistakes, but no reason to stop: the rest of the section is read all the same.
    fn note_unknown(&self, fields: &'static [&'static str]) {
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        for key in keys.filter(|key| !fields.contains(&&**key.get_ref())) {
            let unknown = join(&self.path, key.get_ref());
            let message = match nearest(key.get_ref(), fields) {
                Some(meant) => {
                    format!("unknown key `{unknown}`; did you mean `{}`?", join(&self.path, meant))
                }
                None => format!("unknown key `{unknown}`; {}", self.known_keys(fields)),
            };
            self.source.note(Mistake { place: self.source.place(key.span().start), key: unknown, message });
        }
    }

    fn known_keys(&self, fields: &[&str]) -> String {
        let (place, kind) = match self.path.as_str() {
            "" => ("the file".to_owned(), "sections"),
            path => (format!("`{path}`"), "keys"),
        };
        let list: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
        format!("the {kind} of {place} are {}", list.join(", "))
    }

    fn item(&self, field: &str) -> Option<Item<'a>> {
        let path = join(&self.path, field);
        if self.source.is_skipped(&path) {
            return None;
        }
        let known = self.known.and_then(|known| known.get(field));
        let in_file = self.table.and_then(|table| table.get(field));
        let table = in_file.and_then(|value| value.get_ref().as_table());
        let mut origins = self.source.origins.borrow_mut();
        if known.is_some_and(serde_json::Value::is_object) && table.is_some() == in_file.is_some() {
            let at = in_file.map_or(self.at, |value| value.span().start);
            if table.is_some() {
                origins.section(&path, self.source.place(at));
            }
            return Some(Item::Section(Section { path, table, at, known, ..*self }));
        }
        if let Some((name, value)) = self.by_env.then(|| self.source.variable(&path)).flatten() {
            origins.value(&path, Place::Variable(name.clone()));
            let Ok(text) = value.into_string() else {
                // It was meant to beat the file, so the file's value is not what was meant either.
                let message = format!("`{path}` must be text in UTF-8");
                self.source.note(Mistake { place: Place::Variable(name), key: path, message });
                return None;
            };
            return Some(Item::Env(EnvValue { name, path, text }));
        }
        let value = in_file?;
        origins.value(&path, self.source.place(value.span().start));
        Some(Item::File(FileValue { source: self.source, path, value, by_env: self.by_env }))
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
        self.note_unknown(fields);
        let items: Vec<_> = fields.iter().filter_map(|field| Some((*field, self.item(field)?))).collect();
        let items = Items { items: items.into_iter(), next: None };
        visitor.visit_map(items).map_err(|fault| fault.placed(|| self.source.place(self.at), &self.path))
    }

    /// A table whose keys are data, not settings: what the file says.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let entries = self.table.into_iter().flat_map(|table| table.iter());
        let items: Vec<_> = entries
            .map(|(key, value)| (key, join(&self.path, key.get_ref()), value))
            .filter(|(_, path, _)| !self.source.is_skipped(path))
            .map(|(key, path, value)| {
                let place = self.source.place(value.span().start);
                self.source.origins.borrow_mut().value(&path, place);
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
        // Most values place their own mistakes. A type that judges a text after it was read cannot.
        match self.next.take() {
            Some(Item::Section(section)) => seed.deserialize(section),
            Some(Item::File(value)) => {
                let (source, path, start) = (value.source, value.path.clone(), value.value.span().start);
                seed.deserialize(value).map_err(|fault| fault.placed(|| source.place(start), &path))
            }
            Some(Item::Env(value)) => {
                let (name, path) = (value.name.clone(), value.path.clone());
                seed.deserialize(value).map_err(|fault| fault.placed(|| Place::Variable(name), &path))
            }
            None => Err(Fault::custom("a value was asked for before its key")),
        }
    }
}
