//! The C programs beside this crate, compiled when they are needed, and programs that run only as long as a benchmark.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::Outcome;

/// Compiles `c/NAME.c` of this package into `dir` and gives the path of the program.
pub fn compile(name: &str, dir: &Path) -> Outcome<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name).with_extension("c");
    let program = dir.join(name);
    let status =
        Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(&source).status();
    match status {
        Ok(status) if status.success() => Ok(program),
        Ok(status) => Err(format!("cc {}: {status}", source.display()).into()),
        Err(error) => Err(format!("cc, which compiles {}: {error}", source.display()).into()),
    }
}

/// A program of this package, which cargo puts beside the one that runs.
pub fn sibling(name: &str) -> Outcome<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

/// A child that ends with its owner.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts it and waits for the first line that it prints.
    pub fn start(command: &mut Command) -> Outcome<(Self, String)> {
        let mut running = Self::launch(command, &[])?;
        let line = running.line()?;
        Ok((running, line))
    }

    /// Starts it, gives it this input and keeps the input open.
    pub fn launch(command: &mut Command, input: &[u8]) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            stdin.write_all(input)?;
            stdin.flush()?;
        }
        Ok(Running { child, stdin })
    }

    /// The next line that it prints. Only one can be waited for.
    pub fn line(&mut self) -> Outcome<String> {
        let stdout = self.child.stdout.take().ok_or("its output was read already")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.is_empty() {
            Err("a program ended without a word".into())
        } else {
            Ok(line.trim().to_owned())
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes its input and waits for its end.
    pub fn finish(mut self) -> Outcome<()> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a program ended with {status}").into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `finish` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
