//! Judged by openssl, as the people who deploy this judge their certificates.

use std::path::Path;
use std::process::Command;

use super::*;

/// A directory with an authority and a client certificate of it, or None, said aloud, where openssl is missing.
fn issued() -> Option<tempfile::TempDir> {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: openssl is not installed, so nothing has judged these certificates");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::generate("Gthulhu-Private-CA").unwrap();
    let manager = ca.issue_client("gthulhu-manager").unwrap();
    let files = [
        ("ca.crt", ca.cert_pem()),
        ("ca.key", ca.key_pem()),
        ("m.crt", manager.cert_pem),
        ("m.key", manager.key_pem),
    ];
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    Some(dir)
}

/// Runs openssl in the directory; its success and everything it said.
fn openssl(dir: &Path, arguments: &str) -> (bool, String) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_client_certificate_is_good_for_clients_only() {
    let Some(dir) = issued() else { return };
    let cases = [
        ("verify -x509_strict -purpose sslclient -CAfile ca.crt m.crt", true),
        ("verify -purpose sslserver -CAfile ca.crt m.crt", false),
        ("verify -CAfile m.crt ca.crt", false),
        ("verify -x509_strict -CAfile ca.crt ca.crt", true),
    ];
    for (arguments, good) in cases {
        let (verdict, said) = openssl(dir.path(), arguments);
        assert_eq!(verdict, good, "openssl {arguments}: {said}");
    }
}

#[test]
fn another_authority_does_not_vouch_for_it() {
    let (Some(ours), Some(other)) = (issued(), issued()) else { return };
    let arguments = format!("verify -CAfile {} m.crt", other.path().join("ca.crt").display());
    let (verdict, said) = openssl(ours.path(), &arguments);
    assert!(!verdict, "{said}");
    let read = |dir: &Path, name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    for name in ["ca.key", "m.key", "ca.crt", "m.crt"] {
        assert_ne!(read(ours.path(), name), read(other.path(), name), "{name}");
    }
}

#[test]
fn names_keys_and_validity_are_as_promised() {
    let Some(dir) = issued() else { return };
    let client = openssl(dir.path(), "x509 -in m.crt -noout -text -nameopt RFC2253").1;
    for want in ["Subject: CN=gthulhu-manager", "Issuer: CN=Gthulhu-Private-CA", "prime256v1"] {
        assert!(client.contains(want), "{want} in {client}");
    }
    assert!(client.contains("TLS Web Client Authentication") && !client.contains("Server Auth"), "{client}");
    assert!(!client.contains("Alternative Name"), "{client}");
    let authority = openssl(dir.path(), "x509 -in ca.crt -noout -text").1;
    assert!(
        authority.contains("CA:TRUE, pathlen:0") && authority.contains("Certificate Sign"),
        "{authority}"
    );

    // `-checkend N` fails for a certificate that ends within N seconds.
    let day = 24 * 3600;
    for (name, years) in [("m.crt", 2), ("ca.crt", 10)] {
        let days = years * 365;
        for (days, good) in [(days - 2, true), (days + 4, false)] {
            let (verdict, said) =
                openssl(dir.path(), &format!("x509 -in {name} -noout -checkend {}", days * day));
            assert_eq!(verdict, good, "{name} in {days} days: {said}");
        }
    }
}

#[test]
fn each_key_belongs_to_its_certificate() {
    let Some(dir) = issued() else { return };
    for name in ["ca", "m"] {
        let of_cert = openssl(dir.path(), &format!("x509 -in {name}.crt -noout -pubkey"));
        let of_key = openssl(dir.path(), &format!("pkey -in {name}.key -pubout"));
        assert!(of_cert.0 && of_key.0);
        assert_eq!(of_cert.1, of_key.1, "{name}");
    }
}

#[test]
fn an_authority_is_read_back_and_issues_for_nodes() {
    let Some(dir) = issued() else { return };
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let ca = Ca::load(&read("ca.crt"), &read("ca.key")).unwrap();
    let holder = Holder {
        common_name: "gthulhu-decisionmaker".into(),
        usage: Usage::Server,
        names: vec![
            Name::Dns("node-1.example".into()),
            Name::Ip([192, 0, 2, 7].into()),
            Name::Ip("2001:db8::7".parse().unwrap()),
            Name::Uri("gthulhu://main/node/node-1".into()),
        ],
    };
    let node = ca.issue(&holder).unwrap();
    std::fs::write(dir.path().join("n.crt"), &node.cert_pem).unwrap();
    for (arguments, good) in [
        ("verify -x509_strict -purpose sslserver -verify_ip 192.0.2.7 -CAfile ca.crt n.crt", true),
        ("verify -purpose sslserver -verify_hostname node-1.example -CAfile ca.crt n.crt", true),
        ("verify -purpose sslserver -verify_ip 192.0.2.8 -CAfile ca.crt n.crt", false),
        ("verify -purpose sslclient -CAfile ca.crt n.crt", false),
    ] {
        let (verdict, said) = openssl(dir.path(), arguments);
        assert_eq!(verdict, good, "openssl {arguments}: {said}");
    }
    let seen = Seen::from_pem(&node.cert_pem).unwrap();
    assert_eq!(seen.holder(), Some(holder), "a new one like it is for the same holder");
    assert_eq!(
        (seen.subject.as_str(), seen.issuer.as_str()),
        ("CN=gthulhu-decisionmaker", "CN=Gthulhu-Private-CA")
    );
    assert!(seen.server && !seen.client && !seen.authority && seen.not_before < seen.not_after);
    let authority = Seen::from_pem(&read("ca.crt")).unwrap();
    assert!(authority.authority && authority.holder().is_none());
}

#[test]
fn what_is_no_authority_is_refused() {
    let (ca, other) = (Ca::generate("a").unwrap(), Ca::generate("a").unwrap());
    let client = ca.issue_client("m").unwrap();
    let refused = |cert: &str, key: &str| Ca::load(cert, key).err().unwrap().to_string();
    for (cert, key, text) in [
        (client.cert_pem.as_str(), client.key_pem.as_str(), "the certificate is of someone else"),
        (&ca.cert_pem(), &other.key_pem(), "the key is not the certificate's"),
        (&ca.cert_pem(), "x", "the key cannot be read"),
        ("x", &ca.key_pem(), "there is no block"),
        (&ca.key_pem(), &ca.key_pem(), "the block is `PRIVATE KEY`"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x", "the block is damaged"),
    ] {
        assert!(refused(cert, key).contains(text), "{text}: {}", refused(cert, key));
    }
}

#[test]
fn an_authority_that_openssl_made_issues_too() {
    let Some(dir) = issued() else { return };
    for arguments in [
        "ecparam -name prime256v1 -genkey -noout -out o.key",
        "req -new -x509 -days 3650 -key o.key -out o.crt -subj /CN=Gthulhu-Private-CA",
        "pkcs8 -topk8 -nocrypt -in o.key -out o8.key",
    ] {
        let (done, said) = openssl(dir.path(), arguments);
        assert!(done, "{said}");
    }
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let ca = Ca::load(&read("o.crt"), &read("o8.key")).unwrap();
    std::fs::write(dir.path().join("c.crt"), ca.issue_client("gthulhu-manager").unwrap().cert_pem).unwrap();
    let (verdict, said) = openssl(dir.path(), "verify -purpose sslclient -CAfile o.crt c.crt");
    assert!(verdict, "{said}");
}
