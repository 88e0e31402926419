//! The Kubernetes API for whoever administers it: one request at a time, JSON in and out.

use std::path::Path;

use gthulhu_local::error::LocalError;
use http::Request;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

/// A way to the API.
pub(crate) struct Api(Client);

impl Api {
    pub(crate) async fn connect(kubeconfig: &Path) -> Result<Self, LocalError> {
        let failed = |error: String| LocalError::process("kubeconfig", error);
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(error.to_string()))?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .map_err(|error| failed(error.to_string()))?;
        config.default_retry = false;
        Ok(Self(Client::try_from(config).map_err(|error| failed(error.to_string()))?))
    }

    /// Status and body, or why there is no answer.
    pub(crate) async fn try_get(&self, path: &str) -> Result<(u16, String), String> {
        self.send("GET", path, "application/json", Vec::new()).await
    }

    pub(crate) async fn create(&self, path: &str, object: &Value) -> Value {
        self.must("POST", path, "application/json", Some(object)).await
    }

    /// Changes the named fields of an object.
    pub(crate) async fn patch(&self, path: &str, change: &Value) -> Value {
        self.must("PATCH", path, "application/strategic-merge-patch+json", Some(change)).await
    }

    pub(crate) async fn delete(&self, path: &str, options: &Value) {
        self.must("DELETE", path, "application/json", Some(options)).await;
    }

    async fn must(&self, method: &str, path: &str, kind: &str, body: Option<&Value>) -> Value {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let (status, text) = self.send(method, path, kind, bytes).await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<(u16, String), String> {
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.body(Body::from(body)).unwrap();
        let answer = self.0.send(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect_bytes().await.map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
