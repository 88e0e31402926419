//! The usual way to write such a server: axum, with the JSON made for each request. It asks for no token.
//!
//! `rival-axum FILE` takes what it answers from a whole reply in FILE and prints the port that it listens on.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use gthulhu_http::time::now_rfc3339;
use gthulhu_lib::wire::{StrategiesReply, StrategyRow};
use serde::Serialize;

#[derive(Serialize)]
struct Shown<'a> {
    success: bool,
    message: &'a str,
    timestamp: String,
    scheduling: &'a [StrategyRow],
}

async fn strategies(State(reply): State<Arc<StrategiesReply>>) -> impl IntoResponse {
    let shown = Shown {
        success: true,
        message: &reply.message,
        timestamp: now_rfc3339(),
        scheduling: &reply.scheduling,
    };
    let body = serde_json::to_vec(&shown).expect("these rows came from JSON");
    ([(CONTENT_TYPE, "application/json")], body)
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: rival-axum FILE")?;
    let text = std::fs::read_to_string(file)?;
    let (_, body) = text.split_once("\r\n\r\n").ok_or("no reply in that file")?;
    let reply: StrategiesReply = serde_json::from_str(body)?;
    let app = axum::Router::new()
        .route("/api/v1/scheduling/strategies", get(strategies))
        .with_state(Arc::new(reply));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", listener.local_addr()?.port())?;
        out.flush()?;
        axum::serve(listener, app).await?;
        Ok(())
    })
}
