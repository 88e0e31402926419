//! Every kind of document, written and read again; and what becomes of one with a field that is missing or wrong.

use gthulhu_lib::selector::Selector;

use super::*;
use crate::domain::{
    Exclusion, LoginSession, NodeAck, PasswordHash, Permission, Policy, Role, Status, Strategy, User,
};

const KINDS: usize = 7;

fn id(n: u8) -> Id {
    Id::from_bytes([n; 12])
}

/// One of each kind, with a value in every field that has one to be written.
fn documents() -> [Document; KINDS] {
    let policy = Policy {
        permission: Permission::UserCreate,
        own: true,
        k8s_namespace: "default".into(),
        policy_namespace: "team".into(),
    };
    [
        Document::User(User {
            id: id(1),
            username: "ann".into(),
            password: PasswordHash::from_phc("$argon2id$"),
            status: Status::try_from(1).unwrap(),
            roles: vec!["admin".into()],
            token_version: 7,
            created_ms: 1,
            updated_ms: 2,
            creator: Some(id(9)),
        }),
        Document::Role(Role {
            id: id(2),
            name: "r".into(),
            description: "d".into(),
            policies: vec![policy],
            created_ms: 1,
            updated_ms: 2,
            creator: Some(id(9)),
        }),
        Document::Strategy(Strategy {
            id: id(3),
            creator: id(1),
            updater: id(2),
            created_ms: 1,
            updated_ms: 2,
            strategy_namespace: "s".into(),
            label_selectors: vec![Selector::new("a.b/c".to_owned(), "web".to_owned())],
            k8s_namespace: vec!["default".into()],
            command_regex: "^nginx".into(),
            priority: 3,
            execution_time: 20_000_000,
        }),
        Document::Exclusion(Exclusion {
            id: id(4),
            strategy: id(3),
            pod_uid: "u".into(),
            creator: id(1),
            at_ms: 1,
        }),
        Document::Session(LoginSession {
            id: id(5),
            user: id(1),
            generation: 7,
            token_hash: "h".into(),
            created_ms: 1,
            refreshed_ms: 2,
            expires_ms: 3,
        }),
        Document::NodeAck(NodeAck {
            node: "n".into(),
            epoch: 1,
            generation: 2,
            error: Some("e".into()),
            at_ms: 3,
        }),
        Document::Epoch(5),
    ]
}

/// The document as the database has it.
fn stored(document: &Document, strays: &Strays) -> (&'static str, Fields) {
    let (collection, id) = place(&document.key());
    let mut fields = doc! { "_id": id };
    fields.extend(encode(document, strays).update(8).get_document("$set").unwrap().clone());
    (collection, fields)
}

fn read(collection: &str, fields: &Fields) -> Result<(Document, u64), String> {
    decode(collection, fields, &mut Strays::default())
}

#[test]
fn what_is_written_is_read_again() {
    for document in documents() {
        let (collection, fields) = stored(&document, &Strays::default());
        assert_eq!(read(collection, &fields), Ok((document, 8)));
    }
}

#[test]
fn a_field_of_a_wrong_type_refuses_its_document_and_is_named_without_its_value() {
    for document in documents() {
        let (collection, good) = stored(&document, &Strays::default());
        for (name, value) in &good {
            // Neither a text nor a list of texts nor a number nor an id: each is wrong for somebody.
            let wrong = match value {
                Bson::String(_) | Bson::Array(_) => Bson::Boolean(true),
                _ => Bson::from("hidden"),
            };
            // The counter has no field for its name, and a node's name may be any text.
            if name == "_id" && matches!(document, Document::Epoch(_)) {
                continue;
            }
            let mut torn = good.clone();
            torn.insert(name, wrong);
            let reason = read(collection, &torn).expect_err(name);
            assert!(reason.contains(&format!("`{name}`")) && !reason.contains("hidden"), "{name}: {reason}");
        }
    }
}

#[test]
fn only_what_no_manager_leaves_out_may_not_be_missing() {
    let required: [&[&str]; KINDS] = [
        &["_id", "username", "password", "status"],
        &["_id", "name"],
        &["_id", "creatorID"],
        &["_id", "strategyID", "podID", "creatorID"],
        &["_id", "userID", "tokenVersion", "tokenHash"],
        &["_id", "epoch", "generation"],
        &["value"],
    ];
    for (document, required) in documents().iter().zip(required) {
        let (collection, good) = stored(document, &Strays::default());
        for name in good.keys() {
            let (mut without, mut null) = (good.clone(), good.clone());
            without.remove(name);
            null.insert(name, Bson::Null);
            let refused = read(collection, &without).err();
            assert_eq!(
                refused.is_some(),
                required.contains(&name.as_str()),
                "{collection}: {name}: {refused:?}"
            );
            assert_eq!(
                read(collection, &null).err(),
                refused,
                "{collection}: {name}: null is as good as nothing"
            );
        }
    }
}

#[test]
fn numbers_of_any_width_count_as_long_as_they_are_whole() {
    let (collection, good) = stored(&documents()[2], &Strays::default());
    let with = |priority: Bson| {
        let mut fields = good.clone();
        fields.insert("priority", priority);
        read(collection, &fields).map(|(document, _)| document)
    };
    for priority in [Bson::Int32(3), Bson::Int64(3), Bson::Double(3.0)] {
        assert_eq!(with(priority), Ok(documents()[2].clone()));
    }
    for priority in [Bson::Double(3.5), Bson::Double(f64::NAN), Bson::Double(1e300)] {
        assert!(with(priority).unwrap_err().contains("`priority`"));
    }
}

#[test]
fn a_policy_of_a_permission_that_is_not_known_is_written_back_as_it_was() {
    let role = &documents()[1];
    let (collection, mut fields) = stored(role, &Strays::default());
    let stray = Bson::from(doc! { "permissionKey": "of.tomorrow", "self": false, "scope": 5 });
    let mut policies = fields.get_array("policies").unwrap().clone();
    policies.push(stray.clone());
    fields.insert("policies", policies);
    let mut strays = Strays::default();
    assert_eq!(decode(collection, &fields, &mut strays), Ok((role.clone(), 8)));
    let (_, written) = stored(role, &strays);
    assert_eq!(written.get_array("policies").unwrap().last(), Some(&stray));
}
