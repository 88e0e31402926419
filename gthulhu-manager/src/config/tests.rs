//! What the values of a configuration mean together.

use gthulhu_http::settings::{self, Level};

use gthulhu_lib::selector::Selector;

use super::*;
use crate::cluster::kubernetes::Finder;

/// Reads a text as the file.
fn read(text: &str) -> (Config, Origins) {
    let read = settings::read("MANAGER", "manager.toml", text, |_| None).unwrap();
    assert_eq!(read.mistakes, [], "{text}");
    (read.value, read.origins)
}

/// What is found in a file, as level and key.
fn found(text: &str) -> Vec<(Level, String)> {
    let (config, origins) = read(text);
    config.examine(&origins).into_iter().map(|finding| (finding.level, finding.key)).collect()
}

#[test]
fn the_defaults_pass_without_a_word() {
    assert_eq!(found(""), []);
}

#[test]
fn the_store_is_chosen_by_kind_then_by_section_then_by_host() {
    let choice = |text| {
        let (config, origins) = read(text);
        let choice = config.store_choice(origins.has_section("mongodb"));
        choice.map_err(|finding| (finding.level, finding.key))
    };
    let redb =
        |path: &str, reason| Ok((StoreChoice::Redb(path.into()), reason)) as Result<_, (Level, String)>;
    let usual = "store.kind is empty and mongodb is not configured";
    assert_eq!(choice(""), redb("/var/lib/gthulhu/manager.redb", usual));
    assert_eq!(choice("store.path = '/x/y'"), redb("/x/y", usual));
    let both = choice("store.kind = 'redb'\nmongodb.host = 'h'");
    assert_eq!(both, redb("/var/lib/gthulhu/manager.redb", "store.kind is redb"));
    assert_eq!(choice("store.kind = 'sqlite'"), Err((Level::Wrong, "store.kind".to_owned())));
    let by_variable = Config { mongodb: Mongodb { host: "h".into(), ..<_>::default() }, ..<_>::default() };
    let by_variable = by_variable.store_choice(false).map_err(|finding| (finding.level, finding.key));
    for (chosen, key, reason) in [
        (choice("[mongodb]"), "mongodb", "mongodb is configured"),
        (choice("store.kind = 'mongodb'"), "store.kind", "store.kind is mongodb"),
        (by_variable, "mongodb.host", "mongodb.host is set"),
    ] {
        if cfg!(feature = "mongodb") {
            assert_eq!(chosen, Ok((StoreChoice::Mongodb, reason)));
        } else {
            assert_eq!(chosen, Err((Level::Unserved, key.to_owned())), "a build without it");
        }
    }
}

#[test]
fn the_cluster_is_chosen_by_kind_then_by_what_is_set() {
    let choice = |text: &str| read(text).0.cluster_choice().map_err(|finding| (finding.level, finding.key));
    assert_eq!(choice(""), Ok(ClusterChoice::None));
    assert_eq!(choice("cluster.pods_dir = '/p'"), Ok(ClusterChoice::Folder("/p".into())));
    assert_eq!(
        choice("cluster.pods_dir = '/p'\nk8s.in_cluster = true"),
        Ok(ClusterChoice::Folder("/p".into()))
    );
    for (text, level, key) in [
        ("cluster.kind = 'folder'", Level::Wrong, "cluster.pods_dir"),
        ("cluster.kind = 'nomad'", Level::Wrong, "cluster.kind"),
        ("cluster.kind = 'kubernetes'", Level::Wrong, "k8s.kube_config_path"),
        ("k8s = {in_cluster = true, dm_selector = 'app'}", Level::Wrong, "k8s.dm_selector"),
        ("k8s = {in_cluster = true, dm_selector = 'app=a,'}", Level::Wrong, "k8s.dm_selector"),
        ("k8s = {in_cluster = true, dm_service_account = ''}", Level::Wrong, "k8s.dm_service_account"),
        ("k8s = {in_cluster = true, dm_namespace = 'No'}", Level::Wrong, "k8s.dm_namespace"),
    ] {
        assert_eq!(choice(text), Err((level, key.to_owned())), "{text}");
    }
    let labels = vec![Selector::new("app", "dm"), Selector::new("tier", "node")];
    let finder = |namespace: &str, labels: &[Selector]| {
        let service_account = "gthulhu-decisionmaker".to_owned();
        Some(Finder { namespace: namespace.to_owned(), labels: labels.to_vec(), service_account })
    };
    for (text, source, finder) in [
        ("in_cluster = true", Source::InCluster, finder("", &[Selector::new("app", "decisionmaker")])),
        ("kube_config_path = '/k'", Source::Kubeconfig("/k".into()), None),
        (
            "kube_config_path = '/k'\ndm_namespace = 'dm'\ndm_selector = 'app=dm, tier=node'",
            Source::Kubeconfig("/k".into()),
            finder("dm", &labels),
        ),
    ] {
        let text = format!("[k8s]\n{text}");
        assert_eq!(choice(&text), Ok(ClusterChoice::Kubernetes(source, finder)), "{text}");
    }
}

#[test]
fn every_finding_has_its_key_and_its_level() {
    const EMAIL: &str = "account.admin_email = 'a@example.com'\n";
    let long = format!("key.client_id = '{}'", "x".repeat(257));
    for (text, level, key) in [
        ("server.host = '8081'", Level::Wrong, "server.host"),
        ("logging.level = 'loud'", Level::Wrong, "logging.level"),
        ("state.dir = ''", Level::Wrong, "state.dir"),
        ("key.access_ttl = '59s'", Level::Wrong, "key.access_ttl"),
        ("key.access_ttl = '25h'", Level::Wrong, "key.access_ttl"),
        (&long, Level::Wrong, "key.client_id"),
        ("cluster.pods_dir = '/nowhere/at/all'", Level::Warning, "cluster.pods_dir"),
        ("nodes = [{url = 'http://a:1'}]", Level::Wrong, "nodes[0].name"),
        ("nodes = [{name = 'n', url = 'a:1'}]", Level::Wrong, "nodes[0].url"),
        ("nodes = [{name = 'n', url = 'https://a:1'}]", Level::Wrong, "nodes[0].url"),
        ("mtls.enable = true\nnodes = [{name = 'n', url = 'http://a:1'}]", Level::Wrong, "nodes[0].url"),
        ("nodes = [{name='n', url='http://a'}, {name='n', url='http://b'}]", Level::Wrong, "nodes[1].name"),
        ("logging.path = 'x'", Level::Note, "logging.path"),
        ("logging.file_path = 'x'", Level::Note, "logging.file_path"),
        ("logging.console = false", Level::Note, "logging.console"),
        ("k8s.crd_namespace = 'x'", Level::Note, "k8s.crd_namespace"),
        (
            "k8s = {kube_config_path = '/nowhere', dm_namespace = 'dm'}",
            Level::Unserved,
            "k8s.kube_config_path",
        ),
        ("k8s.kube_config_path = '/etc/hostname'", Level::Note, "k8s.dm_namespace"),
        ("account.admin_password = 'your-password'", Level::Note, "account.admin_password"),
        (EMAIL, Level::Warning, "account.admin_password"),
        (
            &format!("{EMAIL}account.admin_password = 'Your-Password'"),
            Level::Unserved,
            "account.admin_password",
        ),
        ("key.rsa_private_key_pem = '...'", Level::Unserved, "key.rsa_private_key_pem"),
        ("key.rsa_private_key_pem = 'x'", Level::Wrong, "key.rsa_private_key_pem"),
        ("key.rsa_private_key_path = '/nowhere'", Level::Wrong, "key.rsa_private_key_path"),
        ("key.dm_public_key_pem = '...'", Level::Unserved, "key.dm_public_key_pem"),
        ("key.dm_public_key_path = '/nowhere'", Level::Wrong, "key.dm_public_key_path"),
        ("key.dm_private_key_path = '/nowhere'", Level::Wrong, "key.dm_private_key_path"),
    ] {
        assert_eq!(found(text), [(level, key.to_owned())], "{text}");
    }
}

#[test]
fn a_section_that_is_off_is_not_judged() {
    assert_eq!(found("[mtls]\ncert_pem = '...'\nkey_pem = 'x'"), []);
    let keys: Vec<String> = found("[mtls]\nenable = true\ncert_pem = '...'\nkey_pem = 'x'")
        .into_iter()
        .map(|(level, key)| format!("{level:?} {key}"))
        .collect();
    assert_eq!(keys, ["Unserved mtls.cert_pem", "Wrong mtls.key_pem", "Wrong mtls.ca_path"]);
    assert_eq!(found("[server.tls]\ncert_pem = '...'"), []);
    let text = "[server.tls]\nenable = true\ncert_pem = '...'";
    let want = [(Level::Unserved, "server.tls.cert_pem"), (Level::Wrong, "server.tls.key_path")];
    assert_eq!(found(text), want.map(|(level, key)| (level, key.to_owned())));
}

#[test]
fn mongodb_is_judged_when_it_is_asked_for() {
    let keys = |text: &str| found(text).into_iter().map(|(_, key)| key).collect::<Vec<_>>();
    let text = "[mongodb]\nhost = 'h'\nport = '0'\npassword = 'test'\nca_pem_enable = true\nca_pem = 'x'";
    let rest = ["mongodb.port", "mongodb.password", "mongodb.ca_pem", "mongodb.options"];
    if cfg!(feature = "mongodb") {
        assert_eq!(keys(text), rest);
        assert_eq!(keys("[mongodb]\nhost = 'h'\noptions = 'tls=perhaps'"), ["mongodb.options"]);
    } else {
        assert_eq!(keys(text), [&["mongodb"], &rest[..3]].concat());
    }
    assert!(keys("[mongodb]").ends_with(&["mongodb.host".to_owned()]));
    assert_eq!(keys("store.kind = 'redb'\n[mongodb]\nport = '0'"), [""; 0], "it is not the store");
}
