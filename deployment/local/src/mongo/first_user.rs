//! The one command that a server without users is sent, in the protocol's own bytes: a driver would be a hundred crates
//! for it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// The code of a message that is one document.
const OP_MSG: u32 = 2013;
const PATIENCE: Duration = Duration::from_secs(30);

/// Creates a user who may do everything.
pub(super) fn create(port: u16, user: &str, password: &str) -> Result<(), String> {
    exchange(port, &message(&command(user, password))).map_err(|error| error.to_string()).and_then(|reply| {
        if is_ok(&reply) { Ok(()) } else { Err("the server refused to create a user".into()) }
    })
}

fn exchange(port: u16, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(message)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let rest = usize::try_from(u32::from_le_bytes(length)).unwrap_or(0).saturating_sub(4).min(1 << 20);
    let mut reply = vec![0; rest];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

/// `{createUser, pwd, roles: ["root"], $db: "admin"}`
fn command(user: &str, password: &str) -> Vec<u8> {
    let roles = document(&[text("0", "root")]);
    document(&[
        text("createUser", user),
        text("pwd", password),
        element(4, "roles", &roles),
        text("$db", "admin"),
    ])
}

fn message(body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    // Length, number, number of the message answered, code, flags, and the kind of the one section.
    for word in [length(body, 21), 1, 0, OP_MSG, 0] {
        message.extend(word.to_le_bytes());
    }
    message.push(0);
    message.extend(body);
    message
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements = elements.concat();
    let mut document = length(&elements, 5).to_le_bytes().to_vec();
    document.extend(elements);
    document.push(0);
    document
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = length(value.as_bytes(), 1).to_le_bytes().to_vec();
    bytes.extend(value.bytes());
    bytes.push(0);
    element(2, name, &bytes)
}

fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn length(bytes: &[u8], more: u32) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX - more) + more
}

/// Whether the reply has `ok: 1.0`.
fn is_ok(reply: &[u8]) -> bool {
    let wanted = element(1, "ok", &1.0_f64.to_le_bytes());
    reply.windows(wanted.len()).any(|window| window == wanted)
}
