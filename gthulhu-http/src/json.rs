//! JSON as the API has always written it, and JSON read more strictly than it ever was.
//!
//! Replies are compact, escape `<`, `>`, `&`, U+2028 and U+2029 inside strings, and end with one newline: existing
//! clients compare bytes. Requests are read into a tree first (`strict`), which is where duplicate keys, depth and
//! trailing bytes are refused and where `null` members vanish, and only then into the caller's type (`typed`). Most bodies
//! need neither: what is beyond doubt is read at once (`plain`).

mod html;
mod plain;
mod strict;
mod typed;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Serializer, Value};

/// The deepest nesting of arrays and objects that a request body may have.
pub const MAX_DEPTH: usize = 32;

/// Writes `value` as a reply body: compact JSON, escaped for HTML, one newline at the end.
///
/// Members come in the order in which the type declares them; use a `BTreeMap` where keys must come out sorted.
/// The type must be one that JSON can hold (map keys that are strings, no failing `Serialize`).
pub fn to_body<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut body = Vec::with_capacity(128);
    let mut writer = Serializer::with_formatter(&mut body, html::Escaping);
    value.serialize(&mut writer).expect("reply types have string keys and cannot fail to serialise");
    body.push(b'\n');
    body
}

/// Reads a request body into `T`.
///
/// Unknown members are ignored and `null` members are absent; a top-level `null` is an empty object.
/// Everything that [`ParseError`] names is refused.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ParseError> {
    match plain::read(body) {
        Some(value) => Ok(value),
        None => parse_tree(body).and_then(from_tree),
    }
}

/// The first half of the long way of [`parse`], for whoever looks at a body before it is read into a type.
pub fn parse_tree(body: &[u8]) -> Result<Value, ParseError> {
    Ok(match strict::tree(body)? {
        Value::Null => Value::Object(serde_json::Map::new()),
        tree => tree,
    })
}

/// The second half: reads a tree that [`parse_tree`] made, or a part of one, into `T`.
pub fn from_tree<T: DeserializeOwned>(tree: Value) -> Result<T, ParseError> {
    serde_path_to_error::deserialize(typed::Tree(tree)).map_err(|error| ParseError::Shape {
        path: visible(&error.path().to_string()),
        problem: without_values(&error.inner().to_string()),
    })
}

/// Why a request body was refused. The text never repeats a value from the body: it may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is no body.
    #[error("the body is empty")]
    Empty,
    /// The body is not JSON, or not UTF-8, or holds a number that no type can hold.
    #[error("not JSON at line {line}, column {column}")]
    Syntax {
        /// Line of the first wrong byte, from 1.
        line: usize,
        /// Column of the first wrong byte, from 0.
        column: usize,
    },
    /// Bytes follow the value.
    #[error("something follows the JSON value")]
    Trailing,
    /// An object names one key twice.
    #[error("the key {key} occurs twice")]
    DuplicateKey {
        /// The key, shortened and without control characters.
        key: String,
    },
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The value is JSON but not what this request takes.
    #[error("{path}: {problem}")]
    Shape {
        /// Where, as `intents[2].priority`; `.` is the top.
        path: String,
        /// What is wrong there.
        problem: String,
    },
}

impl ParseError {
    /// The path of the member that does not fit, if it was one member.
    pub fn path(&self) -> Option<&str> {
        match self {
            ParseError::Shape { path, .. } if path != "." => Some(path),
            _ => None,
        }
    }
}

/// A key or path as a log line may show it: at most 120 characters, none of them control characters.
fn visible(text: &str) -> String {
    text.chars().take(120).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Keeps what serde says about the type and drops what it quotes from the body.
fn without_values(message: &str) -> String {
    if message.starts_with("missing field") || message.starts_with("duplicate field") {
        return message.to_owned();
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "a value that is not accepted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, rename_all = "camelCase")]
    struct Body {
        name: String,
        priority: i64,
        big: u64,
        #[serde(alias = "podID")]
        pod_id: String,
        labels: BTreeMap<String, String>,
        list: Vec<Body>,
    }

    #[test]
    fn bodies_are_written_to_the_byte() {
        for (value, text) in [
            (serde_json::json!({"b": 1, "a": null}), "{\"a\":null,\"b\":1}\n"),
            (serde_json::json!("<a href='x'>&"), "\"\\u003ca href='x'\\u003e\\u0026\"\n"),
            (serde_json::json!("\u{2028}|\u{2029}|\u{2027}|é"), "\"\\u2028|\\u2029|\u{2027}|é\"\n"),
            (serde_json::json!("quote \" back \\ tab \t"), "\"quote \\\" back \\\\ tab \\t\"\n"),
            (serde_json::json!([]), "[]\n"),
        ] {
            assert_eq!(String::from_utf8(to_body(&value)).unwrap(), text);
        }
    }

    #[test]
    fn unknown_keys_are_ignored_and_null_means_absent() {
        let body: Body =
            parse(br#" {"name":"a","nope":{"x":1},"priority":null,"labels":{"k":null},"podID":"p"} "#)
                .unwrap();
        assert_eq!(body, Body { name: "a".into(), pod_id: "p".into(), ..Body::default() });
        assert_eq!(parse::<Body>(b"null").unwrap(), Body::default());
        assert_eq!(parse::<Body>(br#"{"big":18446744073709551615}"#).unwrap().big, u64::MAX);
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        let read = |priority: &str| parse::<Body>(format!("{{\"priority\":{priority}}}").as_bytes());
        for (text, number) in [
            ("3.0", 3),
            ("-3e2", -300),
            ("0.0", 0),
            ("-0.0", 0),
            ("4503599627370495.0", 4_503_599_627_370_495),
        ] {
            assert_eq!(read(text).map(|body| body.priority), Ok(number), "{text}");
        }
        for text in ["3.5", "1e-3", "4503599627370496.0", "1e19", "-1e300"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_shape_of_type_can_be_read() {
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(rename_all = "lowercase")]
        enum Kind {
            Plain,
            With(u8),
        }
        #[derive(Debug, Deserialize, PartialEq)]
        struct All {
            kinds: Vec<Kind>,
            maybe: Option<(bool, char)>,
            float: f64,
            rest: Value,
        }
        let text = br#"{"kinds":["plain",{"with":7}],"maybe":[true,"x"],"float":-1.5,"rest":{"a":[null,1]}}"#;
        let all: All = parse(text).unwrap();
        let kinds = vec![Kind::Plain, Kind::With(7)];
        let rest = serde_json::json!({"a": [null, 1]});
        assert_eq!(all, All { kinds, maybe: Some((true, 'x')), float: -1.5, rest });
        assert!(
            parse::<All>(br#"{"kinds":[],"maybe":[true,"x",1],"float":0,"rest":0}"#).is_err(),
            "one too many"
        );
    }

    /// Each row: a body, and whether it is read the short way. Either way it comes to what the long way says.
    #[test]
    fn the_short_way_gives_what_the_long_way_gives_or_nothing() {
        let many = |keys: usize| {
            let members: Vec<_> = (0..keys).map(|key| format!("\"k{key}\":\"v\"")).collect();
            format!("{{\"labels\":{{{}}}}}", members.join(","))
        };
        let deep = |levels: usize| format!("{{\"nope\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let nested = |levels: usize| format!("{}{}", "{\"list\":[".repeat(levels), "]}".repeat(levels));
        let (kept, many) = ([many(32), deep(31), nested(16)], [many(33), deep(32), nested(17)]);
        let mut rows: Vec<(&str, bool)> = vec![
            (r#"{"name":"a","priority":-3,"big":18446744073709551615,"podID":"p","labels":{"k":"v"}}"#, true),
            (r#" {"list" : [ {"name":"\u00e9\ud83d\ude00\n"} , {} ] , "nope":{"x":[1,"y",true]}} "#, true),
            ("{}", true),
            (r#"{"name":"a","name":"a"}"#, false),
            (r#"{"nope":1,"nope":1}"#, false),
            (r#"{"nope":{"x":1,"x":1}}"#, false),
            (r#"{"labels":{"a":"1","a":"1"}}"#, false),
            (r#"{"labels":{"a":"1","\u0061":"1"}}"#, false),
            (r#"{"podId":"a","podID":"b"}"#, false),
            (r#"{"name":null}"#, false),
            (r#"{"nope":[null]}"#, false),
            (r#"{"priority":3.0}"#, false),
            (r#"{"priority":-0}"#, false),
            (r#"{"priority":3.5}"#, false),
            (r#"{"list":[["a",1]]}"#, false),
            (r#"{"labels":["a"]}"#, false),
            (r#"{"list":{}}"#, false),
            (r#"{"big":18446744073709551616}"#, false),
            (r#"{"name":"\ud800"}"#, false),
            (r#"["a",1]"#, false),
            ("null", false),
            ("{} {}", false),
            ("{", false),
            ("", false),
        ];
        rows.extend(kept.iter().map(|text| (text.as_str(), true)));
        rows.extend(many.iter().map(|text| (text.as_str(), false)));
        for (text, short) in rows {
            let long = parse_tree(text.as_bytes()).and_then(from_tree::<Body>);
            let read = plain::read::<Body>(text.as_bytes());
            assert_eq!(read.is_some(), short, "{text}");
            assert!(read.is_none_or(|read| Ok(read) == long), "{text}");
            assert_eq!(parse::<Body>(text.as_bytes()), long, "{text}");
        }
        assert!(plain::read::<Body>(b"{\"name\":\"\xff\"}").is_none());
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
        for (body, expected) in [
            (b"".to_vec(), ParseError::Empty),
            (b" \n\t".to_vec(), ParseError::Empty),
            (b"{\"name\":\"a\"} x".to_vec(), ParseError::Trailing),
            (b"{}{}".to_vec(), ParseError::Trailing),
            (b"{\"name\":1,\"name\":1}".to_vec(), ParseError::DuplicateKey { key: "name".into() }),
            (b"{\"x\":[{\"k\":null,\"k\":1}]}".to_vec(), ParseError::DuplicateKey { key: "k".into() }),
            (deep(33), ParseError::TooDeep),
            (deep(5_000), ParseError::TooDeep),
        ] {
            assert_eq!(parse::<Body>(&body).unwrap_err(), expected, "{}", String::from_utf8_lossy(&body));
        }
        let syntax: [&[u8]; 9] = [
            b"{",
            b"{\"priority\":NaN}",
            b"{\"priority\":Infinity}",
            b"{\"priority\":01}",
            b"{\"priority\":1e999}",
            b"{'name':1}",
            b"{\"name\":\"\xff\"}",
            b"{\"name\":\"a\",}",
            b"\xef\xbb\xbf{}",
        ];
        for body in syntax {
            let error = parse::<Body>(body).unwrap_err();
            assert!(matches!(error, ParseError::Syntax { .. }), "{}: {error}", String::from_utf8_lossy(body));
        }
        assert!(matches!(parse::<Value>(&deep(32)), Ok(Value::Array(_))), "32 levels are accepted");
    }

    #[test]
    fn wrong_types_name_the_member_and_never_quote_the_value() {
        for (body, path) in [
            (r#"{"name":"x","priority":"hunter2, expected x"}"#, "priority"),
            (r#"{"list":[{},{"priority":1.5}]}"#, "list[1].priority"),
            (r#"{"big":-1}"#, "big"),
            (r#"{"big":18446744073709551616}"#, "big"),
            (r#"{"labels":{"app":7}}"#, "labels.app"),
            (r#"{"list":[["a",1]]}"#, "list[0]"),
            (r#"{"list":[null]}"#, "list[0]"),
            (r#"{"list":{}}"#, "list"),
        ] {
            let error = parse::<Body>(body.as_bytes()).unwrap_err();
            assert_eq!(error.path(), Some(path), "{body}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(parse::<Body>(b"7").unwrap_err().path(), None);
        assert_eq!(parse::<Body>(b"[]").unwrap_err().path(), None, "fields without names are no object");
        let twice = parse::<Body>(br#"{"podId":"a","podID":"b"}"#).unwrap_err();
        assert_eq!(twice.to_string(), ".: duplicate field `podId`", "two spellings of one field");
        let spelled = parse::<BTreeMap<String, u8>>(b"{\"a\\nb\":-1}").unwrap_err().to_string();
        assert!(!spelled.contains('\n'), "{spelled}");
    }
}
