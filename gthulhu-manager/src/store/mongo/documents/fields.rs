//! Reading fields: each is there with the right type, or absent, or the document is refused with the field's name.

use gthulhu_lib::id::Id;
use mongodb::bson::{Bson, Document as Fields};

/// The fields of one document. Null counts as absent.
pub(in super::super) struct Reader<'d>(pub(in super::super) &'d Fields);

impl<'d> Reader<'d> {
    fn get(&self, name: &str) -> Option<&'d Bson> {
        self.0.get(name).filter(|value| !matches!(value, Bson::Null | Bson::Undefined))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'d str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Bson::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "a text")),
        }
    }

    /// A text that may be missing, and is empty then.
    pub(super) fn text_or_empty(&self, name: &str) -> Result<String, String> {
        self.text(name).map(|text| text.unwrap_or_default().to_owned())
    }

    pub(super) fn required_text(&self, name: &str) -> Result<String, String> {
        self.text(name)?.map(str::to_owned).ok_or_else(|| missing(name))
    }

    /// A whole number of whatever width.
    pub(in super::super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Bson::Int32(number)) => Ok(Some((*number).into())),
            Some(Bson::Int64(number)) => Ok(Some(*number)),
            // What scripts write: exact up to 2^53.
            Some(Bson::Double(number)) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
                format!("{number:.0}").parse().map(Some).map_err(|_| wrong(name, "a whole number"))
            }
            Some(_) => Err(wrong(name, "a whole number")),
        }
    }

    /// A number that may be missing, and is 0 then.
    pub(super) fn number_or_zero(&self, name: &str) -> Result<i64, String> {
        self.number(name).map(Option::unwrap_or_default)
    }

    /// A number of ours, never negative.
    pub(in super::super) fn count(&self, name: &str) -> Result<u64, String> {
        let number = self.number(name)?.ok_or_else(|| missing(name))?;
        u64::try_from(number).map_err(|_| wrong(name, "0 or more"))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(false),
            Some(Bson::Boolean(flag)) => Ok(*flag),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    pub(super) fn id(&self, name: &str) -> Result<Option<Id>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Bson::ObjectId(id)) => Ok(Some(Id::from_bytes(id.bytes()))),
            Some(_) => Err(wrong(name, "an ObjectId")),
        }
    }

    pub(super) fn required_id(&self, name: &str) -> Result<Id, String> {
        self.id(name)?.ok_or_else(|| missing(name))
    }

    fn list(&self, name: &str) -> Result<&'d [Bson], String> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Bson::Array(list)) => Ok(list),
            Some(_) => Err(wrong(name, "a list")),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let text = |value: &Bson| match value {
            Bson::String(text) => Ok(text.clone()),
            _ => Err(wrong(name, "a list of texts")),
        };
        self.list(name)?.iter().map(text).collect()
    }

    pub(super) fn documents(&self, name: &str) -> Result<Vec<Reader<'d>>, String> {
        let document = |value: &'d Bson| match value {
            Bson::Document(fields) => Ok(Reader(fields)),
            _ => Err(wrong(name, "a list of documents")),
        };
        self.list(name)?.iter().map(document).collect()
    }
}

fn missing(name: &str) -> String {
    format!("`{name}` is missing")
}

fn wrong(name: &str, expected: &str) -> String {
    format!("`{name}` must be {expected}")
}
