//! Why a call to the API came to nothing, and when to try again.

use std::error::Error;
use std::time::Duration;

use kube::client::AuthError;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened, in half a sentence.
    pub(super) reason: String,
    /// The server asks to be left alone for this long.
    pub(super) retry_after: Option<Duration>,
    /// What was asked for is past: everything must be read anew.
    pub(super) gone: bool,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None, gone: false }
    }
}

/// The error followed by its causes, each after `: `.
///
/// If it is about credentials, a sentence of ours takes its place: the library would show the command that was to give
/// them with its environment, and all that it wrote.
pub(super) fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(auth) = error.downcast_ref::<AuthError>() {
            return about_credentials(auth);
        }
        let more = error.to_string();
        // Many errors already end with their cause.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = error.source();
    }
    text
}

fn about_credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(error) => format!("its exec plugin cannot be started: {error}"),
        AuthError::AuthExecRun { out, .. } => format!("its exec plugin failed with {}", out.status),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "its exec plugin gives no credentials that can be read".to_owned()
        }
        AuthError::ReadTokenFile(error, path) => {
            format!("token file {} cannot be read: {error}", path.display())
        }
        _ => "its credentials are of no use".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{ExitStatus, Output};

    use super::*;

    #[test]
    fn errors_about_credentials_are_told_in_our_own_words_however_deep_they_are() {
        let failed = || {
            let out = Output {
                status: ExitStatus::from_raw(7 << 8),
                stdout: b"canary".to_vec(),
                stderr: b"canary".to_vec(),
            };
            AuthError::AuthExecRun { cmd: "TOKEN=canary plugin".to_owned(), out: Box::new(out) }
        };
        let unknown = || AuthError::AuthExec("Executing plugin --token=canary failed".to_owned());
        for error in [
            kube::Error::Auth(failed()),
            // Of a token that is renewed while a request is made.
            kube::Error::Service(Box::new(failed())),
        ] {
            assert_eq!(told(&error), "its exec plugin failed with exit status: 7");
        }
        assert_eq!(told(&kube::Error::Auth(unknown())), "its credentials are of no use");
        let other = kube::Error::ReadEvents(std::io::Error::other("no more"));
        assert_eq!(told(&other), "Error reading events stream: no more");
    }
}
