//! Secrets of Kubernetes: made once, never changed. Only the command that prepares a cluster uses this; the manager itself has
//! no right to it.

use std::collections::BTreeMap;
use std::future::Future;

use http::Request;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use serde_json::json;
use tokio::time::timeout;

use super::Options;
use super::connect::{ConnectError, Connector, Source};
use super::failure::told;
use crate::quoted::quoted;

/// What a Secret holds: texts by their names.
pub type Texts = BTreeMap<String, String>;

/// Why a Secret could not be read or made. No message holds any of its texts.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// There is no way to the API.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The API refused, or did not answer.
    #[error("secret {namespace}/{name}: cannot {action} it: {reason}")]
    Refused {
        /// Where the Secret is.
        namespace: String,
        /// Which one.
        name: String,
        /// A verb.
        action: &'static str,
        /// What was said.
        reason: String,
    },
}

/// A way to the Secrets of a cluster.
pub struct Secrets {
    client: Client,
    options: Options,
}

impl Secrets {
    /// Does not speak to the API yet.
    pub async fn connect(source: &Source) -> Result<Self, SecretsError> {
        let options = Options::default();
        let client = Connector::new(source.clone()).connect(&options).await?;
        Ok(Self { client, options })
    }

    /// What it holds, if there is one.
    pub async fn read(&self, namespace: &str, name: &str) -> Result<Option<Texts>, SecretsError> {
        let request = Request::get(format!("/api/v1/namespaces/{namespace}/secrets/{name}"));
        let asked = request.body(Vec::new()).map_err(kube::Error::HttpError);
        let secret: Option<Secret> = match self.send(asked).await {
            Ok(secret) => Some(secret),
            Err(Refusal::Status(404, _)) => None,
            Err(refusal) => return Err(refusal.of(namespace, name, "read")),
        };
        let text = |(key, bytes): (_, k8s_openapi::ByteString)| Some((key, String::from_utf8(bytes.0).ok()?));
        Ok(secret.map(|secret| secret.data.unwrap_or_default().into_iter().filter_map(text).collect()))
    }

    /// Whether there is one of this name. Takes no more than the right to make one: it is asked what would come of that.
    pub async fn exists(&self, namespace: &str, name: &str) -> Result<bool, SecretsError> {
        Ok(!self.create(namespace, name, &Texts::new(), "?dryRun=All").await?)
    }

    /// Makes it, unless there is one of this name, which is left as it is. Whether it was made.
    pub async fn make(&self, namespace: &str, name: &str, texts: &Texts) -> Result<bool, SecretsError> {
        self.create(namespace, name, texts, "").await
    }

    async fn create(
        &self,
        namespace: &str,
        name: &str,
        texts: &Texts,
        query: &str,
    ) -> Result<bool, SecretsError> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "gthulhu"}},
            "stringData": texts,
        });
        let request = Request::post(format!("/api/v1/namespaces/{namespace}/secrets{query}"))
            .header(http::header::CONTENT_TYPE, "application/json");
        let asked = request.body(secret.to_string().into_bytes()).map_err(kube::Error::HttpError);
        match self.send(asked).await {
            Ok(_) => Ok(true),
            Err(Refusal::Status(409, _)) => Ok(false),
            Err(refusal) => Err(refusal.of(namespace, name, "make")),
        }
    }

    fn send(
        &self,
        request: Result<Request<Vec<u8>>, kube::Error>,
    ) -> impl Future<Output = Result<Secret, Refusal>> {
        let (client, wait) = (self.client.clone(), self.options.answer);
        async move {
            match timeout(wait, async { client.request(request?).await }).await {
                Ok(Ok(secret)) => Ok(secret),
                Ok(Err(kube::Error::Api(status))) => {
                    Err(Refusal::Status(status.code, status.message.clone()))
                }
                // It would quote the answer, which holds secrets.
                Ok(Err(kube::Error::SerdeError(_))) => {
                    Err(Refusal::Other("its answer is no Secret".to_owned()))
                }
                Ok(Err(error)) => Err(Refusal::Other(told(&error))),
                Err(_) => Err(Refusal::Other(format!("it says nothing for {wait:?}"))),
            }
        }
    }
}

enum Refusal {
    Status(u16, String),
    Other(String),
}

impl Refusal {
    fn of(self, namespace: &str, name: &str, action: &'static str) -> SecretsError {
        let reason = match self {
            Self::Status(code, said) => format!("the API answers {code}: {}", quoted(&said)),
            Self::Other(reason) => quoted(&reason),
        };
        SecretsError::Refused { namespace: namespace.to_owned(), name: name.to_owned(), action, reason }
    }
}
