//! What must hold for every reply of every daemon, whatever it is about.

use serde_json::Value;

use super::client::Exchange;

/// Panics with the reply when one of these is broken:
/// - there is one `Date` and, but for 204, one `Content-Length` that tells the truth (HEAD has no body);
/// - JSON is `application/json` to the letter, ends in exactly one newline and holds no raw `<`, `>` or `&`;
/// - `success` agrees with the status; a success has a timestamp, a failure an error text and nothing of a success;
/// - a failure under `/api` is JSON.
pub(super) fn check(exchange: &Exchange) {
    if let Err(why) = judge(exchange) {
        let Exchange { request, status, headers, body } = exchange;
        panic!("{request}: {why}\n{status} {headers:#?}\n{}", String::from_utf8_lossy(body));
    }
}

fn judge(exchange: &Exchange) -> Result<(), &'static str> {
    let count = |name: &str| exchange.headers.iter().filter(|(other, _)| other == name).count();
    require(count("date") == 1, "one Date is required")?;
    if exchange.status == 204 {
        return require(exchange.body.is_empty() && count("content-type") == 0, "204 has no body");
    }
    require(count("content-length") == 1, "one Content-Length is required")?;
    if exchange.request.starts_with("HEAD ") {
        return require(exchange.body.is_empty(), "the reply to HEAD has no body");
    }
    let length = exchange.header("content-length").and_then(|text| text.parse().ok());
    require(length == Some(exchange.body.len()), "Content-Length is not the length of the body")?;
    let media_type = exchange.header("content-type").unwrap_or_default();
    if !media_type.contains("json") {
        let under_api = exchange.request.split(' ').nth(1).is_some_and(|path| path.starts_with("/api"));
        return require(!(under_api && exchange.status >= 400), "a failure under /api is JSON");
    }
    let text = std::str::from_utf8(&exchange.body).map_err(|_| "JSON is UTF-8")?;
    let line = text.strip_suffix('\n').ok_or("JSON ends in a newline")?;
    require(!line.ends_with('\n'), "JSON ends in one newline only")?;
    require(!line.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "characters of HTML are escaped")?;
    let body: Value = serde_json::from_str(line).map_err(|_| "the body is not JSON")?;
    match media_type {
        "application/json" => judge_json(exchange.status, &body),
        "application/problem+json" => {
            require(body["status"] == exchange.status, "the problem's status is not that of the reply")?;
            require(body["title"].is_string() && body["type"].is_string(), "a problem has a type and a title")
        }
        _ => Err("JSON is application/json, without parameters"),
    }
}

fn judge_json(status: u16, body: &Value) -> Result<(), &'static str> {
    let failed = status >= 400;
    match body.get("success") {
        Some(Value::Bool(true)) => {
            require(!failed, "a failure claims success")?;
            require(body["timestamp"].as_str().is_some_and(is_timestamp), "a success has a timestamp")?;
            require(body.get("error").is_none(), "a success has no error")
        }
        Some(Value::Bool(false)) => {
            require(failed, "a success claims failure")?;
            require(body["error"].is_string(), "a failure has an error text")?;
            require(body.get("data").is_none() && body.get("timestamp").is_none(), "a failure has no data")
        }
        Some(_) => Err("success is true or false"),
        None => require(!failed || body["message"].is_string(), "a failure has an error or a message"),
    }
}

fn require(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}

/// Whether the text is `2026-03-10T09:08:07Z` in form.
pub(super) fn is_timestamp(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00Z";
    text.len() == form.len()
        && text
            .bytes()
            .zip(form)
            .all(|(byte, &form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(status: u16, media_type: &str, body: &str) -> Exchange {
        let length = body.len();
        let reply = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: {media_type}\r\nDate: d\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Exchange::parse("GET /api/v1/x", reply.as_bytes())
    }

    #[test]
    fn replies_as_they_should_be_pass() {
        let json = "application/json";
        for (status, media_type, body) in [
            (200, json, "{\"success\":true,\"data\":{},\"timestamp\":\"2026-03-10T09:08:07Z\"}\n"),
            (404, json, "{\"message\":\"Not Found\"}\n"),
            (409, json, "{\"success\":false,\"error\":\"x\",\"heldEpoch\":1}\n"),
            (200, json, "{\"status\":\"healthy\"}\n"),
            (422, "application/problem+json", "{\"status\":422,\"title\":\"t\",\"type\":\"u\"}\n"),
            (200, "text/plain", "ok"),
        ] {
            assert_eq!(judge(&exchange(status, media_type, body)), Ok(()), "{status} {body}");
        }
    }

    #[test]
    fn each_broken_rule_is_named() {
        let json = "application/json";
        for (status, media_type, body, rule) in [
            (200, "application/json; charset=utf-8", "{}\n", "JSON is application/json, without parameters"),
            (200, json, "{}", "JSON ends in a newline"),
            (200, json, "{}\n\n", "JSON ends in one newline only"),
            (200, json, "\"a<b\"\n", "characters of HTML are escaped"),
            (200, json, "{\n", "the body is not JSON"),
            (400, json, "{\"success\":true}\n", "a failure claims success"),
            (200, json, "{\"success\":true,\"timestamp\":\"now\"}\n", "a success has a timestamp"),
            (200, json, "{\"success\":false,\"error\":\"x\"}\n", "a success claims failure"),
            (400, json, "{\"success\":false}\n", "a failure has an error text"),
            (400, json, "{\"success\":false,\"error\":\"x\",\"data\":1}\n", "a failure has no data"),
            (500, json, "{}\n", "a failure has an error or a message"),
            (500, "text/plain", "oops", "a failure under /api is JSON"),
            (204, json, "{}\n", "204 has no body"),
        ] {
            assert_eq!(judge(&exchange(status, media_type, body)), Err(rule), "{status} {body}");
        }
    }
}
