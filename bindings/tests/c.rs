//! The library as programs written in C meet it: installed, compiled against, run under judges of memory.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::thread;

use gthulhu_lib::strategy::table::{LAYOUT, TableWriter};
use gthulhu_lib::strategy::{Entry, Resolved};
use gthulhu_lib::wire::feed::codec::framed;
use gthulhu_lib::wire::feed::{Bye, Frame, Hello, Role, Table};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tempfile::TempDir;

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"];

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the library is installed for these tests, once; the next run takes its place.
static PREFIX: LazyLock<PathBuf> = LazyLock::new(|| {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("libgthulhu-{profile}"));
    if let Err(error) = fs::remove_dir_all(&prefix) {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{}: {error}", prefix.display());
    }
    let mut install = Command::new(package().join("../tools/install.sh"));
    run(install.arg("library").env("PREFIX", &prefix).env("PROFILE", profile).env_remove("DESTDIR"));
    prefix
});

fn prefix() -> &'static Path {
    &PREFIX
}

/// Runs a command that has to succeed.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    output
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What pkg-config says, as words.
fn pkg_config(what: &[&str]) -> Vec<String> {
    let path = prefix().join("lib/pkgconfig");
    let output = run(Command::new("pkg-config").args(what).arg("gthulhu").env("PKG_CONFIG_PATH", path));
    said(&output).split_whitespace().map(str::to_owned).collect()
}

/// Compiles a file of ours against the installed library.
fn compile(compiler: &str, source: &str, to: &Path, options: &[&str], link: &[String]) {
    let mut command = Command::new(compiler);
    command.args(STRICT).args(options).arg("-o").arg(to).arg(package().join(source));
    run(command.args(pkg_config(&["--cflags"])).args(link));
}

/// A proc file system with process 42 of the pod, started at tick 4200.
fn planted() -> TempDir {
    let proc_root = TempDir::new().unwrap();
    let process = proc_root.path().join("42");
    fs::create_dir_all(process.join("task/42")).unwrap();
    let stat = "42 (nginx) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 4200 0\n";
    for dir in [process.clone(), process.join("task/42")] {
        fs::write(dir.join("stat"), stat).unwrap();
        fs::write(dir.join("comm"), "nginx\n").unwrap();
        fs::write(dir.join("cgroup"), format!("0::/kubepods/burstable/pod{POD}/web\n")).unwrap();
    }
    proc_root
}

/// The static library, and what it needs.
fn statically() -> Vec<String> {
    let archive = prefix().join("lib/libgthulhu.a").display().to_string();
    [archive].into_iter().chain(["-lgcc_s", "-lpthread", "-ldl", "-lm"].map(str::to_owned)).collect()
}

#[test]
fn every_function_stands_misuse_under_the_sanitizers() {
    let (dir, proc_root) = (TempDir::new().unwrap(), planted());
    let program = dir.path().join("api");
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-std=gnu11", "-pthread"];
    compile("cc", "tests/c/api.c", &program, &sanitizers, &statically());
    let output =
        run(Command::new(&program).arg(proc_root.path()).arg(POD).env("ASAN_OPTIONS", "detect_leaks=1"));
    assert_eq!(said(&output), "all as it should be\n");
    let symbols = said(&run(Command::new("nm").arg(&program)));
    assert!(symbols.contains("__asan_init") && symbols.contains("__ubsan_handle"), "without its judges");
}

#[test]
fn every_function_stands_misuse_under_valgrind() {
    let (dir, proc_root) = (TempDir::new().unwrap(), planted());
    let program = dir.path().join("api");
    compile("cc", "tests/c/api.c", &program, &["-std=gnu11", "-pthread"], &pkg_config(&["--libs"]));
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--error-exitcode=9",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect,possible",
    ]);
    let output = run(valgrind.arg(&program).arg(proc_root.path()).arg(POD));
    assert_eq!(said(&output), "all as it should be\n");
}

#[test]
fn the_header_is_good_in_other_dialects() {
    let dir = TempDir::new().unwrap();
    let program = dir.path().join("include");
    for dialect in ["-std=c++11", "-std=c++20"] {
        compile("c++", "tests/c/include.cpp", &program, &[dialect], &pkg_config(&["--libs"]));
        run(&mut Command::new(&program));
    }
    for dialect in ["-std=gnu99", "-std=gnu11", "-std=gnu17"] {
        compile("cc", "examples/lookup.c", &program, &[dialect], &pkg_config(&["--libs"]));
    }
}

#[test]
fn intents_in_and_pids_out() {
    let (dir, proc_root) = (TempDir::new().unwrap(), planted());
    let (program, intents) = (dir.path().join("resolve"), dir.path().join("intents.json"));
    compile("cc", "examples/resolve.c", &program, &["-std=gnu11"], &pkg_config(&["--libs"]));
    fs::write(&intents, format!(r#"[{{"podID":"{POD}","commandRegex":"^nginx$","priority":3}}]"#)).unwrap();
    let output = run(Command::new(&program).arg(&intents).arg(proc_root.path()));
    assert_eq!(said(&output), "42 (of 42): priority 3, slice 0 ns\n");
    fs::write(&intents, format!(r#"[{{"podID":"{POD}","commandRegex":"("}}]"#)).unwrap();
    let refused = Command::new(&program).arg(&intents).arg(proc_root.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("commandRegex"));
}

/// Serves the feed as a decision maker does, once for each of these answers.
fn serve(socket: &Path, answers: Vec<(Vec<Frame>, Option<TableWriter>)>) -> thread::JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for (frames, writer) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut hello = vec![0; u32::from_le_bytes(length).try_into().unwrap()];
            stream.read_exact(&mut hello).unwrap();
            assert!(matches!(
                serde_json::from_slice(&hello),
                Ok(Frame::Hello(Hello { role: Role::Reader, .. }))
            ));
            let table = writer.as_ref().map(|writer| writer.table().file().unwrap());
            for frame in frames {
                let bytes = framed(&serde_json::to_vec(&frame).unwrap()).unwrap();
                let files: Vec<_> = table.filter(|_| matches!(frame, Frame::Table(_))).into_iter().collect();
                let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut with = SendAncillaryBuffer::new(&mut room);
                assert!(files.is_empty() || with.push(SendAncillaryMessage::ScmRights(&files)));
                let flags = SendFlags::NOSIGNAL;
                sendmsg(stream.as_fd(), &[std::io::IoSlice::new(&bytes)], &mut with, flags).unwrap();
            }
        }
    })
}

/// When a process started, from the end of its name.
fn start_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

#[test]
fn a_program_in_an_empty_directory_needs_nothing_but_the_prefix() {
    let dir = TempDir::new().unwrap();
    fs::copy(package().join("examples/lookup.c"), dir.path().join("lookup.c")).unwrap();
    let build = "cc lookup.c $(pkg-config --cflags --libs gthulhu) -o lookup";
    let path = prefix().join("lib/pkgconfig");
    run(Command::new("sh").args(["-c", build]).current_dir(dir.path()).env("PKG_CONFIG_PATH", path));
    let linked = said(&run(Command::new("ldd").arg(dir.path().join("lookup"))));
    let library = prefix().join("lib/libgthulhu.so.0");
    assert!(linked.contains(&format!("libgthulhu.so.0 => {}", library.display())), "{linked}");

    let us = std::process::id();
    let mut writer = TableWriter::new(u32::MAX);
    writer.replace(vec![
        (us, Entry::pack(Resolved::clamped(7, 5_000_000), start_of(us))),
        (1, Entry::pack(Resolved::clamped(1, 0), start_of(1) + 1)),
    ]);
    let hello = || Frame::Hello(Hello::new(Role::DecisionMaker, "1"));
    let given = || vec![hello(), Frame::Table(Table { layout: LAYOUT, pid_max: 4_194_304 })];
    let bye = |reason: &str| vec![hello(), Frame::Bye(Bye { reason: reason.to_owned() })];
    let another = |pid: u32| {
        let mut writer = TableWriter::new(512);
        writer.set(pid, Some(Entry::pack(Resolved::clamped(1, 0), start_of(1) + 1)));
        writer
    };
    let socket = dir.path().join("feed.sock");
    let serving = serve(
        &socket,
        vec![
            (given(), Some(writer)),
            (given(), Some(another(1))),
            (bye("another time"), None),
            (given(), None),
            (vec![hello()], None),
        ],
    );
    let lookup = |pid: u32| {
        let output =
            Command::new(dir.path().join("lookup")).arg(pid.to_string()).arg(&socket).output().unwrap();
        (output.status.code(), said(&output), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(lookup(us), (Some(0), format!("{us}: priority 7, slice 5000000 ns\n"), String::new()));
    assert_eq!(
        lookup(1),
        (Some(2), "1: no strategy\n".to_owned(), String::new()),
        "another process of that number"
    );
    for reason in ["another time", "no file came with the table", "it closed the connection"] {
        let (code, _, error) = lookup(us);
        assert!(code == Some(1) && error.contains(reason), "{error}");
    }
    serving.join().unwrap();
}

#[test]
fn the_symbols_are_the_published_ones_and_all_are_in_the_header() {
    let library = prefix().join("lib/libgthulhu.so");
    let listed =
        said(&run(Command::new("nm").args(["-D", "--defined-only", "--with-symbol-versions"]).arg(&library)));
    let mut symbols: Vec<_> = listed
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .filter(|name| *name != "GTHULHU_0")
        .collect();
    symbols.sort_unstable();
    let published = fs::read_to_string(package().join("symbols.txt")).unwrap();
    assert_eq!(symbols, published.lines().collect::<Vec<_>>());
    let header = fs::read_to_string(prefix().join("include/gthulhu.h")).unwrap();
    for symbol in &symbols {
        let name = symbol.split('@').next().unwrap();
        assert!(header.contains(&format!("{name}(")), "{name} is not in the header");
    }
    let dynamic = said(&run(Command::new("readelf").arg("-d").arg(&library)));
    assert!(dynamic.contains("Library soname: [libgthulhu.so.0]"), "{dynamic}");
}

/// Functions that no panic can come from: each is one expression without an index, a conversion or an allocation.
const WITHOUT: [&str; 5] = [
    "gthulhu_version",
    "gthulhu_code_text",
    "gthulhu_table_lookup",
    "gthulhu_table_lookup_task",
    "gthulhu_table_generation",
];

#[test]
fn every_function_is_guarded() {
    let sources: PathBuf = package().join("src");
    let mut seen = 0;
    for file in fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        for function in text.split("extern \"C\" fn ").skip(1) {
            let name = function.split('(').next().unwrap();
            let body = function.split("\n}\n").next().unwrap();
            assert!(body.contains("guarded") != WITHOUT.contains(&name), "{name} in {}", file.display());
            seen += 1;
        }
    }
    let published = fs::read_to_string(package().join("symbols.txt")).unwrap();
    assert_eq!(seen, published.lines().count());
}
