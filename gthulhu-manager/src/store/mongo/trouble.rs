//! What can go wrong with a server, sorted by what to do about it. No text of this file holds what documents hold: the
//! server puts values into its messages about duplicates and validation, so those are left out.

use mongodb::bson::Document as Fields;
use mongodb::error::{Error, ErrorKind};

use super::super::{CommitError, Key, StoreError};

/// The server's error codes that mean something of their own here.
pub(super) mod code {
    /// The user may not do this.
    pub(in super::super) const UNAUTHORIZED: i32 = 13;
    /// A transaction on a standalone server.
    pub(in super::super) const ILLEGAL_OPERATION: i32 = 20;
    /// There is one already.
    pub(in super::super) const NAMESPACE_EXISTS: i32 = 48;
    /// A document that the collection's validator does not take.
    pub(super) const VALIDATION: i32 = 121;
    /// The document is too large.
    pub(super) const TOO_LARGE: [i32; 2] = [10334, 17419];
    /// Another document has this value of a unique field.
    pub(super) const DUPLICATE: [i32; 2] = [11000, 11001];
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A version is not what it should be.
    Conflict(Key),
    /// Another document has this value of a unique field; the statement's number within its command.
    Duplicate { statement: usize },
    /// The server does not take it, however often it is tried.
    Refused(String),
    /// The server is one that has no transactions.
    NoTransactions,
    /// Part of a change is stored, part was refused.
    Torn(String),
    /// Another manager has taken the store over.
    Taken { holder: String },
    /// Anything else: it may be better next time, and whether it was done is not known.
    Passing(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match code_of(&error) {
            Some(code::ILLEGAL_OPERATION) => Self::NoTransactions,
            Some(number) => sorted(number, 0).unwrap_or_else(|| Self::Passing(describe(&error))),
            None => Self::Passing(describe(&error)),
        }
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Taken { holder } => Self::Taken { holder },
            Trouble::Refused(reason) => Self::Refused(reason),
            Trouble::Passing(reason) => Self::Unavailable(reason),
            Trouble::Torn(reason) => Self::Failed(reason),
            Trouble::NoTransactions => Self::Unavailable("the server has no transactions".into()),
            Trouble::Conflict(key) => Self::Unavailable(format!("{key}: a conflict while reading")),
            Trouble::Duplicate { .. } => Self::Refused("a unique field has this value already".into()),
        }
    }
}

impl From<Trouble> for CommitError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Conflict(key) => Self::Conflict { key },
            other => Self::Store(other.into()),
        }
    }
}

/// What the reply to a write command says went wrong, in the order in which it matters.
pub(super) fn of_reply(reply: &Fields) -> Result<(), Trouble> {
    let number = |error: &Fields| {
        let code = error.get_i32("code").ok().map(i64::from).or_else(|| error.get_i64("code").ok());
        code.and_then(|code| i32::try_from(code).ok()).unwrap_or_default()
    };
    let first =
        reply.get_array("writeErrors").ok().and_then(|list| list.first()).and_then(|e| e.as_document());
    if let Some(error) = first {
        let index = error.get_i32("index").ok().and_then(|index| usize::try_from(index).ok());
        let number = number(error);
        let passing = || Trouble::Passing(format!("the server did not write: error {number}"));
        return Err(sorted(number, index.unwrap_or_default()).unwrap_or_else(passing));
    }
    match reply.get_document("writeConcernError") {
        Ok(error) => {
            Err(Trouble::Passing(format!("no majority has the write in time: error {}", number(error))))
        }
        Err(_) => Ok(()),
    }
}

fn sorted(number: i32, statement: usize) -> Option<Trouble> {
    if code::DUPLICATE.contains(&number) {
        return Some(Trouble::Duplicate { statement });
    }
    if number == code::VALIDATION {
        return Some(Trouble::Refused("the collection's validator does not take the document".into()));
    }
    code::TOO_LARGE.contains(&number).then(|| Trouble::Refused("the document is too large".into()))
}

/// The server's code, if the server said anything.
pub(super) fn code_of(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(mongodb::error::WriteFailure::WriteError(error)) => Some(error.code),
        _ => None,
    }
}

/// The error in one line.
pub(super) fn describe(error: &Error) -> String {
    let text = match &*error.kind {
        ErrorKind::Command(error) => match error.code_name.as_str() {
            "" => format!("error {}", error.code),
            name => format!("{name} (error {})", error.code),
        },
        ErrorKind::Authentication { .. } => "the server does not accept the user or the password".into(),
        ErrorKind::ServerSelection { message, .. } => selection(message).to_owned(),
        ErrorKind::Write(_) | ErrorKind::InsertMany(_) | ErrorKind::BulkWrite(_) => "a write failed".into(),
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the same may go well a moment later: the server, or this machine, was too slow.
pub(super) fn may_pass(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::Custom(_) => true,
        ErrorKind::ServerSelection { message, .. } => is_slow(message),
        _ => false,
    }
}

/// Whether the report says no more than that nobody answered in time.
fn is_slow(message: &str) -> bool {
    reason(message).is_none_or(|reason| reason.contains("timed out") || reason.contains("timeout"))
}

/// The part of the driver's report on all servers that says what is wrong with one.
fn selection(message: &str) -> &str {
    reason(message).unwrap_or("no server can be written to")
}

fn reason(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Error: ")?;
    Some(rest.split([',', '}']).next().unwrap_or(rest).trim().trim_start_matches("Kind: "))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn a_reply_is_judged_by_its_first_write_error_and_then_by_its_write_concern() {
        assert!(of_reply(&doc! { "ok": 1, "n": 1 }).is_ok());
        let late = doc! { "ok": 1, "n": 1, "writeConcernError": { "code": 64, "errmsg": "secret" } };
        assert!(matches!(of_reply(&late), Err(Trouble::Passing(text)) if !text.contains("secret")));
        let error =
            |code: i32| doc! { "ok": 1, "writeErrors": [{ "index": 2, "code": code, "errmsg": "secret" }] };
        assert!(matches!(of_reply(&error(11000)), Err(Trouble::Duplicate { statement: 2 })));
        assert!(matches!(of_reply(&error(121)), Err(Trouble::Refused(text)) if !text.contains("secret")));
        assert!(matches!(of_reply(&error(112)), Err(Trouble::Passing(text)) if !text.contains("secret")));
    }

    #[test]
    fn a_report_on_servers_comes_down_to_what_is_wrong() {
        let message = "Server selection timeout: No available servers. Topology: { Type: Unknown, Servers: [ { Address: \
                       h:1, Type: Unknown, Error: Kind: I/O error: Connection refused (os error 111), labels: {} } ] }";
        assert_eq!(selection(message), "I/O error: Connection refused (os error 111)");
        assert_eq!(selection("nothing of the sort"), "no server can be written to");
        assert!(!is_slow(message) && is_slow("nothing of the sort"));
        assert!(is_slow(&message.replace("Connection refused (os error 111)", "timed out")));
    }
}
