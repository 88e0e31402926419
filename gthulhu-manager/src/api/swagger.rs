//! The API's description, and a page to read and try it with: Swagger UI, which is in `vendor/swagger-ui`.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::json::to_body;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use serde_json::json;

use super::App;
use super::openapi::{Operation, Row, document, row};
use super::routes::rows;

const PAGE: &str = "/swagger/index.html";

/// Nothing from elsewhere, nothing inline but the pictures of the style sheet, and in nobody's frame.
const NOTHING_FOREIGN: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page is made of: path, media type, bytes.
const FILES: [(&str, &str, &[u8]); 5] = [
    (PAGE, "text/html; charset=utf-8", include_bytes!("swagger/index.html")),
    ("/swagger/start.js", "text/javascript; charset=utf-8", include_bytes!("swagger/start.js")),
    (
        "/swagger/swagger-ui.css",
        "text/css; charset=utf-8",
        include_bytes!("../../vendor/swagger-ui/swagger-ui.css"),
    ),
    (
        "/swagger/swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../vendor/swagger-ui/swagger-ui-bundle.js"),
    ),
    ("/swagger/favicon-32x32.png", "image/png", include_bytes!("../../vendor/swagger-ui/favicon-32x32.png")),
];

/// The same in every answer: the table of routes does not change.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| to_body(&document(&rows())).into());

/// The document and the page.
pub(super) fn routes() -> Vec<Row> {
    let described = || {
        let members = json!({"openapi": {"type": "string"}, "paths": {"type": "object"}});
        Operation::json(json!({"type": "object", "properties": members, "required": ["openapi", "paths"]}))
    };
    let document = |path, sentence| row(Route::new(Method::GET, path, Public, show, sentence), described());
    let elsewhere = |path| {
        row(
            Route::new(Method::GET, path, Public, to_page, "Leads to the page."),
            Operation::redirect(StatusCode::PERMANENT_REDIRECT),
        )
    };
    let file = |(path, media_type, bytes): (&'static str, &'static str, &'static [u8])| {
        let serve = move |_, (), _| std::future::ready(Ok(page_file(path, media_type, bytes)));
        row(
            Route::new(Method::GET, path, Public, serve, "A page to read and try the API with."),
            Operation::text(media_type),
        )
    };
    let mut rows = vec![
        document("/openapi.json", "This document."),
        document("/swagger/doc.json", "This document, where the page and older clients look for it."),
        elsewhere("/swagger"),
        elsewhere("/swagger/"),
    ];
    rows.extend(FILES.map(file));
    rows
}

/// `GET /openapi.json` and `GET /swagger/doc.json`
async fn show(_app: Arc<App>, _public: (), _call: Call) -> Result<Reply, HttpError> {
    Ok(Reply::text("application/json", DOCUMENT.clone()))
}

/// `GET /swagger` and `GET /swagger/`
async fn to_page(_app: Arc<App>, _public: (), _call: Call) -> Result<Reply, HttpError> {
    Ok(Reply::bare(StatusCode::PERMANENT_REDIRECT).header(LOCATION, PAGE))
}

fn page_file(path: &str, media_type: &'static str, bytes: &'static [u8]) -> Reply {
    let reply = Reply::text(media_type, Bytes::from_static(bytes))
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(CACHE_CONTROL, "max-age=3600");
    if path != PAGE {
        return reply;
    }
    reply.header(CONTENT_SECURITY_POLICY, NOTHING_FOREIGN).header(REFERRER_POLICY, "no-referrer")
}
