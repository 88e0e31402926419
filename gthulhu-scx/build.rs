//! Compiles the kernel side, each object with a skeleton by which the user side loads it.
//!
//! Needs a clang with the BPF target: `BPF_CLANG` names one, else the usual names are tried, newest of the tried and
//! tested first.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use libbpf_cargo::SkeletonBuilder;

/// The scheduler, and what watches processes without one.
const OBJECTS: [&str; 2] = ["main", "monitor"];
const NAMES: [&str; 5] = ["clang-19", "clang-20", "clang-21", "clang-22", "clang"];

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=src/bpf");
    println!("cargo:rerun-if-env-changed=BPF_CLANG");
    // libelf is linked statically; from elfutils 0.189 on it needs libzstd, which may not come before it.
    if let Some(archive) = archive("libzstd.a") {
        println!("cargo:rustc-link-arg={}", archive.display());
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("cargo:error={why}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let clang = clang()?;
    OBJECTS.into_iter().try_for_each(|object| {
        let source = format!("src/bpf/{object}.bpf.c");
        SkeletonBuilder::new()
            .source(&source)
            .obj(out.join(format!("{object}.bpf.o")))
            .clang(&clang)
            .clang_args(["-Isrc/bpf", "-mcpu=v3", "-nostdinc", "-Wall", "-Werror"])
            .build_and_generate(out.join(format!("{object}.skel.rs")))
            .map_err(|error| {
                format!("{source} does not compile with {clang}: {error:#}").replace('\n', "\ncargo:error=")
            })
    })
}

/// A clang that knows the BPF target.
fn clang() -> Result<String, String> {
    let knows_bpf = |name: &str| {
        Command::new(name)
            .arg("--print-targets")
            .output()
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("bpf "))
    };
    if let Ok(name) = env::var("BPF_CLANG") {
        return if knows_bpf(&name) {
            Ok(name)
        } else {
            Err(format!("BPF_CLANG is {name}, which is no clang with the BPF target"))
        };
    }
    NAMES.into_iter().find(|name| knows_bpf(name)).map(str::to_owned).ok_or_else(|| {
        format!(
            "no clang with the BPF target (tried {}): install the package clang-19, or name one in BPF_CLANG",
            NAMES.join(", ")
        )
    })
}

/// Where the C compiler finds an archive; it gives back the bare name of one that is not there.
fn archive(name: &str) -> Option<PathBuf> {
    let output = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}
