//! The client: one connection for each request, the reply as bytes, its shape checked before anyone sees it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::shape;

/// Sends requests to one server. Every method panics when there is no reply or its shape is wrong: see the rules in
/// `shape`.
#[derive(Clone, Debug)]
pub struct TestClient {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

/// One reply.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's method and target, for messages.
    pub request: String,
    /// The status.
    pub status: u16,
    /// The headers in the order of the wire, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl TestClient {
    /// A client of `http://HOST:PORT`, the host being an address.
    pub fn new(url: &str) -> TestClient {
        let address = url.strip_prefix("http://").and_then(|rest| rest.trim_end_matches('/').parse().ok());
        let address = address.unwrap_or_else(|| panic!("{url} is not http://ADDRESS:PORT"));
        TestClient { address, headers: Vec::new() }
    }

    /// A client that sends this token.
    #[must_use]
    pub fn bearer(&self, token: &str) -> TestClient {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// A client that sends this header too, in place of an earlier one of the same name.
    #[must_use]
    pub fn header(&self, name: &str, value: &str) -> TestClient {
        let mut client = self.clone();
        client.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// GET.
    pub async fn get(&self, target: &str) -> Exchange {
        self.send("GET", target, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, target: &str, body: &impl Serialize) -> Exchange {
        self.json("POST", target, body).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, target: &str, body: &impl Serialize) -> Exchange {
        self.json("PUT", target, body).await
    }

    /// DELETE with a JSON body.
    pub async fn delete(&self, target: &str, body: &impl Serialize) -> Exchange {
        self.json("DELETE", target, body).await
    }

    /// Any method with a JSON body.
    pub async fn json(&self, method: &str, target: &str, body: &impl Serialize) -> Exchange {
        let body = serde_json::to_vec(body).expect("test bodies serialise");
        self.send(method, target, Some(&body)).await
    }

    /// Any method with any body, or none.
    pub async fn send(&self, method: &str, target: &str, body: Option<&[u8]>) -> Exchange {
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(body) = body {
            let _ = write!(head, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        let exchange = self.raw(&bytes).await;
        shape::check(&exchange);
        exchange
    }

    /// Sends these bytes as they are and reads one reply to the end of the connection. Its shape is not checked.
    pub async fn raw(&self, bytes: &[u8]) -> Exchange {
        let first_line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let request = String::from_utf8_lossy(first_line);
        let connection = TcpStream::connect(self.address).await;
        let mut connection = connection.unwrap_or_else(|error| panic!("{request}: cannot connect: {error}"));
        let (mut reader, mut writer) = connection.split();
        let mut reply = Vec::new();
        // A server that refuses early stops reading: what counts is whether its reply came.
        let (_, _) = tokio::join!(writer.write_all(bytes), reader.read_to_end(&mut reply));
        Exchange::parse(&request, &reply)
    }
}

impl Exchange {
    /// Reads a reply as it came over the wire. Panics when it is not one.
    pub fn parse(request: &str, bytes: &[u8]) -> Exchange {
        let fail = |why: &str| -> ! { panic!("{request}: {why}: {:?}", String::from_utf8_lossy(bytes)) };
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { fail("no reply") };
        let Ok(head) = std::str::from_utf8(&bytes[..end]) else { fail("the head is not text") };
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let Some(status) = status else { fail("no status") };
        let headers = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| fail("a broken header")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Exchange { request: request.to_owned(), status, headers, body: bytes[end + 4..].to_vec() }
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|_| panic!("{}: the body is not text", self.request))
    }

    /// The body as a type.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text()))
    }

    /// The member `data` of a 200; panics on any other reply.
    pub fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}: {}", self.request, self.text());
        self.json::<Value>()["data"].take()
    }

    /// The member `error` of a refusal; panics when there is none.
    pub fn error(&self) -> String {
        match self.json::<Value>()["error"].as_str() {
            Some(error) => error.to_owned(),
            None => panic!("{}: no error in {} {}", self.request, self.status, self.text()),
        }
    }
}
