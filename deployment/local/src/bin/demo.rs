//! `make demo`: shows and checks the whole way from a login to the strategies of single processes, then cleans up.

use std::process::ExitCode;

use gthulhu_local::demo::{self, Steps};
use gthulhu_local::output::{complain, say};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut steps = Steps::default();
    let done = demo::run(&mut steps).await;
    match done {
        Ok(()) => {
            say(&format!("\n{}", steps.table()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            // A machine that cannot run it has seen no step fail.
            if error.exit_code() != 77 {
                say(&format!("\n{}", steps.table()));
            }
            complain(&format!("demo: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
