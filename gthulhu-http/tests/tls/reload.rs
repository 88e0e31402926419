//! Certificates that change while they are in use: in every way in which files are replaced, and in no other.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use gthulhu_http::client::Request;
use gthulhu_http::limits::Limits;
use gthulhu_http::tls::{FollowOptions, Following, Live, Pem, Source};
use prometheus::Registry;
use tempfile::TempDir;

use crate::papers::{Authority, CLIENT, Paper, SERVER, loopback, params, uri};
use crate::peers::{client, live, serve_live, stranger};

/// Quick, and blind but for what the system tells.
const WATCHFUL: FollowOptions =
    FollowOptions { debounce: Duration::from_millis(20), rescan: Duration::from_secs(3600) };

/// A folder with `tls.crt`, `tls.key` and `ca.crt`, followed.
struct Folder {
    dir: TempDir,
    live: Live,
    registry: Registry,
    _following: Following,
}

fn put(dir: &Path, paper: &Paper, ca: &str) {
    for (name, text) in [("ca.crt", ca), ("tls.crt", &paper.cert), ("tls.key", &paper.key)] {
        fs::write(dir.join(name), text).unwrap();
    }
}

fn source(dir: &Path) -> Source {
    let file = |name: &str| Some(Pem::File(dir.join(name)));
    Source { section: "mtls", cert: file("tls.crt"), key: file("tls.key"), ca: Some(file("ca.crt")) }
}

impl Folder {
    fn follow(dir: TempDir, below: &str, options: FollowOptions) -> Folder {
        let live = Live::load(source(&dir.path().join(below))).unwrap();
        let registry = Registry::new();
        live.collectors().into_iter().for_each(|collector| registry.register(collector).unwrap());
        let following = live.follow(options).unwrap();
        Folder { dir, live, registry, _following: following }
    }

    fn of(paper: &Paper, ca: &str) -> Folder {
        let dir = TempDir::new().unwrap();
        put(dir.path(), paper, ca);
        Folder::follow(dir, "", WATCHFUL)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How often files were read again with this outcome.
    fn reads(&self, outcome: &str) -> f64 {
        let families = self.registry.gather();
        let reads = families.iter().find(|family| family.name() == "gthulhu_tls_reloads_total").unwrap();
        let of =
            reads.get_metric().iter().find(|metric| metric.get_label().iter().any(|l| l.value() == outcome));
        of.unwrap().get_counter().get_value()
    }

    /// Whether what was read last could be used.
    fn is_usable(&self) -> bool {
        let families = self.registry.gather();
        let usable = families.iter().find(|family| family.name() == "gthulhu_tls_files_usable").unwrap();
        usable.get_metric()[0].get_gauge().get_value() > 0.0
    }

    async fn until(&self, outcome: &str, count: u32) {
        self.wait(outcome, || self.reads(outcome) >= f64::from(count)).await;
    }

    async fn until_usable(&self) {
        self.wait("usable", || self.is_usable()).await;
    }

    async fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let reached = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), reached).await;
        waited.unwrap_or_else(|_| panic!("not {what}"));
    }
}

fn node(ca: &Authority) -> Paper {
    ca.paper(&params("gthulhu-decisionmaker", &[SERVER], &[loopback()]))
}

fn manager(ca: &Authority) -> Paper {
    ca.paper(&params("gthulhu-manager", &[CLIENT], &[]))
}

type Replace = fn(&Path, &Paper, &str);

fn in_place(dir: &Path, paper: &Paper, ca: &str) {
    put(dir, paper, ca);
}

fn renamed(dir: &Path, paper: &Paper, ca: &str) {
    let beside = dir.join("new");
    fs::create_dir(&beside).unwrap();
    put(&beside, paper, ca);
    for name in ["ca.crt", "tls.crt", "tls.key"] {
        fs::rename(beside.join(name), dir.join(name)).unwrap();
    }
}

/// As the kubelet does it.
fn swapped(dir: &Path, paper: &Paper, ca: &str) {
    let (real, link) = (dir.join("..2026"), dir.join("..data_tmp"));
    fs::create_dir(&real).unwrap();
    put(&real, paper, ca);
    symlink("..2026", &link).unwrap();
    fs::rename(&link, dir.join("..data")).unwrap();
}

/// A volume as the kubelet makes it at first.
fn volume(paper: &Paper, ca: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("..2025")).unwrap();
    put(&dir.path().join("..2025"), paper, ca);
    symlink("..2025", dir.path().join("..data")).unwrap();
    for name in ["ca.crt", "tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), dir.path().join(name)).unwrap();
    }
    dir
}

#[tokio::test]
async fn new_files_are_in_use_however_they_came() {
    for (how, replace) in
        [("in place", in_place as Replace), ("renamed", renamed as Replace), ("swapped", swapped as Replace)]
    {
        let (old, new) = (Authority::new(), Authority::new());
        let dir = if how == "swapped" {
            volume(&node(&old), &old.pem)
        } else {
            let dir = TempDir::new().unwrap();
            put(dir.path(), &node(&old), &old.pem);
            dir
        };
        let folder = Folder::follow(dir, "", WATCHFUL);
        let (_, server) = serve_live(folder.live.clone(), Limits::default());
        stranger(server.address(), &old.pem, Some(&manager(&old))).await.unwrap();
        replace(folder.dir.path(), &node(&new), &new.pem);
        folder.until("taken", 1).await;
        // In place the three files may be taken one by one.
        let both =
            async { while stranger(server.address(), &new.pem, Some(&manager(&new))).await.is_err() {} };
        tokio::time::timeout(Duration::from_secs(60), both).await.unwrap_or_else(|_| panic!("{how}"));
        stranger(server.address(), &old.pem, Some(&manager(&old))).await.unwrap_err();
        server.stop().await;
    }
}

/// Where nothing is told, a look now and then finds it: here the whole folder was replaced.
#[tokio::test]
async fn what_was_not_seen_is_found_by_looking() {
    let (old, new) = (Authority::new(), Authority::new());
    let dir = TempDir::new().unwrap();
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    put(&below, &node(&old), &old.pem);
    let options = FollowOptions { rescan: Duration::from_millis(50), ..WATCHFUL };
    let folder = Folder::follow(dir, "below", options);
    fs::rename(&below, folder.path("aside")).unwrap();
    fs::create_dir(&below).unwrap();
    put(&below, &node(&new), &new.pem);
    folder.until("taken", 1).await;
}

#[tokio::test]
async fn what_cannot_be_used_leaves_the_last_good_ones() {
    let (ca, other) = (Authority::new(), Authority::new());
    let (first, second) = (node(&ca), node(&ca));
    let folder = Folder::of(&first, &ca.pem);
    let (_, server) = serve_live(folder.live.clone(), Limits::default());
    let mut over = params("gthulhu-decisionmaker", &[SERVER], &[loopback()]);
    over.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let over = ca.paper(&over);
    let mut early = params("gthulhu-decisionmaker", &[SERVER], &[loopback()]);
    early.not_before = rcgen::date_time_ymd(2110, 1, 1);
    let early = ca.paper(&early);
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let broken = second.cert.replace('M', "!");
    let mut refused = 0;
    for (case, name, text) in [
        ("half a certificate", "tls.crt", half(&second.cert)),
        ("half a key", "tls.key", half(&second.key)),
        ("half an authority", "ca.crt", half(&other.pem)),
        ("nothing", "tls.crt", String::new()),
        ("no base64", "tls.crt", broken),
        ("a certificate without its key", "tls.crt", second.cert.clone()),
        ("a key without its certificate", "tls.key", second.key.clone()),
        ("an authority that is none", "ca.crt", second.cert.clone()),
        ("a certificate where a key belongs", "tls.key", second.cert.clone()),
        ("an authority that is over", "ca.crt", Authority::over().pem),
        ("only authorities of other times", "ca.crt", Authority::over().pem + &Authority::to_come().pem),
    ] {
        fs::write(folder.path(name), text).unwrap();
        refused += 1;
        folder.until("refused", refused).await;
        let reply = stranger(server.address(), &ca.pem, Some(&manager(&ca))).await;
        assert!(reply.is_ok(), "{case}: {reply:?}");
        // As they were is as good as new: nothing to take, and the next mistake is told again.
        put(folder.dir.path(), &first, &ca.pem);
        folder.until_usable().await;
    }
    assert!(folder.reads("taken") < 1.0, "nothing of it was taken");
    for paper in [&over, &early] {
        put(folder.dir.path(), paper, &ca.pem);
        refused += 1;
        folder.until("refused", refused).await;
        stranger(server.address(), &ca.pem, Some(&manager(&ca))).await.unwrap();
        put(folder.dir.path(), &first, &ca.pem);
        folder.until_usable().await;
    }
    put(folder.dir.path(), &second, &ca.pem);
    folder.until("taken", 1).await;
    stranger(server.address(), &ca.pem, Some(&manager(&ca))).await.unwrap();
    server.stop().await;
}

/// A kept connection is judged by the authorities of now.
#[tokio::test]
async fn who_is_not_trusted_any_more_is_not_answered_any_more() {
    let (old, new) = (Authority::new(), Authority::new());
    let own = node(&old);
    let folder = Folder::of(&own, &old.pem);
    let (app, server) = serve_live(folder.live.clone(), Limits::default());
    let client = client(live(&manager(&old), &old.pem));
    let url = format!("https://{}/api/v1/whoami", server.address());
    let ask = || client.send(Request::get(url.as_str()));
    // So often that what is asked is known, and hyper not asked any more.
    for _ in 0..6 {
        assert_eq!(ask().await.unwrap().status, 200);
    }
    fs::write(folder.path("ca.crt"), format!("{}{}", old.pem, new.pem)).unwrap();
    folder.until("taken", 1).await;
    assert_eq!(ask().await.unwrap().status, 200, "one of two is enough");
    fs::write(folder.path("ca.crt"), &new.pem).unwrap();
    folder.until("taken", 2).await;
    assert_eq!(ask().await.unwrap().status, 401, "on the connection that was open");
    ask().await.unwrap_err();
    assert_eq!(app.calls.load(Ordering::Relaxed), 7);
    server.stop().await;
}

#[tokio::test]
async fn a_clients_new_certificate_is_shown_at_the_next_request() {
    let ca = Authority::new();
    let (_, server) = serve_live(live(&node(&ca), &ca.pem), Limits::default());
    let folder = Folder::of(&manager(&ca), &ca.pem);
    let client = client(folder.live.clone());
    let url = format!("https://{}/api/v1/whoami", server.address());
    let who = || async {
        let reply = client.send(Request::get(url.as_str())).await.unwrap();
        String::from_utf8(reply.body.to_vec()).unwrap()
    };
    assert!(who().await.contains("CN=gthulhu-manager"));
    let named = ca.paper(&params("gthulhu-manager", &[CLIENT], &[uri("gthulhu://main/manager")]));
    put(folder.dir.path(), &named, &ca.pem);
    folder.until("taken", 1).await;
    assert!(who().await.contains("gthulhu://main/manager"));
    server.stop().await;
}
