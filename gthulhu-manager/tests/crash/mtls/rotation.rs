//! Every certificate replaced every five seconds, the authority included, while the manager asks the node up to a hundred
//! times a second. `GTHULHU_ROTATION` is for how many seconds (60 unless set).

use std::path::Path;
use std::time::Duration;

use gthulhu_http::certs::{Ca, Holder, Issued, Name, Usage};
use gthulhu_http::testkit::TestClient;
use tempfile::TempDir;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::world::{Setup, World, mount, paths};
use crate::manager::Place;

const EVERY: Duration = Duration::from_secs(5);
const ASK_EVERY: Duration = Duration::from_millis(10);
/// Requests that may wait for their answers at one time: fewer than the manager takes, however long the machine stalls.
const AT_ONCE: usize = 32;

/// Both sides' volumes.
struct Volumes {
    dm: TempDir,
    manager: TempDir,
    version: usize,
}

fn holder(usage: Usage) -> Holder {
    match usage {
        Usage::Client => Holder {
            common_name: "gthulhu-manager".to_owned(),
            usage,
            names: vec![Name::Uri("gthulhu://main/manager".to_owned())],
        },
        Usage::Server => Holder {
            common_name: "gthulhu-decisionmaker".to_owned(),
            usage,
            names: vec![Name::Uri("gthulhu://main/node/node-1".to_owned())],
        },
    }
}

impl Volumes {
    /// Gives both sides these authorities, and each its certificate.
    fn put(&mut self, trusted: &[&Ca], dm: &Issued, manager: &Issued) {
        self.version += 1;
        let bundle: String = trusted.iter().map(|ca| ca.cert_pem()).collect();
        let put = |volume: &Path, own: &Issued| {
            let files = [
                ("tls.crt", own.cert_pem.clone()),
                ("tls.key", own.key_pem.clone()),
                ("ca.crt", bundle.clone()),
            ];
            mount(volume, &self.version.to_string(), &files);
        };
        put(self.dm.path(), dm);
        put(self.manager.path(), manager);
    }
}

/// How many sets of certificates a program has taken since it started.
async fn taken(page: &TestClient) -> usize {
    let metrics = page.get("/metrics").await;
    let of =
        |line: &&str| line.starts_with("gthulhu_tls_reloads_total{") && line.contains("outcome=\"taken\"");
    let line = metrics.text().lines().find(of).unwrap_or_else(|| panic!("{}", metrics.text())).to_owned();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Waits until both sides have taken as many sets.
async fn both_took(world: &World, count: usize) {
    for page in [&world.probes, &world.api] {
        gthulhu_local::wait::until(async || {
            let seen = taken(page).await;
            Ok(if seen >= count { Ok(()) } else { Err(format!("{seen} of {count} sets")) })
        })
        .await
        .unwrap();
    }
}

/// Asks at its pace until told to stop: how many questions there were, and why some of them failed.
async fn ask(api: TestClient, stop: Instant) -> (usize, Vec<String>) {
    let (mut count, mut failed, mut asked) = (0, Vec::new(), JoinSet::new());
    let mut judge = |answer: Result<Result<(), String>, JoinError>| failed.extend(answer.unwrap().err());
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < stop {
        ticks.tick().await;
        while let Some(answer) = asked.try_join_next() {
            judge(answer);
        }
        if asked.len() >= AT_ONCE {
            asked.join_next().await.map(&mut judge);
        }
        let api = api.clone();
        asked.spawn(async move { World::asks(&api).await });
        count += 1;
    }
    while let Some(answer) = asked.join_next().await {
        judge(answer);
    }
    (count, failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_every_certificate_is_replaced() {
    let seconds = std::env::var("GTHULHU_ROTATION").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let issue =
        |ca: &Ca| (ca.issue(&holder(Usage::Server)).unwrap(), ca.issue(&holder(Usage::Client)).unwrap());
    let mut ca = Ca::generate("Rotation-CA-0").unwrap();
    let (mut dm, mut manager) = issue(&ca);
    let mut volumes = Volumes { dm: TempDir::new().unwrap(), manager: TempDir::new().unwrap(), version: 0 };
    volumes.put(&[&ca], &dm, &manager);
    let files = ["tls.crt", "tls.key", "ca.crt"];
    let setup = Setup {
        host: "127.0.0.1".to_owned(),
        dm_env: paths("DM", volumes.dm.path(), files),
        manager_env: paths("MANAGER", volumes.manager.path(), files),
        exchanges: false,
    };
    let mut world = World::start(Place::new(), setup).await;
    world.pushes().await;

    let stop = Instant::now() + Duration::from_secs(seconds);
    let asking = tokio::spawn(ask(world.api.clone(), stop));
    let (mut rotations, mut sets) = (0, 0);
    while Instant::now() < stop {
        let begun = Instant::now();
        let next = Ca::generate(&format!("Rotation-CA-{}", rotations + 1)).unwrap();
        // As an operator does it: first everybody trusts both, then everybody shows the new one, then the old one is forgotten.
        volumes.put(&[&ca, &next], &dm, &manager);
        sets += 1;
        both_took(&world, sets).await;
        sleep_until(begun + EVERY / 3).await;
        (dm, manager) = issue(&next);
        volumes.put(&[&ca, &next], &dm, &manager);
        sets += 1;
        both_took(&world, sets).await;
        sleep_until(begun + EVERY * 2 / 3).await;
        volumes.put(&[&next], &dm, &manager);
        sets += 1;
        both_took(&world, sets).await;
        ca = next;
        rotations += 1;
        sleep_until(begun + EVERY).await;
    }
    let (asked, failed) = asking.await.unwrap();
    println!("rotation: {rotations} rotations in {seconds} s, {asked} requests, {} failed", failed.len());
    assert!(failed.is_empty(), "{:?}", &failed[..failed.len().min(5)]);
    assert!(rotations > 0 && asked > 0);
}
