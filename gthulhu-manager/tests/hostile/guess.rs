//! Whether the time of a refused login tells if there is such a user: Welch's test over the times of known and unknown
//! names, in turns. `GTHULHU_PATIENCE=1` runs it: it measures, for a minute or two.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gthulhu_manager::cluster::Absent;
use gthulhu_manager::domain::{PasswordHash, Role, Status, User};
use gthulhu_manager::pusher::NodeView;
use gthulhu_manager::service::{LoginLimits, Rules, STRATEGIES_PER_USER, Service};
use gthulhu_manager::store::audit::Origin;
use gthulhu_manager::store::redb::RedbStore;
use gthulhu_manager::store::{AuditEntry, Batch, Document, Store};

use crate::rig;

/// Logins of each sort.
const LOGINS: u32 = 500;
/// Above this, chance does not explain the difference of two means.
const T_MAX: f64 = 4.5;
/// `correct-horse` with the parameters of the older manager.
const OLDER: &str =
    "$argon2id$v=19$m=16384,t=3,p=2$AAECAwQFBgcICQoLDA0ODw$JmRXJTynYRQQ5Ajh4wKa2ALuVeWNm318bwzXgpHQELA";

/// Times of one sort, in seconds.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / f64::from(LOGINS)
    }

    /// The square of the mean's own error.
    fn error(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|time| (time - mean).powi(2)).sum();
        squares / f64::from(LOGINS - 1) / f64::from(LOGINS)
    }
}

fn welch(a: &Times, b: &Times) -> f64 {
    (a.mean() - b.mean()) / (a.error() + b.error()).sqrt()
}

/// Users whose hashes are of both costs, and nobody is throttled.
fn service(dir: &std::path::Path) -> Service {
    let store = RedbStore::open(&dir.join("manager.redb")).unwrap();
    let put = |document: Document| {
        let entry = AuditEntry::created(&Origin::system(0), "test.settle", &document);
        store.commit(&Batch::audited(entry).create(document)).unwrap();
    };
    put(Document::Role(Role::admin("65f0c0ffee65f0c0ffee0021".parse().unwrap(), 0)));
    let hashes = [("new", PasswordHash::new("correct-horse")), ("old", PasswordHash::from_phc(OLDER))];
    for (n, (username, password)) in hashes.into_iter().enumerate() {
        put(Document::User(User {
            id: format!("65f0c0ffee65f0c0ffee000{n}").parse().unwrap(),
            username: username.into(),
            password,
            status: Status::Active,
            roles: vec!["admin".into()],
            token_version: 0,
            created_ms: 0,
            updated_ms: 0,
            creator: None,
        }));
    }
    let many =
        LoginLimits { account: u32::MAX, address: u32::MAX, in_a_row: u32::MAX, ..LoginLimits::default() };
    let rules = Rules {
        access_ttl: Duration::from_secs(60),
        limits: gthulhu_lib::intent::Limits::default(),
        strategies_per_user: STRATEGIES_PER_USER,
        logins: many,
    };
    let absent = Arc::new(Absent::new("not needed"));
    Service::open(Arc::new(store), absent, Arc::new(NodeView::default()), rules).unwrap()
}

#[tokio::test]
async fn the_time_of_a_refusal_does_not_tell_who_exists() {
    if !rig::patience() {
        println!("SKIPPED the_time_of_a_refusal_does_not_tell_who_exists: GTHULHU_PATIENCE=1 runs it");
        return;
    }
    let _machine = rig::alone().await;
    let dir = tempfile::tempdir().unwrap();
    let service = service(dir.path());
    let names = ["new", "old", "nobody"];
    let mut times = [Times::default(), Times::default(), Times::default()];
    for _ in 0..LOGINS {
        // In turns: what else the machine does falls on all alike.
        for (name, times) in names.iter().zip(&mut times) {
            let origin = Origin::stranger(0, "r", [192, 0, 2, 1].into());
            let start = Instant::now();
            let refused = service.login(&origin, name, "a wrong password").unwrap_err();
            times.0.push(start.elapsed().as_secs_f64());
            assert_eq!(refused.to_string(), "invalid username or password");
        }
    }
    let [new, old, nobody] = &times;
    for (name, known) in [("new", new), ("old", old)] {
        let t = welch(known, nobody);
        println!(
            "{name} {:.2} ms, nobody {:.2} ms, t = {t:.2} over 2 x {LOGINS}",
            known.mean() * 1e3,
            nobody.mean() * 1e3
        );
        assert!(t.abs() < T_MAX, "a user with a {name} hash shows: t = {t:.2}");
    }
}
