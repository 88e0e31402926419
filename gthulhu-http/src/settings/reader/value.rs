//! Single values: what the file says, which has a type, and what a variable says, which is text.

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::super::place::Place;
use super::Source;
use super::fault::Fault;
use super::section::Section;

/// A value in the file.
pub(super) struct FileValue<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) path: String,
    pub(super) value: &'a Spanned<DeValue<'a>>,
    pub(super) by_env: bool,
}

/// A value in the environment: text until serde says what it should be.
pub(super) struct EnvValue {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) text: String,
}

impl<'a> FileValue<'a> {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = self.value;
        match value.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            DeValue::Integer(digits) => visit_integer(digits, visitor),
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Fault::invalid_value(Unexpected::Other("a number out of range"), &visitor)),
            },
            DeValue::Datetime(moment) => visitor.visit_string(moment.to_string()),
            DeValue::Array(values) => {
                let elements = values.iter().enumerate();
                let elements = elements.map(|(index, value)| (format!("{}[{index}]", self.path), value));
                let elements =
                    elements.filter(|(path, _)| !self.source.is_skipped(path)).map(|(path, value)| {
                        self.source
                            .origins
                            .borrow_mut()
                            .section(&path, self.source.place(value.span().start));
                        FileValue { source: self.source, path, value, by_env: false }
                    });
                visitor.visit_seq(SeqDeserializer::new(elements))
            }
            DeValue::Table(table) => self.section(table).deserialize_any(visitor),
        }
    }

    /// The section that a table in the file is.
    fn section(self, table: &'a DeTable<'a>) -> Section<'a> {
        let at = self.value.span().start;
        Section {
            source: self.source,
            path: self.path,
            table: Some(table),
            at,
            known: None,
            by_env: self.by_env,
        }
    }

    /// Runs one attempt to read this value; a mistake gets this value's place.
    fn placing<T>(self, attempt: impl FnOnce(Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let (source, key, start) = (self.source, self.path.clone(), self.value.span().start);
        attempt(self).map_err(|fault| fault.placed(|| source.place(start), &key))
    }
}

fn visit_integer<'de, V: Visitor<'de>>(digits: &DeInteger<'_>, visitor: V) -> Result<V::Value, Fault> {
    let (text, radix) = (digits.as_str(), digits.radix());
    match (i64::from_str_radix(text, radix), u64::from_str_radix(text, radix)) {
        (Ok(number), _) => visitor.visit_i64(number),
        (_, Ok(number)) => visitor.visit_u64(number),
        _ => Err(Fault::invalid_value(Unexpected::Other("a number out of range"), &visitor)),
    }
}

impl<'de> Deserializer<'de> for FileValue<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placing(|this| this.visit(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let value = self.value;
        self.placing(|this| match value.get_ref() {
            DeValue::Table(table) => this.section(table).deserialize_struct(name, fields, visitor),
            _ => this.visit(visitor),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.placing(|this| match this.value.get_ref() {
            DeValue::String(text) => visitor.visit_enum(StrDeserializer::new(text)),
            _ => this.visit(visitor),
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placing(|this| visitor.visit_some(this))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.placing(|this| visitor.visit_newtype_struct(this))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for FileValue<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl EnvValue {
    fn placed(&self, fault: Fault) -> Fault {
        fault.placed(|| Place::Variable(self.name.clone()), &self.path)
    }

    fn unexpected<'de, V: Visitor<'de>>(&self, visitor: &V) -> Fault {
        self.placed(Fault::invalid_value(Unexpected::Str(&self.text), visitor))
    }

    fn sectionless<'de, V: Visitor<'de>>(&self, visitor: &V) -> Fault {
        self.placed(Fault::invalid_type(
            Unexpected::Other("a variable, which cannot hold a section"),
            visitor,
        ))
    }
}

/// Text that must parse as the type which serde asks for.
macro_rules! parsed {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.text.trim().parse() {
                Ok(value) => visitor.$visit(value).map_err(|fault| self.placed(fault)),
                Err(_) => Err(self.unexpected(&visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for EnvValue {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(&self.text).map_err(|fault| self.placed(fault))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.text.trim().to_lowercase().as_str() {
            "true" | "1" => visitor.visit_bool(true).map_err(|fault| self.placed(fault)),
            "false" | "0" => visitor.visit_bool(false).map_err(|fault| self.placed(fault)),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    parsed! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
        deserialize_i128 visit_i128 deserialize_u128 visit_u128 deserialize_f32 visit_f32 deserialize_f64 visit_f64
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let elements = self.text.split(',').map(str::trim).filter(|text| !text.is_empty());
        // A mistake in one element is a mistake of the variable: it can only be left out as a whole.
        let elements = elements.map(|text| EnvValue {
            name: self.name.clone(),
            path: self.path.clone(),
            text: text.to_owned(),
        });
        visitor.visit_seq(SeqDeserializer::new(elements)).map_err(|fault| self.placed(fault))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(StrDeserializer::new(&self.text)).map_err(|fault| self.placed(fault))
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

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Err(self.sectionless(&visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Err(self.sectionless(&visitor))
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for EnvValue {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
