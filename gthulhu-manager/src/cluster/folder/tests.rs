//! A real folder, real files, and the watch that follows them.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::cluster::NodeHealth;

/// Long enough that only a hang reaches it.
const FOREVER: Duration = Duration::from_secs(30);

fn pod(uid: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{uid: {uid}, name: p-{uid}}}\nspec: {{nodeName: n-{uid}}}\n"
    )
}

/// The watch alone has to do: no second look comes within the test.
fn open(dir: &Path) -> FolderCluster {
    let options = FolderOptions { debounce: Duration::from_millis(1), rescan: Duration::from_secs(3600) };
    FolderCluster::open(dir, Vec::new(), options).unwrap()
}

fn uids(view: &ClusterView) -> Vec<&str> {
    let mut uids: Vec<_> = view.pods.iter().map(|pod| pod.uid.as_str()).collect();
    uids.sort_unstable();
    uids
}

/// Waits for a view that is as it should be.
async fn until(cluster: &FolderCluster, wanted: impl Fn(&ClusterView) -> bool) -> Arc<ClusterView> {
    let mut changed = cluster.changed();
    let found = async {
        loop {
            changed.borrow_and_update();
            let view = cluster.view();
            if wanted(&view) {
                return view;
            }
            changed.changed().await.expect("the folder is watched while the cluster lives");
        }
    };
    let found = tokio::time::timeout(FOREVER, found).await;
    found.unwrap_or_else(|_| panic!("the view stays as it is: {:?}", cluster.view()))
}

#[test]
fn the_first_view_is_there_at_once() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.yaml"), pod("a")).unwrap();
    fs::write(dir.path().join(".hidden.yaml"), pod("h")).unwrap();
    fs::write(dir.path().join("notes.txt"), "not a manifest").unwrap();
    fs::create_dir(dir.path().join("folder.yaml")).unwrap();
    let options = FolderOptions::default();
    let cluster = FolderCluster::open(dir.path(), vec!["listed".into(), "n-a".into()], options).unwrap();
    let view = cluster.view();
    assert_eq!((uids(&view), view.complete, &view.reason), (vec!["a"], true, &None));
    let nodes: Vec<_> = view.nodes.iter().map(|node| (node.name.as_str(), node.status)).collect();
    assert_eq!(nodes, [("listed", NodeHealth::Unknown), ("n-a", NodeHealth::Unknown)]);
}

#[tokio::test]
async fn files_come_change_move_and_go() {
    let dir = TempDir::new().unwrap();
    let cluster = open(dir.path());
    assert!(cluster.view().complete);
    let (a, b) = (dir.path().join("a.yaml"), dir.path().join("b.json"));

    fs::write(&a, pod("a")).unwrap();
    until(&cluster, |view| uids(view) == ["a"]).await;
    fs::write(&b, r#"{"apiVersion":"v1","kind":"Pod","metadata":{"uid":"b","name":"p"}}"#).unwrap();
    until(&cluster, |view| uids(view) == ["a", "b"]).await;
    fs::write(&a, format!("{}---\n{}", pod("a"), pod("c"))).unwrap();
    until(&cluster, |view| uids(view) == ["a", "b", "c"]).await;
    let moved = dir.path().join("z.yaml");
    fs::rename(&a, &moved).unwrap();
    fs::remove_file(&b).unwrap();
    let view = until(&cluster, |view| uids(view) == ["a", "c"]).await;
    assert!(view.complete && view.reason.is_none());
}

#[tokio::test]
async fn a_file_that_breaks_keeps_its_last_good_pods_and_everyone_elses() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.yaml"), pod("a")).unwrap();
    fs::write(dir.path().join("b.yaml"), pod("b")).unwrap();
    let cluster = open(dir.path());
    for half_written in ["", "apiVersion: v1\nkind: Pod\nmetadata: {uid"] {
        fs::write(dir.path().join("a.yaml"), half_written).unwrap();
        let view = until(&cluster, |view| view.reason.is_some()).await;
        assert!(view.reason.as_ref().unwrap().starts_with("a.yaml: "), "{view:?}");
        assert_eq!((uids(&view), view.complete), (vec!["a", "b"], true), "nothing is missing");
        fs::write(dir.path().join("a.yaml"), pod("a")).unwrap();
        until(&cluster, |view| view.reason.is_none()).await;
    }
    // A file that never made sense stops nobody, and is named.
    fs::write(dir.path().join("c.yaml"), "nonsense: [").unwrap();
    let view = until(&cluster, |view| view.reason.is_some()).await;
    assert_eq!((uids(&view), view.complete), (vec!["a", "b"], true));
    fs::write(dir.path().join("c.yaml"), pod("c")).unwrap();
    until(&cluster, |view| view.reason.is_none() && uids(view) == ["a", "b", "c"]).await;
}

#[tokio::test]
async fn after_a_start_nothing_is_complete_before_every_file_was_understood() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.yaml"), pod("a")).unwrap();
    fs::write(dir.path().join("b.yaml"), "nonsense: [").unwrap();
    let cluster = open(dir.path());
    let view = cluster.view();
    assert_eq!(
        (uids(&view), view.complete),
        (vec!["a"], false),
        "b may hold pods that a node has intents for"
    );
    assert!(view.reason.as_ref().unwrap().starts_with("b.yaml: "), "{view:?}");
    fs::write(dir.path().join("b.yaml"), pod("b")).unwrap();
    let view = until(&cluster, |view| view.complete).await;
    assert_eq!(uids(&view), ["a", "b"]);
}

#[tokio::test]
async fn of_two_pods_with_one_uid_the_first_file_has_it() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.yaml"), pod("same")).unwrap();
    fs::write(dir.path().join("b.yaml"), format!("{}---\n{}", pod("other"), pod("same"))).unwrap();
    let cluster = open(dir.path());
    let view = cluster.view();
    assert_eq!(uids(&view), ["other", "same"]);
    assert_eq!(view.reason.as_deref(), Some("b.yaml: pod uid same is taken by a.yaml"));
    fs::remove_file(dir.path().join("a.yaml")).unwrap();
    until(&cluster, |view| uids(view) == ["other", "same"] && view.reason.is_none()).await;
}

#[tokio::test]
async fn a_folder_that_goes_away_leaves_the_last_view_and_a_new_one_is_found() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("pods");
    // No event tells of the new folder: the second look has to find it.
    let options = FolderOptions { debounce: Duration::from_millis(1), rescan: Duration::from_millis(10) };
    let cluster = FolderCluster::open(&dir, Vec::new(), options).unwrap();
    let view = cluster.view();
    assert!(!view.complete && view.reason.as_ref().unwrap().contains("cannot read folder"), "{view:?}");

    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("a.yaml"), pod("a")).unwrap();
    until(&cluster, |view| view.complete && uids(view) == ["a"]).await;
    fs::rename(&dir, parent.path().join("away")).unwrap();
    let view = until(&cluster, |view| !view.complete).await;
    assert_eq!(uids(&view), ["a"]);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("b.yaml"), pod("b")).unwrap();
    until(&cluster, |view| view.complete && uids(view) == ["b"]).await;
}

#[tokio::test]
async fn a_folder_of_links_that_is_swapped_as_a_whole_is_followed() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    for version in ["v1", "v2"] {
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("pods.yaml"), pod(version)).unwrap();
    }
    std::os::unix::fs::symlink("v1", path("..data")).unwrap();
    std::os::unix::fs::symlink("..data/pods.yaml", path("pods.yaml")).unwrap();
    let cluster = open(dir.path());
    assert_eq!(uids(&cluster.view()), ["v1"]);
    std::os::unix::fs::symlink("v2", path("..new")).unwrap();
    fs::rename(path("..new"), path("..data")).unwrap();
    until(&cluster, |view| uids(view) == ["v2"]).await;
}

#[tokio::test]
async fn looking_again_at_an_unchanged_folder_changes_nothing() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.yaml"), pod("a")).unwrap();
    let cluster = open(dir.path());
    let before = cluster.view();
    fs::write(dir.path().join("notes.txt"), "seen, and of no interest").unwrap();
    // Put in place whole: a file seen while it is written would be one more change.
    fs::write(dir.path().join("b.tmp"), pod("b")).unwrap();
    fs::rename(dir.path().join("b.tmp"), dir.path().join("b.yaml")).unwrap();
    let after = until(&cluster, |view| uids(view).len() == 2).await;
    assert_eq!(after.pods.iter().next(), before.pods.iter().next());
    assert_eq!(*cluster.changed().borrow(), 1, "one new view for one change that matters");
}
