//! Every case is fed whole, byte by byte, and cut in two at every place: the verdict must not depend on the network.

use super::*;

/// The number of the first head that is refused, and how many were passed before it.
fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Option<u64>, u64) {
    let verdict = Arc::new(Verdict::new());
    let mut framing = Framing::new(Arc::clone(&verdict));
    pieces.into_iter().for_each(|piece| framing.watch(piece));
    ((0..9).find(|&head| verdict.condemns(head)), framing.heads)
}

fn check(bytes: &[u8], expected: (Option<u64>, u64)) {
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(scan([bytes]), expected, "whole: {shown:?}");
    assert_eq!(scan(bytes.chunks(1)), expected, "byte by byte: {shown:?}");
    for cut in 1..bytes.len() {
        let (left, right) = bytes.split_at(cut);
        assert_eq!(scan([left, right]), expected, "cut at {cut}: {shown:?}");
    }
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}").into_bytes()
}

#[test]
fn requests_framed_in_one_way_pass_and_are_counted() {
    for (bytes, heads) in [
        (post("", ""), 1),
        (post("Content-Length: 0\r\n", ""), 1),
        (post("Content-Length: 4\r\n", "abcd"), 1),
        (post("CONTENT-LENGTH:4  \t\r\n", "\n\n\n\n"), 1),
        (post("Content-Length: \t  4\r\n", "ab"), 1),
        (post("Content-Length: 18446744073709551615\r\n", "ab"), 1),
        (post("content-lengths: 1\r\nx-content-length: +2\r\ncontent-lengt: z\r\n", ""), 1),
        (post("Transfer-Encoding: Chunked\r\n", "2\r\nab\r\n0\r\n\r\n\n\n"), 1),
        (post("X-Long-Name-Of-A-Header-That-Matters-To-Nobody: \x01: y\r\n", ""), 1),
        ([post("", ""), post("Content-Length: 3\r\n", "\nab"), post("", "")].concat(), 3),
        ([b"\r\n\r\n".to_vec(), post("", ""), b"\r\n".to_vec(), post("", "")].concat(), 2),
    ] {
        check(&bytes, (None, heads));
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for headers in [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nX: y\r\ncontent-length: 4\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 4 4\r\n",
        "Content-Length: 4;\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 0000000000000000000000004\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked\x0b\r\n",
        "Transfer-Encoding:\r\n",
        "content\r\n",
        "X: y\n",
        "Content-Length: 4\n",
        "\n",
    ] {
        check(&post(headers, "abcd"), (Some(0), 0));
        check(&[post("", ""), post(headers, "abcd")].concat(), (Some(1), 1));
    }
    // The carriage return is the body's, so the line feed after it stands alone.
    let apart = [post("Content-Length: 3\r\n", "ab\r"), b"\n".to_vec(), post("", "")].concat();
    check(&apart, (Some(1), 1));
    for bytes in
        ["\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\n"]
    {
        check(bytes.as_bytes(), (Some(0), 0));
    }
}

#[test]
fn one_fault_condemns_what_follows_and_nothing_before() {
    let verdict = Arc::new(Verdict::new());
    let mut framing = Framing::new(Arc::clone(&verdict));
    framing.watch(&post("", ""));
    framing.watch(&post("Content-Length: x\r\n", ""));
    framing.watch(&post("", ""));
    assert_eq!([0, 1, 2].map(|head| verdict.condemns(head)), [false, true, true]);
}
