//! Questions and answers over a real socket.

use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::{fs, thread};

use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;

use super::*;
use crate::inbox::{Inbox, Letter, inbox};

/// Answers so many questions, each with its own name.
fn governor(inbox: Inbox, mut questions: usize) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while questions > 0 {
            poll(&mut [PollFd::new(&inbox.fd(), PollFlags::IN)], None).unwrap();
            for letter in inbox.take() {
                let Letter::Ask(question, answer) = letter else { panic!("{letter:?}") };
                let said = match question {
                    Question::Explain { pid: 0 } => Answer::Error("no such process".to_owned()),
                    question => Answer::Ok(json!({"asked": question})),
                };
                answer.send(said).unwrap();
                questions -= 1;
            }
        }
    })
}

#[test]
fn questions_are_answered_one_a_connection_and_only_to_the_owner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/scx.sock");
    let (address, inbox) = inbox().unwrap();
    let answering = governor(inbox, 4);
    let server = Server::bind(&path).unwrap();
    server.serve(address).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    for question in [Question::Status, Question::Stats, Question::Explain { pid: 7 }] {
        assert_eq!(ask(&path, question).unwrap(), json!({"asked": question}));
    }
    assert_eq!(ask(&path, Question::Explain { pid: 0 }).unwrap_err().to_string(), "no such process");
    answering.join().unwrap();
    let said = ask(&path, Question::Status).unwrap_err().to_string();
    assert_eq!(said, "the scheduler stops");
    drop(server);
    assert!(!path.exists());
}

#[test]
fn a_caller_who_sends_rubbish_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scx.sock");
    let (address, inbox) = inbox().unwrap();
    let answering = governor(inbox, 1);
    let server = Server::bind(&path).unwrap();
    server.serve(address).unwrap();
    let texts: [&[u8]; 4] = [b"", b"\xff\xff\xff\xff", b"\x02\0\0\0{}", b"\x09\0\0\0half"];
    for text in texts {
        UnixStream::connect(&path).unwrap().write_all(text).unwrap();
    }
    assert!(ask(&path, Question::Status).is_ok());
    answering.join().unwrap();
}

#[test]
fn a_socket_in_use_is_left_alone_and_a_dead_one_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scx.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(matches!(ask(&path, Question::Status), Err(ControlError::Nobody(_))), "nobody listens there");
    let _server = Server::bind(&path).unwrap();
    assert!(matches!(Server::bind(&path), Err(ControlError::Taken(_))));
    assert!(matches!(ask(Path::new("none/scx.sock"), Question::Status), Err(ControlError::Nobody(_))));
    fs::write(dir.path().join("file"), "").unwrap();
    let below = dir.path().join("file/scx.sock");
    assert!(matches!(Server::bind(&below), Err(ControlError::Io { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside");
}
