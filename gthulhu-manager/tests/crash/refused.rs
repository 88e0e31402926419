//! Stores that must not be used: damaged, foreign, of a newer program, or in use. The manager ends at once, with a code
//! that says which, and one line that names the file.

use std::fs;
use std::path::Path;

use gthulhu_manager::store::redb::RedbStore;
use serde_json::Value;

use crate::manager::Place;
use crate::wire::Wire;
use crate::writers::create;

const DATA: i32 = 65;
const TEMPORARY: i32 = 75;

/// It ends with this code and one line, which names the file and says this.
fn assert_refused(place: &Place, code: i32, reason: &str, what: &str) {
    let (found, said) = place.fail();
    assert_eq!(found, Some(code), "{what}: {said:?}");
    assert_eq!(said.len(), 1, "{what}: {said:?}");
    let path = place.store().display().to_string();
    assert!(said[0].starts_with("gthulhu-manager: ") && said[0].contains(&path), "{what}: {}", said[0]);
    assert!(said[0].contains(reason), "{what}: {}", said[0]);
}

#[test]
fn a_damaged_or_foreign_store_is_refused_in_one_line() {
    let place = Place::new();
    let manager = place.start();
    let mut wire = Wire::connect(manager.address(), &manager.login()).unwrap();
    let id = create(&mut wire, "kept").unwrap().unwrap();
    manager.kill();
    let whole = fs::read(place.store()).unwrap();

    let mut headless = whole.clone();
    headless[..8].fill(0);
    let mut broken = whole.clone();
    // What the newest strategy says, wherever it lies.
    let places: Vec<usize> = positions(&whole, id.as_bytes());
    assert!(!places.is_empty());
    for at in places {
        broken[at] ^= 1;
    }
    let rows: [(&str, Vec<u8>, &str); 7] = [
        ("empty", Vec::new(), "empty"),
        ("cut in half", whole[..whole.len() / 2].to_vec(), "refused"),
        ("a byte short", whole[..whole.len() - 1].to_vec(), "refused"),
        ("without its magic", headless, "refused"),
        ("a changed strategy", broken, "refused"),
        ("zeros", vec![0; whole.len()], "refused"),
        ("a text", b"kind = \"redb\"\n".repeat(999), "refused"),
    ];
    for (what, content, reason) in rows {
        fs::write(place.store(), &content).unwrap();
        assert_refused(&place, DATA, reason, what);
    }

    fs::write(place.store(), &whole).unwrap();
    newer(place.store());
    assert_refused(&place, DATA, "written by a newer version (schema 2, this program knows 1)", "newer");

    fs::write(place.store(), &whole).unwrap();
    let manager = place.start();
    let mut wire = Wire::connect(manager.address(), &manager.login()).unwrap();
    let listed = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap().data();
    assert_eq!(listed["strategies"][0]["ID"], id, "the whole file is as good as before");
}

fn positions(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    (0..bytes.len() - wanted.len()).filter(|at| bytes[*at..].starts_with(wanted)).collect()
}

/// Makes the file one of a program that comes after this one.
fn newer(path: &Path) {
    drop(RedbStore::open(path).unwrap());
    let database = redb::Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", 2).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_second_manager_on_the_same_store_is_refused_and_the_first_does_not_notice() {
    let place = Place::new();
    let first = place.start();
    let mut wire = Wire::connect(first.address(), &first.login()).unwrap();
    let before = create(&mut wire, "before").unwrap().unwrap();
    for _ in 0..3 {
        assert_refused(&place, TEMPORARY, "in use by another process", "a second manager");
        create(&mut wire, "between").unwrap().unwrap();
    }
    let listed = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap().data();
    assert_eq!(listed["strategies"].as_array().unwrap().len(), 4);
    assert_eq!(listed["strategies"][0]["ID"], before);
    first.kill();
    assert_eq!(place.start().login().split('.').count(), 3, "free again");
}
