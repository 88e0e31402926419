//! From the keys of `[mongodb]` to what the driver wants.
//!
//! Name and password never become part of a URI: what is parsed carries placeholders, which are then replaced. So they
//! need no escaping, and no message about a URI can hold them. Whatever the options say, writes are acknowledged by a
//! majority that has journalled them, and reads go to the primary: weaker settings lose acknowledged writes.

use std::path::Path;
use std::time::Duration;

use gthulhu_http::files;
use mongodb::bson::{Document, doc};
use mongodb::options::{
    Acknowledgment, ClientOptions, ConnectionString, ReadConcern, ReadPreference, SelectionCriteria, Tls,
    TlsOptions, WriteConcern,
};

use crate::config::Mongodb;

/// How long a search for a server that can be written to lasts, and a connection to it.
const SELECTION: Duration = Duration::from_secs(2);
/// How often the driver looks how the server is, while nobody needs it.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the server may wait for a majority.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(4);
/// The file below the state directory that the authority is written to: the driver reads it from a file only.
const CA_FILE: &str = "mongodb-ca.pem";

impl Mongodb {
    /// A URI with these options and no credentials but placeholders.
    fn uri(&self) -> String {
        let user = if self.user.is_empty() { "" } else { "user:password@" };
        format!("mongodb://{user}{}/?{}", self.address(), self.options)
    }

    /// Whether the driver understands host, port and options; the reason when it does not.
    pub fn check_options(&self) -> Result<(), String> {
        if self.host.contains(['/', '?', '@', '#', ' ']) {
            return Err("the host must be a name or an address and nothing else".into());
        }
        ConnectionString::parse(self.uri()).map(drop).map_err(|error| self.unvalued(&error.kind.to_string()))
    }

    /// What the driver says, without the options' values: some options are secrets, and a secret may have slipped into any.
    fn unvalued(&self, reason: &str) -> String {
        let values =
            self.options.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        values
            .filter(|value| value.len() > 3)
            .fold(reason.to_owned(), |text, value| text.replace(value, "..."))
    }
}

/// What every write waits for.
pub(super) fn durable() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(ACKNOWLEDGED_WITHIN).build()
}

/// The same as a command has it.
pub(super) fn durable_write() -> Document {
    let patience = i64::try_from(ACKNOWLEDGED_WITHIN.as_millis()).unwrap_or(i64::MAX);
    doc! { "w": "majority", "j": true, "wtimeout": patience }
}

/// The driver's options. The authority's certificate, if one is configured, is written below `state`.
pub(super) async fn client_options(config: &Mongodb, state: &Path) -> Result<ClientOptions, String> {
    config.check_options()?;
    let options = ClientOptions::parse(config.uri()).await;
    let mut options = options.map_err(|error| config.unvalued(&error.kind.to_string()))?;
    if let Some(credential) = &mut options.credential {
        credential.username = Some(config.user.clone());
        credential.password = Some(config.password.reveal().to_owned());
    }
    if config.ca_pem_enable {
        let path = state.join(CA_FILE);
        files::write_atomic(&path, config.ca_pem.as_bytes(), files::PRIVATE_FILE)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut tls = match options.tls.take() {
            Some(Tls::Enabled(tls)) => tls,
            _ => TlsOptions::default(),
        };
        tls.ca_file_path = Some(path);
        options.tls = Some(Tls::Enabled(tls));
    }
    options.app_name = Some("gthulhu-manager".into());
    options.server_selection_timeout = Some(SELECTION);
    options.connect_timeout = Some(SELECTION);
    options.heartbeat_freq = Some(HEARTBEAT);
    options.write_concern = Some(durable());
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(password: &str, options: &str) -> Mongodb {
        Mongodb {
            host: "db.example".into(),
            user: "o'neil@example".into(),
            password: password.into(),
            options: options.into(),
            ..Mongodb::default()
        }
    }

    async fn parsed(config: &Mongodb) -> ClientOptions {
        client_options(config, Path::new("/nowhere")).await.unwrap()
    }

    #[tokio::test]
    async fn credentials_of_any_characters_arrive_as_they_are() {
        for password in ["p@ss:w/rd?#%41", "a b", "%", "'"] {
            let options = parsed(&config(password, "authSource=admin&directConnection=true&ssl=false")).await;
            let credential = options.credential.unwrap();
            assert_eq!(credential.username.as_deref(), Some("o'neil@example"));
            assert_eq!(credential.password.as_deref(), Some(password));
            assert_eq!(credential.source.as_deref(), Some("admin"));
            assert_eq!(options.direct_connection, Some(true));
        }
        let anonymous = Mongodb { user: String::new(), ..config("", "") };
        assert!(parsed(&anonymous).await.credential.is_none());
    }

    #[tokio::test]
    async fn no_option_weakens_what_a_write_waits_for() {
        let weak = "w=0&journal=false&readConcernLevel=local&readPreference=secondary&wtimeoutMS=1";
        let options = parsed(&config("p", weak)).await;
        let write = options.write_concern.unwrap();
        assert_eq!((write.w, write.journal), (Some(Acknowledgment::Majority), Some(true)));
        assert_eq!(options.read_concern, Some(ReadConcern::majority()));
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        assert_eq!(options.selection_criteria, Some(primary));
    }

    #[tokio::test]
    async fn the_authority_is_trusted_from_a_private_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = Mongodb { ca_pem_enable: true, ca_pem: "a certificate".into(), ..config("p", "") };
        let options = client_options(&config, dir.path()).await.unwrap();
        let Some(Tls::Enabled(tls)) = options.tls else { panic!("{:?}", options.tls) };
        let path = tls.ca_file_path.unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "a certificate");
    }

    #[test]
    fn options_that_make_no_sense_are_told_without_the_password() {
        for options in ["tls=maybe", "authMechanism=ROT13", "replicaSet"] {
            let reason = config("hidden-password", options).check_options().unwrap_err();
            assert!(!reason.is_empty() && !reason.contains("hidden-password"), "{reason}");
        }
        for options in ["authMechanism=hidden-value", "tls=true&hidden-value"] {
            let reason = config("", options).check_options().unwrap_err();
            assert!(!reason.is_empty() && !reason.contains("hidden-value"), "{reason}");
        }
        let host = Mongodb { host: "a/b?c".into(), ..config("p", "") };
        assert!(host.check_options().is_err());
    }

    #[test]
    fn the_address_is_what_the_file_says_or_the_usual() {
        let address = |host: &str, port: &str| {
            Mongodb { host: host.into(), port: port.into(), ..Mongodb::default() }.address()
        };
        assert_eq!(address("h", ""), "h:27017");
        assert_eq!(address("h", "1"), "h:1");
        assert_eq!(address("::1", "1"), "[::1]:1");
        assert_eq!(Mongodb::default().database_name(), "manager");
    }
}
