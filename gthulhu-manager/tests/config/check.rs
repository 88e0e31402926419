//! `config check` and `config show`.

use std::fs;

use gthulhu_http::files::{PRIVATE_FILE, write_atomic};
use gthulhu_http::keys::PrivateKey;

use crate::place::Place;

const SHIPPED: &str = include_str!("../../../config/manager_config.toml");

#[test]
fn broken_files_are_told_by_line_and_column_and_what_to_write() {
    const ADDRESS: &str = "must be host:port, or :port for all addresses of this machine";
    let rows: [(&str, &[&str]); 17] = [
        (
            "[server]]\nhost = \":1\"",
            &["1:9: nothing may follow the name of the section, `[name]` or `[[name]]`, on its line"],
        ),
        (
            "[server]\nhost = 127.0.0.1:8081",
            &["2:13: a number has digits only; any other text must be in quotes"],
        ),
        ("[key]\naccess_ttl = ", &["2:14: the value is missing; write `key = value`"]),
        ("host: ':1'", &["1:7: a line must be `key = value`, `[section]` or `# a comment`"]),
        ("[account]\nadmin_email = \"a@b", &["2:19: the text must end with a `\"` on this line"]),
        ("[key]\nrsa_private_key_pem = '''\nx", &["3:2: the text must end with three quotes"]),
        ("[store]\nkind = 'redb'\nkind = ''", &["3:1: `kind` is in this file already; keep one of the two"]),
        ("[mtls]\nenable = True", &["2:10: write true or false, in small letters"]),
        ("[acount]\nadmin_email = 'a@example.com'", &["1:2: unknown key `acount`; did you mean `account`?"]),
        (
            "[[nodes]]\nname = 'n'\nurl = 'http://a:1'\nservername = 'x'",
            &["4:1: unknown key `nodes[0].servername`; did you mean `nodes[0].server_name`?"],
        ),
        (
            "[mongodb]\nhost = 'h'\nport = 27017",
            &["3:8: `mongodb.port` must be a text in quotes, not the number 27017"],
        ),
        ("[nodes]\nname = 'n'", &["1:1: `nodes` must be an array such as [\"a\", \"b\"], not a section"]),
        ("[key]\naccess_ttl = '72h'", &["2:14: `key.access_ttl` must be 1m to 24h"]),
        ("[server]\nhost = 'localhost'", &[&format!("2:8: `server.host` {ADDRESS}")]),
        (
            "[store]\nkind = 'sqlite'\n[cluster]\nkind = 'nomad'",
            &[
                "2:8: `store.kind` must be \"redb\" or \"mongodb\", not \"sqlite\"",
                "4:8: `cluster.kind` must be \"kubernetes\" or \"folder\", not \"nomad\"",
            ],
        ),
        (
            "[[nodes]]\nname = 'a'\nurl = 'http://a:1'\n[[nodes]]\nname = 'a'\nurl = 'b:1'\n[[nodes]]\n",
            &[
                "5:8: `nodes[1].name` is `a` a second time; name each node once",
                "6:7: `nodes[1].url` must be http://host:port; https:// needs mtls.enable",
                "7:1: `nodes[2].name` must be the node's name as pods carry it",
                "7:1: `nodes[2].url` must be http://host:port; https:// needs mtls.enable",
            ],
        ),
        (
            "[key]\nrsa_private_key_pem = 'x'\ndm_public_key_path = 'no.pub'\nclient_id = 5",
            &[
                "2:23: `key.rsa_private_key_pem` must hold an RSA key in PEM: not a PEM text",
                "3:22: `key.dm_public_key_path` must name the file of an RSA key: no.pub: No such file or directory \
                 (os error 2)",
                "4:13: `key.client_id` must be a text in quotes, not the number 5",
            ],
        ),
    ];
    for (text, want) in rows {
        let place = Place::new(text);
        let (code, said) = place.check(&[]);
        let mut want: Vec<String> = want.iter().map(|line| (*line).to_owned()).collect();
        let warned = said.iter().filter(|line| line.contains(": warning: ")).count();
        let said: Vec<String> = said.into_iter().filter(|line| !line.contains(": warning: ")).collect();
        let plural = |count: usize, word| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let count = format!("{}, {}", plural(want.len(), "mistake"), plural(warned, "warning"));
        want.push(format!("gthulhu-manager:  {count}"));
        assert_eq!((code, said), (78, want), "{text}");
        assert_eq!(place.run("serve", &[]).0, 78, "{text}");
        assert_eq!(place.names(), ["manager_config.toml"], "nothing is made");
    }
}

#[test]
fn mutual_tls_is_judged_when_it_is_on() {
    let text = "[mtls]\nenable = true\ncert_pem = '...'\nkey_pem = 'x'";
    let (code, said) = Place::new(text).check(&[]);
    assert_eq!(code, 78);
    assert_eq!(
        said[..3],
        [
            "1:1: `mtls.ca_path` must name the file of the certificate of the authority (or set mtls.ca_pem)",
            "3:12: warning: `mtls.cert_pem` is the placeholder of an example; it must hold a certificate in PEM; serve \
             refuses to start with it",
            "4:11: `mtls.key_pem` must hold the private key of that certificate in PEM",
        ]
    );
}

#[test]
fn keys_of_files_must_be_closed_to_others_and_of_our_own() {
    const PRIVATE: &str = "MANAGER_KEY_RSA_PRIVATE_KEY_PATH";
    const PUBLIC: &str = "MANAGER_KEY_DM_PUBLIC_KEY_PATH";
    let place = Place::new("");
    let key = PrivateKey::generate().unwrap();
    write_atomic(&place.path("good.pem"), key.to_pem().as_bytes(), PRIVATE_FILE).unwrap();
    write_atomic(&place.path("open.pem"), key.to_pem().as_bytes(), 0o640).unwrap();
    fs::write(place.path("good.pub"), key.public().to_pem()).unwrap();
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../gthulhu-http/tests/fixtures/published.pub");
    for (variable, file, code, says) in [
        (PRIVATE, "good.pem", 0, ""),
        (PUBLIC, "good.pub", 0, ""),
        (PRIVATE, "open.pem", 78, "its mode must be 0600"),
        (PRIVATE, "good.pub", 78, "`key.rsa_private_key_path` must name the file of an RSA key"),
        (PUBLIC, "nothing.pub", 78, "nothing.pub: No such file"),
        (PUBLIC, published, 0, "`key.dm_public_key_path` is the key that the Go project publishes"),
    ] {
        let (got, said) = place.check(&[(variable, file)]);
        assert_eq!(got, code, "{variable}={file}: {said:?}");
        assert!(
            said.concat().contains(says) && (says.is_empty() == said.is_empty()),
            "{variable}={file}: {said:?}"
        );
    }
}

#[test]
fn the_shipped_file_passes_without_a_word() {
    let (code, out, err) = Place::new(SHIPPED).run("config check", &[("MANAGER_STATE_DIR", "state")]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "./manager_config.toml: 0 mistakes, 0 warnings\n", "")
    );
    let (code, _, err) = Place::new(SHIPPED).run("config check --config nothing.toml", &[]);
    assert!(code == 66 && err.contains("nothing.toml"), "{err}");
}

#[test]
fn what_is_in_effect_is_shown_without_secrets_and_loads_again() {
    let text = "[account]\nadmin_email = 'a@example.com'\nadmin_password = 'SECRET of sixteen'\n\
                [key]\ndm_public_key_pem = '''\nSECRET\n'''\n[[nodes]]\nname = 'n'\nurl = 'http://a:1'\n";
    let place = Place::new(text);
    let variables = [("MANAGER_SERVER_HOST", ":9000"), ("MANAGER_MONGODB_PASSWORD", "SECRET")];
    let (code, shown, err) = place.run("config show --effective", &variables);
    assert_eq!((code, err.as_str(), shown.contains("SECRET")), (0, "", false), "{shown}");
    for line in [
        "host = \":9000\"  # environment variable MANAGER_SERVER_HOST",
        "admin_password = \"...\"  # ./manager_config.toml:3",
        "dm_public_key_pem = \"...\"  # ./manager_config.toml:5",
        "rsa_private_key_pem = \"\"  # default",
        "access_ttl = \"3h\"  # default",
        "[[nodes]]",
        "url = \"http://a:1\"  # ./manager_config.toml:10",
        "server_name = \"\"  # default",
        // A section [mongodb] would choose MongoDB, which nobody did.
        "# [mongodb]",
        "# password = \"...\"  # environment variable MANAGER_MONGODB_PASSWORD",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    let again = Place::new(&shown);
    let (code, shown_again, _) = again.run("config show --effective", &[]);
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| Some(line.split("  #").next()?.to_owned())).collect()
    };
    assert_eq!((code, values(&shown_again)), (0, values(&shown)));
    // The store is still the embedded one.
    assert!(!again.check(&[]).1.concat().contains("MongoDB"));
}
