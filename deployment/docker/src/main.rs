//! `/app/main`: `main manager` and `main decisionmaker` become the program that serves as such, in the same process, as users
//! of the image have always called them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const USAGE: &str = "\
Usage: main manager|decisionmaker [OPTION]...

  manager        users, roles and strategies; becomes gthulhu-manager serve
  decisionmaker  the decision maker of a node; becomes gthulhu-dm serve

`main manager --help` lists the options. The programs beside this one have more commands.
";

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let program = match words.next().as_deref().map(OsStr::to_str) {
        Some(Some("manager")) => "gthulhu-manager",
        Some(Some("decisionmaker")) => "gthulhu-dm",
        Some(Some("-V" | "--version")) => return say(&format!("main {}\n", env!("CARGO_PKG_VERSION"))),
        None | Some(Some("-h" | "--help" | "help")) => return say(USAGE),
        Some(_) => return fail(64, USAGE),
    };
    let path = beside(program);
    let error = Command::new(&path).arg("serve").args(words).exec();
    fail(71, &format!("main: {}: {error}\n", path.display()))
}

/// The program in our own directory; where that cannot be known, in that of the image.
fn beside(program: &str) -> PathBuf {
    let own = env::current_exe().unwrap_or_else(|_| PathBuf::from(OsString::from("/app/main")));
    own.with_file_name(program)
}

fn say(text: &str) -> ExitCode {
    // With the output gone nobody reads either.
    drop(std::io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

fn fail(code: u8, text: &str) -> ExitCode {
    drop(std::io::stderr().write_all(text.as_bytes()));
    ExitCode::from(code)
}
