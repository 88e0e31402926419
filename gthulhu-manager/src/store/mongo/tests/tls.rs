//! TLS to a server that has a certificate for its address, by an authority of its own.

use gthulhu_http::certs::{Ca, Holder, Name, Usage};

use super::*;
use crate::domain::NodeAck;
use crate::store::Bookkeeping;

/// The server's authority, and another one.
fn start(test: &str) -> Option<(Rig, [String; 2])> {
    let [ours, other] = ["ours", "another"].map(|name| Ca::generate(name).unwrap());
    let names = vec![Name::Ip("127.0.0.1".parse().unwrap())];
    let issued = ours.issue(&Holder { common_name: "database".into(), usage: Usage::Server, names }).unwrap();
    let rig = Rig::start_with(test, |dir| {
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path.into_os_string()
        };
        let (cert, key) = (file("server.crt", &issued.cert_pem), file("server.key", &issued.key_pem));
        vec!["--tls-cert-file".into(), cert, "--tls-key-file".into(), key]
    })?;
    Some((rig, [ours, other].map(|ca| ca.cert_pem())))
}

#[test]
fn a_server_is_spoken_to_if_its_certificate_is_by_our_authority_and_for_its_name() {
    let Some((rig, [ours, other])) = start("a_server_is_spoken_to_if_its_certificate_is_good") else {
        return;
    };
    let plain = rig.config("tls");
    let with = |ca: &str| Mongodb { ca_pem_enable: true, ca_pem: ca.into(), ..plain.clone() };
    let ack = NodeAck { node: "n".into(), epoch: 1, generation: 1, error: None, at_ms: 0 };
    let store = MongoStore::open(&with(&ours), &rig.state()).unwrap();
    store.commit(&Bookkeeping::new().ack(0, ack).into()).unwrap();
    drop(store);

    let by_system =
        Mongodb { options: "authSource=admin&directConnection=true&tls=true".into(), ..plain.clone() };
    let another_name = Mongodb { host: "localhost".into(), ..with(&ours) };
    for (config, says) in [
        (with(&other), "certificate"),
        (by_system, "certificate"),
        (another_name, "certificate"),
        (plain.clone(), ""),
    ] {
        let error = MongoStore::open(&config, &rig.state()).map(drop).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{text}");
        println!("{text}");
        let begins = format!("mongodb {}:{}: cannot be reached: ", config.host, rig.server.port());
        assert!(text.starts_with(&begins) && text.contains(says) && text.lines().count() == 1, "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
    assert_eq!(MongoStore::open(&with(&ours), &rig.state()).unwrap().snapshot().unwrap().documents.len(), 1);
}
