//! An operator's commands beside a manager that runs, and in the place of one that is stopped.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::manager::{Manager, Place, operate};
use crate::wire::Wire;

/// What every signed-in user may ask.
const VALIDATE: &str = "/api/v1/auth/validate";

fn status(manager: &Manager, token: &str) -> u16 {
    let mut wire = Wire::connect(manager.address(), token).unwrap();
    wire.call("GET", VALIDATE, "validate", &Value::Null).unwrap().status
}

fn copies(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_running_manager_takes_a_new_key_and_lets_the_old_one_go_before_the_command_ends() {
    let place = Place::new();
    let manager = place.start();
    let old = manager.login();
    let said = place.operate(&["keys", "rotate"]).unwrap();
    assert!(said[0].contains("has taken the keys") && said.len() == 3, "{said:?}");
    let new = manager.login();
    assert_eq!([status(&manager, &old), status(&manager, &new)], [200, 200]);
    let (code, reason) = place.operate(&["keys", "rotate"]).unwrap_err();
    assert!(code == 65 && reason.contains("is still good; end it first"), "{reason}");

    place.operate(&["keys", "retire"]).unwrap();
    assert_eq!([status(&manager, &old), status(&manager, &new)], [401, 200]);
    place.operate(&["keys", "rotate", "--now"]).unwrap();
    assert_eq!(status(&manager, &new), 401, "a key that others may have seen");
    let newest = manager.login();
    assert_eq!(place.operate(&["keys", "list"]).unwrap().len(), 1);
    manager.kill();

    let said = place.operate(&["keys", "rotate"]).unwrap();
    assert!(said[0].contains("no manager runs here"), "{said:?}");
    let manager = place.start();
    assert_eq!(status(&manager, &newest), 200, "by the old key, which is still good");
}

#[test]
fn a_backup_of_a_running_manager_restores_what_was_and_ends_all_sessions() {
    let (place, backups) = (Place::new(), tempfile::tempdir().unwrap());
    let dir = backups.path().to_str().unwrap();
    let manager = place.start();
    let token = manager.login();
    let create = |text: &str| {
        let mut wire = Wire::connect(manager.address(), &token).unwrap();
        let strategy = json!({"strategyNamespace": text, "priority": 1});
        let answer = wire.call("POST", "/api/v1/strategies?allowEmpty=true", text, &strategy).unwrap();
        assert_eq!(answer.status, 200);
    };
    create("before");
    let backup = place.operate(&["store", "backup", dir]).unwrap().remove(0);
    create("after");
    let said = place.operate(&["store", "verify", &backup]).unwrap();
    assert!(said[0].contains("sound"), "{said:?}");
    let (code, reason) = place.operate(&["store", "restore", &backup]).unwrap_err();
    assert!(code == 75 && reason.contains("stop the manager"), "{reason}");
    assert_eq!(place.operate(&["store", "verify"]).unwrap_err().0, 75, "the store itself is in use");
    manager.kill();

    place.operate(&["store", "restore", &backup]).unwrap();
    let manager = place.start();
    assert_eq!(status(&manager, &token), 401, "it was good, and may have been revoked since");
    let mut wire = Wire::connect(manager.address(), &manager.login()).unwrap();
    let listed = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap();
    let listed = listed.data()["strategies"].as_array().unwrap().clone();
    let texts: Vec<_> = listed.iter().map(|strategy| strategy["StrategyNamespace"].clone()).collect();
    assert_eq!(texts, ["before"]);
    let old = copies(place.store().parent().unwrap());
    assert!(old.iter().any(|name| name.starts_with("manager.redb.before-")), "{old:?}");
}

#[test]
fn only_so_many_backups_are_kept_and_a_changed_one_is_refused() {
    let (place, backups) = (Place::new(), tempfile::tempdir().unwrap());
    let dir = backups.path().to_str().unwrap();
    place.start().kill();
    for day in 1..=4 {
        let name = format!("manager-2020010{day}T000000Z.redb");
        fs::write(backups.path().join(&name), "old").unwrap();
        fs::write(backups.path().join(name + ".sha256"), "old").unwrap();
    }
    fs::write(backups.path().join("manager-notes.redb"), "mine").unwrap();
    let backup = place.operate(&["store", "backup", dir, "--keep", "2"]).unwrap().remove(0);
    let left = copies(backups.path());
    assert_eq!(left.len(), 5, "two copies, their checksums, and what is none: {left:?}");
    assert!(left.contains(&"manager-notes.redb".to_owned()));
    assert!(left.contains(&"manager-20200104T000000Z.redb".to_owned()));

    let mut bytes = fs::read(&backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&backup, &bytes).unwrap();
    for verb in ["verify", "restore"] {
        let (code, reason) = place.operate(&["store", verb, &backup]).unwrap_err();
        assert!(code == 65 && reason.contains("checksum"), "{reason}");
    }
    assert_eq!(place.operate(&["audit", "verify", "--backup", &backup]).unwrap_err().0, 65);
}

#[test]
fn the_trail_is_verified_beside_a_running_manager_and_against_an_end_written_down() {
    let place = Place::new();
    let manager = place.start();
    manager.login();
    let said = place.operate(&["audit", "verify"]).unwrap();
    assert!(said[0].contains("unbroken"), "{said:?}");
    let head = said[1].strip_prefix("head ").unwrap().to_owned();
    manager.login();
    place.operate(&["audit", "verify", "--head", &head]).unwrap();
    let other = format!("1:{}", "0".repeat(64));
    let (code, reason) = place.operate(&["audit", "verify", "--head", &other]).unwrap_err();
    assert!(code == 65 && reason.contains("cut off or written anew"), "{reason}");
    manager.kill();
    place.operate(&["audit", "verify", "--head", &head]).unwrap();
    assert_eq!(place.operate(&["audit", "verify", "--head", &other]).unwrap_err().0, 65);
    assert_eq!(place.operate(&["audit", "verify", "--head", "x"]).unwrap_err().0, 64);
}

#[test]
fn who_is_locked_out_is_let_in_while_the_manager_is_stopped() {
    let place = Place::new();
    let manager = place.start();
    let token = manager.login();
    let (code, _) = place.operate(&["users", "list"]).unwrap_err();
    assert_eq!(code, 75, "the store is in use");
    manager.kill();
    let said = place.operate(&["users", "reset-password", "admin@example.com"]).unwrap();
    let [password] = &said[..] else { panic!("{said:?}") };
    let made = place.operate(&["users", "create", "ann", "--role", "viewer"]).unwrap();
    assert_eq!(made.len(), 1);
    assert_eq!(place.operate(&["users", "create", "ann"]).unwrap_err(), (65, "user already exists".into()));
    assert_eq!(place.operate(&["users", "create", "bob", "--role", "x"]).unwrap_err().0, 65);
    let file = place.store().with_file_name("password");
    fs::write(&file, "a password from a file\n").unwrap();
    let from_file = ["users", "create", "bob", "--password-file", file.to_str().unwrap()];
    assert_eq!(place.operate(&from_file).unwrap_err().0, 66, "others may read it");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(place.operate(&from_file).unwrap().is_empty(), "it is not printed");
    let listed = place.operate(&["users", "list"]).unwrap();
    assert_eq!(
        listed,
        [
            "admin@example.com\tmust change the password\tadmin",
            "ann\tmust change the password\tviewer",
            "bob\tmust change the password\t"
        ]
    );

    let manager = place.start();
    assert_eq!(status(&manager, &token), 401);
    let mut wire = Wire::connect(manager.address(), "").unwrap();
    for (name, password) in
        [("admin@example.com", password), ("ann", &made[0]), ("bob", &"a password from a file".into())]
    {
        let body = json!({"username": name, "password": password});
        assert_eq!(wire.call("POST", "/api/v1/auth/login", "login", &body).unwrap().status, 200, "{name}");
    }
}

#[test]
fn certificates_are_issued_renewed_and_shown() {
    let (place, out) = (Place::new(), tempfile::tempdir().unwrap());
    let dir = out.path().to_str().unwrap();
    let issue = [
        "certs",
        "issue",
        "--node",
        "n1",
        "--address",
        "192.0.2.7",
        "--address",
        "n1.example",
        "--cluster",
        "main",
        "--out",
        dir,
    ];
    let made = place.operate(&issue).unwrap();
    let cert = out.path().join("n1.crt").display().to_string();
    assert_eq!(made, [out.path().join("n1.key").display().to_string(), cert.clone()]);
    assert_eq!(place.operate(&issue).unwrap_err().0, 73, "nothing is overwritten");
    let shown = operate(&["certs", "inspect", &cert]).unwrap();
    assert_eq!(
        shown[..6],
        [
            "subject  CN=gthulhu-decisionmaker",
            "issuer   CN=Gthulhu-Private-CA",
            "use      server",
            "name     192.0.2.7",
            "name     n1.example",
            "name     gthulhu://main/node/n1"
        ]
    );
    assert!(shown[7].ends_with("days left)"), "{shown:?}");
    let read = |name: &str| fs::read_to_string(out.path().join(name)).unwrap();
    let before = (read("n1.crt"), read("n1.key"));
    place.operate(&["certs", "renew", &cert]).unwrap();
    assert!(read("n1.crt") != before.0 && read("n1.key") != before.1);
    assert_eq!(operate(&["certs", "inspect", &cert]).unwrap()[..6], shown[..6]);

    place.operate(&["certs", "issue", "--out", dir]).unwrap();
    let manager = out.path().join("gthulhu-manager.crt").display().to_string();
    assert_eq!(operate(&["certs", "inspect", &manager]).unwrap()[2], "use      client");
    let ca = place.operate(&["certs", "ca"]).unwrap().join("\n");
    fs::write(out.path().join("ca.crt"), ca + "\n").unwrap();
    let (code, _) =
        place.operate(&["certs", "renew", out.path().join("ca.crt").to_str().unwrap()]).unwrap_err();
    assert_eq!(code, 65, "an authority is not renewed");
    assert_eq!(place.operate(&["certs", "issue", "--node", "n2"]).unwrap_err().0, 64, "nobody could call it");
}
