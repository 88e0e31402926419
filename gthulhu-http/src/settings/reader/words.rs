//! serde's words for types and values in the words of someone who edits a file.

use serde::de::Unexpected;

/// What should be written, from the name that a type gives itself.
pub(super) fn expected(name: &str) -> String {
    if let Some(range) = range(name) {
        return format!("a whole number {range}");
    }
    match name {
        // A user knows sections, not the names of our types.
        _ if name.starts_with("struct ") => "a section with keys of its own",
        "a map" => "a section with keys of its own",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "an array such as [\"a\", \"b\"]",
        "f32" | "f64" => "a number",
        other => other,
    }
    .to_owned()
}

fn range(name: &str) -> Option<&'static str> {
    Some(match name {
        "u8" => "from 0 to 255",
        "u16" => "from 0 to 65535",
        "u32" => "from 0 to 4294967295",
        "u64" | "usize" => "from 0 on",
        "i8" => "from -128 to 127",
        "i16" => "from -32768 to 32767",
        "i32" => "from -2147483648 to 2147483647",
        "i64" | "isize" => "of 64 bits",
        _ => return None,
    })
}

/// What was written instead.
pub(super) fn found(value: Unexpected<'_>) -> String {
    match value {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "a section".to_owned(),
        Unexpected::Other(words) => words.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_by_what_one_writes() {
        for (name, words) in [
            ("u16", "a whole number from 0 to 65535"),
            ("i64", "a whole number of 64 bits"),
            ("struct Server", "a section with keys of its own"),
            ("path string", "a text in quotes"),
            ("something else", "something else"),
        ] {
            assert_eq!(expected(name), words);
        }
    }

    #[test]
    fn values_are_shown_as_they_are_written() {
        assert_eq!(found(Unexpected::Str("a\"b")), r#"the text "a\"b""#);
        assert_eq!(found(Unexpected::Bool(true)), "true");
        assert_eq!(found(Unexpected::Float(1.5)), "the number 1.5");
    }
}
