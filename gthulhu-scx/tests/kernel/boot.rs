//! Outside: staging, booting, and what is told when there is nothing to boot.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::guest;
use crate::table::{CASES, Case};

/// The kernel of the short form: the oldest supported that Debian has, else the newest.
const KERNEL: &str = r"6\.18\. [7-9]\.";
/// Those of the long form.
const KERNELS: &str = r"6\.18\. [7-9]\.,7\.3\. [7-9]\.";
/// Wall-clock seconds for all cases in one VM, in the short and the long form.
const LIMITS: [&str; 2] = ["1800", "10800"];
/// The kernel suspects itself when a CPU makes no progress for half a minute; an emulated one beside other work may not.
const APPEND: &str = "rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60";

const NO_KERNEL: i32 = 121;
const NO_MACHINE: i32 = 122;

/// Runs the cases that the arguments choose, on every kernel.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let long = env::var_os("GTHULHU_SCX_LONG").is_some();
    // Whoever asks for cases by name gets the long ones too.
    let named = arguments.iter().any(|argument| !argument.starts_with("--"));
    let is_due = |case: &&Case| (long || named || !case.long) && is_chosen(case.name, arguments);
    let chosen: Vec<&Case> = CASES.iter().filter(is_due).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for case in &chosen {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let kernels =
        env::var("GTHULHU_SCX_KERNELS").unwrap_or_else(|_| if long { KERNELS } else { KERNEL }.to_owned());
    if chosen.is_empty() || kernels == "none" {
        return ExitCode::SUCCESS;
    }
    let mut seen = BTreeSet::new();
    let mut green = true;
    for kernel in kernels.split(',') {
        match release_of(kernel) {
            // The same one for two wishes.
            Ok(release) if !seen.insert(release.clone()) => {}
            Ok(_) => green &= run_in(kernel, &chosen, long),
            Err(reason) => skip(&chosen, &reason),
        }
    }
    if green { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As the test programs that cargo makes choose: by any of the words.
fn is_chosen(name: &str, arguments: &[String]) -> bool {
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let mut words = arguments.iter().filter(|argument| !argument.starts_with("--")).peekable();
    words.peek().is_none()
        || words.any(|word| if exact { name == word } else { name.contains(word.as_str()) })
}

fn harness() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vm/run.sh")
}

/// The kernel that would be used, or why there is none.
fn release_of(kernel: &str) -> Result<String, String> {
    let output = Command::new(harness()).args(["--kernel", kernel, "--print-kernel"]).output();
    let output = output.map_err(|error| format!("{}: {error}", harness().display()))?;
    let (said, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match said.split_whitespace().next() {
        Some(release) if output.status.success() => Ok(release.to_owned()),
        _ => Err(complaint.lines().last().unwrap_or("no kernel").to_owned()),
    }
}

fn skip(chosen: &[&Case], reason: &str) {
    println!("\nNO VIRTUAL MACHINE: nothing below was tested in a kernel");
    for case in chosen {
        println!("SKIPPED {}: {reason}", case.name);
    }
    println!("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

/// One boot. False if a case failed, or the machine.
fn run_in(kernel: &str, chosen: &[&Case], long: bool) -> bool {
    let stage = stage().expect("the programs can be copied into the build folder");
    let program = stage.path().join("kernel");
    let limit = LIMITS[usize::from(long)];
    let mut command = Command::new(harness());
    command.args(["--kernel", kernel, "--timeout", limit, "--append", APPEND]).arg(stage.path()).arg(program);
    command.arg(if long { guest::ALL_LONG } else { guest::ALL });
    let status = command.args(chosen.iter().map(|case| case.name)).status();
    match status.ok().and_then(|status| status.code()) {
        Some(0) => true,
        // The guest's own report has been printed.
        Some(1) => false,
        Some(NO_KERNEL | NO_MACHINE) => {
            skip(chosen, "no virtual machine, see the line above");
            true
        }
        code => {
            println!("test result: FAILED. 0 passed; 1 failed; 0 ignored; the machine ended with {code:?}");
            false
        }
    }
}

/// A folder with the programs, which the guest sees at the same path.
fn stage() -> io::Result<tempfile::TempDir> {
    // The guest sees the folder under its true path.
    let stage = tempfile::tempdir_in(fs::canonicalize(env!("CARGO_TARGET_TMPDIR"))?)?;
    fs::copy(env::current_exe()?, stage.path().join("kernel"))?;
    fs::copy(env!("CARGO_BIN_EXE_gthulhu-scx"), stage.path().join("gthulhu-scx"))?;
    // Half of their size is for debuggers, and reading is slow in there. Without `strip` it only takes longer.
    let _ = Command::new("strip")
        .arg("--strip-debug")
        .args(["kernel", "gthulhu-scx"])
        .current_dir(&stage)
        .status();
    let source = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel").join(name);
    let named = env::var("BPF_CLANG").ok();
    let clangs: Vec<&str> = named.as_deref().into_iter().chain(["clang-19", "clang"]).collect();
    let bpf = ["-O2", "-g", "-target", "bpf", "-c"];
    compile(&clangs, &bpf, &source("other.bpf.c"), &stage.path().join("other.bpf.o"))?;
    compile(&["cc"], &["-O2", "-pthread"], &source("leaderless.c"), &stage.path().join("leaderless"))?;
    Ok(stage)
}

/// Compiles by the first of the compilers that can.
fn compile(compilers: &[&str], options: &[&str], source: &Path, target: &Path) -> io::Result<()> {
    let compiles = |compiler: &&str| {
        let status = Command::new(compiler).args(options).arg(source).arg("-o").arg(target).status();
        status.is_ok_and(|status| status.success())
    };
    if compilers.iter().any(compiles) {
        return Ok(());
    }
    Err(io::Error::other(format!("none of {compilers:?} compiles {}", source.display())))
}
