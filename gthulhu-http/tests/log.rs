//! What the log says of a request, and what it must not say. In a process of its own: a subscriber that holds for one
//! thread misses lines whose place in the code another thread reaches first.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use gthulhu_http::testkit::TestServer;
use http::Method;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

/// Keeps the log lines of this thread; the server under test runs on it too.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no holder panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

#[cfg(test)]
impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// `LEVEL message fields…` of each line, in order.
    fn shown(&self) -> Vec<String> {
        let show = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let mut fields = line["fields"].as_object().unwrap().clone();
            let message = fields.remove("message").unwrap();
            if let Some(micros) = fields.remove("micros") {
                assert!(micros.is_u64());
            }
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{} {}{}", line["level"].as_str().unwrap(), message.as_str().unwrap(), fields.concat())
        };
        self.text().lines().map(show).collect()
    }
}

async fn show(_: Arc<()>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Ok(Reply::done())
}

async fn refuse(_: Arc<()>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Err(HttpError::unauthorized("invalid or expired token"))
}

async fn fail(_: Arc<()>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Err(HttpError::internal("the disk is on fire"))
}

/// Panics as an assertion does, without its word on standard error.
async fn panics(_: Arc<()>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    resume_unwind(Box::new("a mistake\nin a handler".to_owned()))
}

#[tokio::test]
async fn each_request_has_one_line_and_secrets_have_none() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(lines.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let routes = vec![
        Route::new(Method::POST, "/api/v1/things", Public, refuse, "Refuses."),
        Route::new(Method::GET, "/api/v1/things/{name}", Public, show, "Shows."),
        Route::new(Method::GET, "/api/v1/broken", Public, fail, "Fails."),
        Route::new(Method::GET, "/api/v1/panic", Public, panics, "Panics."),
    ];
    let server = TestServer::start(Arc::new(()), routes);
    let client = server.client().header("X-Request-ID", "r1").bearer("s3cret");

    client.post("/api/v1/things", &serde_json::json!({"name": "s3cret"})).await;
    client.get("/api/v1/things/s3cret?token=s3cret").await;
    client.get("/s3cret").await;
    client.get("/api/v1/broken").await;
    client.get("/api/v1/panic").await;
    server.stop().await;

    let expected = [
        "INFO request method=\"POST\" request_id=\"r1\" route=\"/api/v1/things\" status=401".to_owned(),
        "INFO request method=\"GET\" request_id=\"r1\" route=\"/api/v1/things/{name}\" status=200".to_owned(),
        "INFO request method=\"GET\" request_id=\"r1\" route=\"-\" status=404".to_owned(),
        "ERROR request failed causes=\"the disk is on fire\" request_id=\"r1\"".to_owned(),
        "INFO request method=\"GET\" request_id=\"r1\" route=\"/api/v1/broken\" status=500".to_owned(),
        "INFO request method=\"GET\" request_id=\"r1\" route=\"/api/v1/panic\" status=500".to_owned(),
        "ERROR a handler panicked panic=\"a mistake\\nin a handler\" request_id=\"r1\"".to_owned(),
    ];
    assert_eq!(lines.shown(), expected);
    assert!(!lines.text().contains("s3cret"), "{}", lines.text());
}
