//! A file as the Go manager has it: no mistake, one warning for each credential that is an example, and nothing that
//! could be served before they are replaced.

use crate::place::Place;

const GO: &str = include_str!("../fixtures/go_manager_config.toml");

#[test]
fn it_passes_the_check_with_one_warning_for_each_example() {
    let place = Place::new(GO);
    let (code, said) = place.check(&[]);
    assert_eq!(code, 0);
    let refused = "; serve refuses to start with it";
    assert_eq!(
        said,
        [
            "9:8: note: `logging.path` has no effect: the log goes to standard error".to_owned(),
            "15:12: warning: `mongodb.password` is a password that examples print; choose one of your own"
                .to_owned(),
            format!(
                "22:23: warning: `key.rsa_private_key_pem` is the placeholder of an example; put a key of your own \
                 there{refused}"
            ),
            format!(
                "23:21: warning: `key.dm_public_key_pem` is the placeholder of an example; put a key of your own \
                 there{refused}"
            ),
            format!(
                "28:18: warning: `account.admin_password` is a password that examples print; choose one of your \
                 own{refused}"
            ),
            format!("31:20: warning: `k8s.kube_config_path` is no file on this machine{refused}"),
            "33:17: note: `k8s.crd_namespace` has no effect: strategies are kept in the store".to_owned(),
        ]
    );
    let (_, out, _) = place.run("config check", &[]);
    assert_eq!(out, "./manager_config.toml: 0 mistakes, 5 warnings\n");
    assert_eq!(place.names(), ["manager_config.toml"], "nothing is made");
}

#[test]
fn it_is_not_served_and_every_reason_is_named() {
    let place = Place::new(GO);
    let state = place.path("state").display().to_string();
    let (code, _, err) = place.run("serve", &[("MANAGER_STATE_DIR", &state)]);
    assert_eq!(
        (code, err.as_str()),
        (
            78,
            "gthulhu-manager: ./manager_config.toml:22:23: `key.rsa_private_key_pem` is the placeholder of an example; \
             put a key of your own there (also wrong: key.dm_public_key_pem, account.admin_password, \
             k8s.kube_config_path; see `gthulhu-manager config check`)\n"
        )
    );
    assert_eq!(place.names(), ["manager_config.toml"], "nothing is made");
}

/// Each credential in turn is the only thing in the way.
#[test]
fn serve_names_the_example_that_is_left() {
    let variables = [
        ("MANAGER_STORE_KIND", "redb"),
        ("MANAGER_CLUSTER_KIND", "folder"),
        ("MANAGER_CLUSTER_PODS_DIR", "."),
    ];
    let lines = [
        ("key.rsa_private_key_pem", "rsa_private_key_pem = \"...\""),
        ("key.dm_public_key_pem", "dm_public_key_pem = \"...\""),
        ("account.admin_password", "admin_password = \"your-password-here\""),
    ];
    for (key, left) in lines {
        let others = lines.iter().filter(|(_, line)| *line != left);
        let text = others.fold(GO.to_owned(), |text, (_, line)| text.replace(line, ""));
        let place = Place::new(&text);
        let state = place.path("state").display().to_string();
        let mut variables = variables.to_vec();
        variables.push(("MANAGER_STATE_DIR", &state));
        assert_eq!(place.check(&variables).0, 0, "{key}");
        let (code, _, err) = place.run("serve", &variables);
        assert!(
            code == 78 && err.contains(&format!(": `{key}` is ")) && !err.contains("also wrong"),
            "{err}"
        );
    }
}
