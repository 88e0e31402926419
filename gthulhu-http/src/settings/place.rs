//! Where a value comes from, and where a mistake is shown.

use std::collections::BTreeMap;
use std::fmt;

/// A spot in the file, or a variable. Spots come first and in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file.
    File {
        /// The file as it was named.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// The environment variable of this name.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Place::Variable(name) => f.write_str(name),
        }
    }
}

/// Where each key got its value; a key that is not here has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    file: String,
    values: BTreeMap<String, Place>,
    sections: BTreeMap<String, Place>,
}

impl Origins {
    pub(super) fn new(file: &str) -> Origins {
        Origins { file: file.to_owned(), ..Origins::default() }
    }

    pub(super) fn value(&mut self, key: &str, place: Place) {
        self.values.insert(key.to_owned(), place);
    }

    pub(super) fn section(&mut self, key: &str, place: Place) {
        self.sections.insert(key.to_owned(), place);
    }

    /// The file that was read.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What set this key (`server.host`, `nodes[0].url`), if it has not its default.
    pub fn of(&self, key: &str) -> Option<&Place> {
        self.values.get(key)
    }

    /// Whether the file has this section, even an empty one.
    pub fn has_section(&self, section: &str) -> bool {
        self.sections.contains_key(section)
    }

    /// Where to look after a mistake about this key: what set it, else its section, else the top of the file.
    pub fn place(&self, key: &str) -> Place {
        let mut outer = Some(key);
        while let Some(key) = outer {
            if let Some(place) = self.values.get(key).or_else(|| self.sections.get(key)) {
                return place.clone();
            }
            outer = key.rsplit_once(['.', '[']).map(|(outer, _)| outer);
        }
        Place::File { file: self.file.clone(), line: 1, column: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_looked_for_where_it_is_set_then_in_what_surrounds_it() {
        let at = |line| Place::File { file: "f".into(), line, column: 2 };
        let mut origins = Origins::new("f");
        origins.section("server", at(3));
        origins.section("nodes[1]", at(9));
        origins.value("server.host", Place::Variable("X_SERVER_HOST".into()));
        for (key, want) in [
            ("server.host", "X_SERVER_HOST"),
            ("server.port", "f:3:2"),
            ("server.tls.cert_pem", "f:3:2"),
            ("nodes[1].url", "f:9:2"),
            ("nodes[0].url", "f:1:1"),
            ("token.key", "f:1:1"),
        ] {
            assert_eq!(origins.place(key).to_string(), want, "{key}");
        }
        assert!(origins.has_section("server") && !origins.has_section("token"));
        assert_eq!(origins.of("server.port"), None);
    }

    #[test]
    fn mistakes_are_read_from_the_top_and_variables_come_last() {
        let at = |line, column| Place::File { file: "f".into(), line, column };
        let mut places = [Place::Variable("A".into()), at(10, 1), at(9, 20), at(9, 3)];
        places.sort();
        assert_eq!(places.map(|place| place.to_string()), ["f:9:3", "f:9:20", "f:10:1", "A"]);
    }
}
