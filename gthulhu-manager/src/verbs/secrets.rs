//! `secrets`: what a first start makes in a state directory, made as Secrets of a cluster instead.
//!
//! Everything is made at once and kept in one Secret, [`FIRST_START`], which comes first: it is the sign that all is there. The
//! others are parts of it, each for one reader. So an interrupted run is finished by the next one with the same keys, and a
//! Secret that somebody else has made is left as it is, unless its other half would then belong to another authority or key.

use clap::Args;
use gthulhu_http::certs::{Ca, Holder, Name, Usage};
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::random;
use gthulhu_http::settings::FileArgs;
use gthulhu_http::tls::identity::{DECISION_MAKER, MANAGER};

use super::{Place, say};
use crate::cluster::kubernetes::Source;
use crate::cluster::kubernetes::secrets::{Secrets, SecretsError, Texts};
use crate::config::ClusterChoice;

/// Everything, the authority's key included. No pod mounts it.
const FIRST_START: &str = "gthulhu-first-start";

/// Who reads a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// The manager, or its database beside it.
    Manager,
    /// Every decision maker.
    Nodes,
}

/// A Secret that pods mount: for whom, under which name, and each key with that of the text in [`FIRST_START`].
type Part = (Reader, &'static str, &'static [(&'static str, &'static str)]);

/// All of them.
const PARTS: [Part; 7] = [
    (
        Reader::Manager,
        "gthulhu-mtls-certs",
        &[("ca.crt", "ca.crt"), ("manager.crt", "manager.crt"), ("manager.key", "manager.key")],
    ),
    (Reader::Manager, "gthulhu-keys", &[("user-jwt.key", "user-jwt.key"), ("dm-token.key", "dm-token.key")]),
    (Reader::Manager, "gthulhu-admin", &[("email", "admin-email"), ("password", "admin-password")]),
    (
        Reader::Manager,
        "mongo-auth",
        &[("MONGO_INITDB_ROOT_USERNAME", "mongo-user"), ("MONGO_INITDB_ROOT_PASSWORD", "mongo-password")],
    ),
    (Reader::Manager, "mongo-keyfile", &[("keyfile", "mongo-keyfile")]),
    (
        Reader::Nodes,
        "gthulhu-mtls-certs",
        &[("ca.crt", "ca.crt"), ("dm.crt", "dm.crt"), ("dm.key", "dm.key")],
    ),
    (Reader::Nodes, "gthulhu-dm-token", &[("dm-token.key", "dm-token.key")]),
];

/// Parts that manager and nodes know one another by: both are of one first start, or neither.
const HALVES: [(&str, &str); 2] =
    [("gthulhu-mtls-certs", "gthulhu-mtls-certs"), ("gthulhu-keys", "gthulhu-dm-token")];

/// `secrets`
#[derive(Debug, Args)]
pub struct SecretsArgs {
    /// The namespace of the manager and its database; without it, that of the pod or kubeconfig
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The namespace of the decision makers
    #[arg(long, value_name = "NAME", default_value = "kube-system")]
    dm_namespace: String,
    /// What the manager calls decision makers over TLS, its mtls.server_name
    #[arg(long, value_name = "NAME", default_value = "decisionmaker")]
    server_name: String,
    /// The first administrator
    #[arg(long, value_name = "NAME", default_value = "admin@localhost")]
    admin: String,
    /// Which configuration
    #[command(flatten)]
    files: FileArgs,
}

pub(super) fn run(args: &SecretsArgs) -> Result<(), Exit> {
    let ClusterChoice::Kubernetes(source, _) = Place::of(&args.files)?.config.cluster_choice()? else {
        let rule = "no Kubernetes API is configured: set k8s.in_cluster or k8s.kube_config_path";
        return Err(Exit::new(exit::CONFIG, rule));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Exit::from_error(exit::OS_ERROR, &error))?;
    for made in runtime.block_on(make(args, &source))? {
        say(made)?;
    }
    Ok(())
}

/// Makes what is missing; what was made, one line each.
async fn make(args: &SecretsArgs, source: &Source) -> Result<Vec<String>, Exit> {
    let namespace = match &args.namespace {
        Some(namespace) => namespace.clone(),
        None => source.namespace().await.map_err(|error| Exit::from_error(exit::CONFIG, &error))?,
    };
    let secrets = Secrets::connect(source).await.map_err(|error| refused(&error))?;
    let mut made = Vec::new();
    let kept = secrets.read(&namespace, FIRST_START).await.map_err(|error| refused(&error))?;
    let all = if let Some(all) = kept {
        all
    } else {
        no_half_is_left(&secrets, &namespace, &args.dm_namespace).await?;
        first_start(&secrets, &namespace, args, &mut made).await?
    };
    for (reader, name, keys) in PARTS {
        let namespace = match reader {
            Reader::Manager => &namespace,
            Reader::Nodes => &args.dm_namespace,
        };
        let part = part(&all, keys).ok_or_else(|| {
            let rule = "does not hold all that a first start makes; remove it, and it is made anew";
            Exit::new(exit::DATA, format!("secret {namespace}/{FIRST_START} {rule}"))
        })?;
        if secrets.make(namespace, name, &part).await.map_err(|error| refused(&error))? {
            made.push(format!("{namespace}/{name}"));
        }
    }
    Ok(made)
}

/// What is left of an earlier first start is no half of anything: the other one would be made to go with nothing.
async fn no_half_is_left(secrets: &Secrets, namespace: &str, dm_namespace: &str) -> Result<(), Exit> {
    for (managers, nodes) in HALVES {
        let halves = [(namespace, managers), (dm_namespace, nodes)];
        let mut there = [false; 2];
        for ((namespace, name), there) in halves.into_iter().zip(&mut there) {
            *there = secrets.exists(namespace, name).await.map_err(|error| refused(&error))?;
        }
        let ((left, left_name), (other, other_name)) = match there {
            [true, false] => (halves[0], halves[1]),
            [false, true] => (halves[1], halves[0]),
            [true, true] | [false, false] => continue,
        };
        let rule = format!("is there and {other}/{other_name}, which has to go with it, is not");
        let message = format!("secret {left}/{left_name} {rule}: remove the one, or make the other too");
        return Err(Exit::new(exit::DATA, message));
    }
    Ok(())
}

/// Makes everything and keeps it; if somebody else was faster, what he made.
async fn first_start(
    secrets: &Secrets,
    namespace: &str,
    args: &SecretsArgs,
    made: &mut Vec<String>,
) -> Result<Texts, Exit> {
    let all = generate(args)?;
    if secrets.make(namespace, FIRST_START, &all).await.map_err(|error| refused(&error))? {
        made.push(format!("{namespace}/{FIRST_START}"));
        return Ok(all);
    }
    let theirs = secrets.read(namespace, FIRST_START).await.map_err(|error| refused(&error))?;
    theirs
        .ok_or_else(|| Exit::new(exit::TEMPORARY, format!("secret {namespace}/{FIRST_START} came and went")))
}

fn part(all: &Texts, keys: &[(&str, &str)]) -> Option<Texts> {
    keys.iter().map(|(key, text)| Some(((*key).to_owned(), all.get(*text)?.clone()))).collect()
}

fn generate(args: &SecretsArgs) -> Result<Texts, Exit> {
    let fault = |error: &dyn std::fmt::Display| Exit::new(exit::SOFTWARE, error.to_string());
    let ca = Ca::generate("Gthulhu-Private-CA").map_err(|error| fault(&error))?;
    let manager = ca.issue_client(MANAGER).map_err(|error| fault(&error))?;
    let names = vec![Name::Dns(args.server_name.clone())];
    let dm = ca
        .issue(&Holder { common_name: DECISION_MAKER.to_owned(), usage: Usage::Server, names })
        .map_err(|error| Exit::new(exit::USAGE, format!("--server-name: {error}")))?;
    let key = || PrivateKey::generate().map(|key| key.to_pem()).map_err(|error| fault(&error));
    let texts = [
        ("ca.crt", ca.cert_pem()),
        ("ca.key", ca.key_pem()),
        ("manager.crt", manager.cert_pem),
        ("manager.key", manager.key_pem),
        ("dm.crt", dm.cert_pem),
        ("dm.key", dm.key_pem),
        ("user-jwt.key", key()?),
        ("dm-token.key", key()?),
        ("admin-email", args.admin.clone()),
        ("admin-password", random::password()),
        ("mongo-user", "admin".to_owned()),
        ("mongo-password", random::password()),
        // What mongod takes for a key file: 6 to 1024 characters of base64.
        ("mongo-keyfile", (0..16).map(|_| random::password()).collect()),
    ];
    Ok(texts.map(|(key, text)| (key.to_owned(), text)).into())
}

fn refused(error: &SecretsError) -> Exit {
    let code = match error {
        SecretsError::Connect(_) => exit::CONFIG,
        SecretsError::Refused { .. } => exit::UNAVAILABLE,
    };
    Exit::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_gets_his_part_and_nobody_the_authoritys_key() {
        let args = SecretsArgs {
            namespace: None,
            dm_namespace: String::new(),
            server_name: "decisionmaker".to_owned(),
            admin: "admin@localhost".to_owned(),
            files: FileArgs::default(),
        };
        let all = generate(&args).unwrap();
        for (reader, name, keys) in PARTS {
            let part = part(&all, keys).unwrap();
            assert!(part.values().all(|text| !text.is_empty()), "{name}");
            assert!(part.values().all(|text| *text != all["ca.key"]), "{name}");
            if reader == Reader::Nodes {
                let own = [&all["manager.key"], &all["user-jwt.key"], &all["admin-password"]];
                assert!(part.values().all(|text| !own.contains(&text)), "{name}");
            }
        }
        let (keyfile, base64) = (&all["mongo-keyfile"], |c: char| c.is_ascii_alphanumeric());
        assert!(keyfile.len() <= 1024 && keyfile.len() % 4 == 0 && keyfile.chars().all(base64));
    }

    #[test]
    fn a_first_start_that_lacks_something_is_noticed() {
        let all = Texts::from([("ca.crt".to_owned(), "x".to_owned())]);
        assert_eq!(part(&all, &[("ca.crt", "ca.crt"), ("dm.key", "dm.key")]), None);
    }
}
