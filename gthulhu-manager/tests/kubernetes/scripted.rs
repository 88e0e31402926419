//! What API servers do on bad days: the view is the truth again afterwards, nothing is taken away meanwhile, and nobody is
//! asked for everything more than once for each fault.

mod server;

use std::time::{Duration, Instant};

use gthulhu_manager::cluster::kubernetes::{KubernetesCluster, Options};
use gthulhu_manager::cluster::{Cluster, ClusterView};
use serde_json::{Value, json};
use tempfile::TempDir;

use server::{Server, Step, options, source, uids, until};

fn pod(uid: &str, version: u64) -> Value {
    json!({
        "metadata": {"uid": uid, "name": uid, "namespace": "shop", "resourceVersion": version.to_string()},
        "spec": {"nodeName": "n1"},
    })
}

/// A server that holds one pod, `a`, and a cluster that knows it and watches.
async fn watching() -> (Server, KubernetesCluster) {
    let server = Server::start(&[pod("a", 3)]).await;
    let cluster = server.follow();
    until(&cluster, |view| view.is_all() && uids(view) == ["a"]).await;
    assert_eq!(server.until_asked(2).await, ["list", "watch 10"]);
    (server, cluster)
}

/// The cluster learns of `b` by the watch that is open, and by nothing else.
async fn goes_on(server: &Server, cluster: &KubernetesCluster, asked: &[&str]) {
    assert_eq!(server.until_asked(asked.len()).await, asked);
    server.event("ADDED", &pod("b", 90));
    until(cluster, |view| view.is_all() && uids(view) == ["a", "b"]).await;
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn an_api_that_is_absent_at_the_start_is_awaited() {
    // Bound and not listening: it refuses, and nobody else gets the port.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let dir = TempDir::new().unwrap();
    let cluster = KubernetesCluster::watch(&source(&dir, &address), None, options());
    let view =
        until(&cluster, |view| view.reason.as_deref().is_some_and(|why| why.contains("refused"))).await;
    assert!(!view.complete && !view.lost);
    let _server = Server::start_on(socket.listen(64).unwrap(), &[pod("a", 3)]);
    until(&cluster, |view| view.is_all() && uids(view) == ["a"]).await;
}

#[tokio::test]
async fn a_server_that_asks_for_time_is_given_it() {
    let server = Server::start(&[pod("a", 3)]).await;
    server.lists(&[Step::Status(429, "retry-after: 1\r\n", "Too many requests, please try again later.")]);
    let begun = Instant::now();
    let cluster = server.follow();
    until(&cluster, ClusterView::is_all).await;
    assert_eq!(server.until_asked(3).await, ["list", "list", "watch 10"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_list() {
    let server = Server::start(&[pod("a", 3)]).await;
    server.lists(&[
        Step::Cut,
        Step::Status(200, "", "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{]}"),
        Step::Status(500, "", "etcdserver: request timed out"),
        Step::Status(200, "", "{\"metadata\":{},\"items\":[]}"),
        Step::Page(vec![pod("b", 1)], "p2"),
        // The server has forgotten where the next page begins.
        Step::Status(410, "", "{\"code\":410,\"message\":\"expired\"}"),
        Step::Page(vec![pod("b", 1)], "p2"),
    ]);
    let cluster = server.follow();
    let view = until(&cluster, |view| view.complete).await;
    // The last page is what the server holds.
    assert_eq!(uids(&view), ["a", "b"]);
    assert_eq!(
        server.until_asked(9).await,
        ["list", "list", "list", "list", "list", "list p2", "list", "list p2", "watch 10"]
    );
}

#[tokio::test]
async fn a_list_that_grows_page_by_page_takes_nothing_away() {
    let (server, cluster) = watching().await;
    server.event("ADDED", &pod("b", 11));
    until(&cluster, |view| uids(view) == ["a", "b"]).await;
    server.holds(&[pod("b", 11), pod("c", 12)]);
    server.lists(&[Step::Page(vec![], "p2"), Step::Page(vec![pod("a", 3)], "p3")]);
    let mut changed = cluster.changed();
    server.event("ERROR", &json!({"code": 410}));
    loop {
        let change = tokio::time::timeout(Duration::from_secs(60), changed.changed()).await;
        change.unwrap_or_else(|_| panic!("the view stays {:?}", cluster.view())).unwrap();
        let view = cluster.view();
        match uids(&view)[..] {
            ["a", "b"] => {}
            ["a", "b", "c"] => break,
            ref other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.until_asked(6).await[2..], ["list", "list p2", "list p3", "watch 20"]);
}

#[tokio::test]
async fn a_watch_goes_on_where_it_ended_whatever_ended_it() {
    let (server, cluster) = watching().await;
    server.event("MODIFIED", &pod("a", 20));
    server.end_watch();
    assert_eq!(server.until_asked(3).await.last().unwrap(), "watch 20");
    server.event("BOOKMARK", &json!({"metadata": {"resourceVersion": "30"}}));
    // Half an event: it comes again from where the watch goes on.
    server.say(r#"{"type":"DELETED","object":{"metadata":{"uid":"a","#);
    server.watches(&[Step::Status(500, "", "no leader"), Step::Status(429, "", "wait"), Step::Cut]);
    server.end_watch();
    let asked = ["list", "watch 10", "watch 20", "watch 30", "watch 30", "watch 30", "watch 30"];
    goes_on(&server, &cluster, &asked).await;
}

#[tokio::test]
async fn a_place_that_the_server_has_forgotten_costs_one_list() {
    let (server, cluster) = watching().await;
    server.holds(&[pod("a", 3), pod("c", 4)]);
    // In the midst of a watch.
    server.event("ERROR", &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}));
    until(&cluster, |view| uids(view) == ["a", "c"]).await;
    assert_eq!(server.until_asked(4).await, ["list", "watch 10", "list", "watch 20"]);
    // And before the next one begins.
    server.holds(&[pod("a", 3)]);
    server.watches(&[Step::Status(410, "", "{\"code\":410,\"message\":\"too old\"}")]);
    server.end_watch();
    until(&cluster, |view| uids(view) == ["a"]).await;
    goes_on(&server, &cluster, &["list", "watch 10", "list", "watch 20", "watch 20", "list", "watch 30"])
        .await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_the_view_is_marked() {
    let server = Server::start(&[pod("a", 3)]).await;
    server.lists(&[Step::Silence]);
    let hasty = Options {
        answer: Duration::from_secs(2),
        watch: Duration::from_secs(3),
        grace: Duration::ZERO,
        ..options()
    };
    let cluster = server.follow_with(hasty);
    until(&cluster, |view| view.is_all() && uids(view) == ["a"]).await;
    let lists = || server.asked().iter().filter(|asked| *asked == "list").count();
    let before = lists();
    server.watches(&[Step::Well, Step::Silence]);
    // Nothing is said in the first watch, and the second one does not even begin.
    let view = until(&cluster, |view| view.lost).await;
    assert_eq!(uids(&view), ["a"]);
    assert!(view.complete && view.reason.as_deref().unwrap().contains("says nothing"), "{:?}", view.reason);
    until(&cluster, ClusterView::is_all).await;
    assert_eq!(lists(), before, "{:?}", server.asked());
}

#[tokio::test]
async fn events_that_cannot_be_read_cost_one_list_each() {
    let cut = r#"{"type":"ADDED","object":{"metadata":{"#.to_owned() + "\n";
    let unknown = r#"{"type":"MOVED","object":{}}"#.to_owned() + "\n";
    let no_version =
        json!({"type": "ADDED", "object": {"metadata": {"uid": "x", "name": "x"}}}).to_string() + "\n";
    let no_key = json!({"type": "MODIFIED", "object": {"metadata": {"uid": [], "resourceVersion": "20"}}});
    for bad in [cut, unknown, no_version, no_key.to_string() + "\n", "\u{0}\n".to_owned()] {
        let (server, cluster) = watching().await;
        server.say(&bad);
        goes_on(&server, &cluster, &["list", "watch 10", "list", "watch 10"]).await;
    }
}

#[tokio::test]
async fn a_pod_that_makes_no_sense_is_as_it_was_and_the_others_go_on() {
    let (server, cluster) = watching().await;
    let mut senseless = pod("a", 20);
    senseless["metadata"]["labels"] = json!({"app": "two words"});
    server.event("MODIFIED", &senseless);
    let view = until(&cluster, |view| view.reason.is_some()).await;
    assert!(view.is_all() && uids(&view) == ["a"]);
    server.event("MODIFIED", &pod("a", 21));
    until(&cluster, |view| view.reason.is_none()).await;
    goes_on(&server, &cluster, &["list", "watch 10"]).await;
}

#[tokio::test]
async fn repeated_events_do_nothing_and_disorder_costs_one_list() {
    let (server, cluster) = watching().await;
    for event in ["ADDED", "ADDED", "MODIFIED"] {
        server.event(event, &pod("c", 20));
    }
    server.event("DELETED", &pod("c", 21));
    server.event("DELETED", &pod("c", 21));
    server.event("ADDED", &pod("d", 22));
    until(&cluster, |view| uids(view) == ["a", "d"]).await;
    assert_eq!(server.asked().len(), 2);
    // An older event of a pod that is gone: believed, it would stay for ever.
    server.event("MODIFIED", &pod("c", 20));
    goes_on(&server, &cluster, &["list", "watch 10", "list", "watch 10"]).await;
}

#[tokio::test]
async fn watches_that_end_at_once_are_begun_anew_with_pauses_between_them() {
    let server = Server::start(&[pod("a", 3)]).await;
    server.watches(&[const { Step::Status(200, "", "") }; 4]);
    let pause = Duration::from_millis(100);
    let begun = Instant::now();
    let cluster = server.follow_with(Options { backoff_min: pause, backoff_max: pause, ..options() });
    goes_on(&server, &cluster, &["list", "watch 10", "watch 10", "watch 10", "watch 10", "watch 10"]).await;
    // Half of each pause is left to chance.
    assert!(begun.elapsed() >= 4 * pause / 2);
}
