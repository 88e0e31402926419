//! What a store holds: documents, each under a key that follows from it.

use std::fmt;
use std::str::FromStr;

use gthulhu_lib::id::Id;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Exclusion, LoginSession, NodeAck, Role, Strategy, User};

/// One thing that is stored, read and replaced as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Document {
    /// One who may log in.
    User(User),
    /// A named set of policies.
    Role(Role),
    /// What a user asks for.
    Strategy(Strategy),
    /// An intent that is not wanted.
    Exclusion(Exclusion),
    /// The last answer of a node.
    NodeAck(NodeAck),
    /// The last epoch handed out.
    Epoch(u64),
    /// What one login opened.
    Session(LoginSession),
}

/// Names a document. As text: the kind, a slash, and the id or name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A user, by id.
    User(Id),
    /// A role, by id.
    Role(Id),
    /// A strategy, by id.
    Strategy(Id),
    /// An exclusion, by the id of its intent.
    Exclusion(Id),
    /// An acknowledgement, by the node's name.
    NodeAck(String),
    /// The epoch counter.
    Epoch,
    /// A session, by id.
    Session(Id),
}

/// A text that is no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a document key")]
pub struct BadKey(String);

impl Document {
    /// The key under which it is stored.
    pub fn key(&self) -> Key {
        match self {
            Self::User(user) => Key::User(user.id),
            Self::Role(role) => Key::Role(role.id),
            Self::Strategy(strategy) => Key::Strategy(strategy.id),
            Self::Exclusion(exclusion) => Key::Exclusion(exclusion.id),
            Self::NodeAck(ack) => Key::NodeAck(ack.node.clone()),
            Self::Epoch(_) => Key::Epoch,
            Self::Session(session) => Key::Session(session.id),
        }
    }

    /// The document as the audit trail may show it: hashes of passwords and tokens are left out.
    pub fn public(&self) -> Value {
        let shown = match self {
            Self::User(user) => serde_json::to_value(user),
            Self::Role(role) => serde_json::to_value(role),
            Self::Strategy(strategy) => serde_json::to_value(strategy),
            Self::Exclusion(exclusion) => serde_json::to_value(exclusion),
            Self::NodeAck(ack) => serde_json::to_value(ack),
            Self::Epoch(epoch) => serde_json::to_value(epoch),
            Self::Session(session) => serde_json::to_value(session),
        };
        let mut shown = shown.expect("plain data with text keys always has a JSON form");
        let secret = match self {
            Self::User(_) => "password",
            Self::Session(_) => "tokenHash",
            _ => return shown,
        };
        if let Some(fields) = shown.as_object_mut() {
            fields.remove(secret);
        }
        shown
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user/{id}"),
            Self::Role(id) => write!(f, "role/{id}"),
            Self::Strategy(id) => write!(f, "strategy/{id}"),
            Self::Exclusion(id) => write!(f, "exclusion/{id}"),
            Self::NodeAck(node) => write!(f, "node/{node}"),
            Self::Epoch => f.write_str("epoch/"),
            Self::Session(id) => write!(f, "session/{id}"),
        }
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bad = || BadKey(text.to_string());
        let (kind, name) = text.split_once('/').ok_or_else(bad)?;
        let id = || name.parse::<Id>().map_err(|_| bad());
        match kind {
            "user" => id().map(Self::User),
            "role" => id().map(Self::Role),
            "strategy" => id().map(Self::Strategy),
            "exclusion" => id().map(Self::Exclusion),
            "node" => Ok(Self::NodeAck(name.to_string())),
            "session" => id().map(Self::Session),
            "epoch" if name.is_empty() => Ok(Self::Epoch),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PasswordHash, Status};

    #[test]
    fn keys_are_read_back_from_their_text() {
        let id = Id::from_bytes([7; 12]);
        for key in [
            Key::User(id),
            Key::Role(id),
            Key::Strategy(id),
            Key::Exclusion(id),
            Key::NodeAck("rack/1".into()),
            Key::Epoch,
            Key::Session(id),
        ] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in ["", "user", "user/", "user/07", "epoch/1", "sessions/070707070707070707070707"] {
            assert_eq!(text.parse::<Key>(), Err(BadKey(text.to_string())));
        }
    }

    #[test]
    fn a_user_is_shown_without_his_hash() {
        let user = Document::User(User {
            id: Id::from_bytes([1; 12]),
            username: "ann".into(),
            password: PasswordHash::from_phc("$secret$"),
            status: Status::Active,
            roles: vec![],
            token_version: 1,
            created_ms: 0,
            updated_ms: 0,
            creator: None,
        });
        let shown = user.public().to_string();
        assert!(shown.contains("\"username\":\"ann\"") && !shown.contains("secret"), "{shown}");
        assert!(serde_json::to_string(&user).unwrap().contains("$secret$"), "the store does keep it");
    }
    #[test]
    fn a_session_is_shown_without_its_hash() {
        let session = Document::Session(LoginSession {
            id: Id::from_bytes([1; 12]),
            user: Id::from_bytes([2; 12]),
            generation: 3,
            token_hash: "c0ffee".into(),
            created_ms: 4,
            refreshed_ms: 5,
            expires_ms: 6,
        });
        let shown = session.public().to_string();
        assert!(shown.contains("\"generation\":3") && !shown.contains("c0ffee"), "{shown}");
        assert!(serde_json::to_string(&session).unwrap().contains("c0ffee"), "the store does keep it");
    }
}
