//! `make run`: both daemons and two pods to play with, until Ctrl-C.

use std::path::Path;
use std::process::ExitCode;

use gthulhu_local::error::LocalError;
use gthulhu_local::interrupt::Interrupt;
use gthulhu_local::output::{complain, say};
use gthulhu_local::pods::Pod;
use gthulhu_local::stack::{Ports, Stack, StoreKind};
use gthulhu_local::{hints, workloads};

/// Below the place where it is started: the top of the tree, under make.
const DIR: &str = ".run";
const PORTS: Ports = Ports { manager: 8081, dm: 8080 };

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("run: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run() -> Result<(), LocalError> {
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        error = serve() => error.map(|never| match never {}),
        () = interrupt.asked_to_end() => {
            say("\ntaken down");
            Ok(())
        }
    }
}

async fn serve() -> Result<std::convert::Infallible, LocalError> {
    say("starting the manager, the decision maker and two pods ...");
    let store = match std::env::var("STORE").unwrap_or_default().as_str() {
        "" | "redb" => StoreKind::Redb,
        "mongodb" => StoreKind::Mongodb,
        other => {
            return Err(LocalError::process("run", format!("STORE must be redb or mongodb, not {other}")));
        }
    };
    let stack = Stack::start_with(PORTS, Some(Path::new(DIR)), store).await?;
    let pods = [stack.pod(workloads::upf())?, stack.pod(workloads::nginx())?];
    describe(&stack, &pods)?;
    std::future::pending().await
}

fn describe(stack: &Stack, pods: &[Pod]) -> Result<(), LocalError> {
    say(&format!("\nmanager   {}", stack.manager()));
    say(&format!("dm        {}  (node {})", stack.dm(), stack.node()));
    if let Some(database) = stack.database() {
        say(&format!("store     {database}"));
    }
    say(&format!("password  {}  (of admin@localhost, for the first login)", stack.password_file().display()));
    for pod in pods {
        let labels: Vec<_> = pod.spec().labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let pids: Vec<_> = pod.procs()?.iter().map(u32::to_string).collect();
        say(&format!("pod       {}  {}  pids {}", pod.spec().name, labels.join(","), pids.join(" ")));
    }
    say("\ntry next, in another terminal:\n");
    for line in hints::lines(stack.manager(), stack.dm(), &stack.password_file(), &stack.dm_public_key()) {
        say(&line);
    }
    say("\nCtrl-C takes everything down");
    Ok(())
}
