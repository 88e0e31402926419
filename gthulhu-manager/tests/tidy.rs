//! The tree's habits, held by a test: what a reviewer would otherwise have to look for in every change.

use std::fs;
use std::path::{Path, PathBuf};

/// More than this and two things live in one file.
const LONGEST: usize = 400;
/// What the checks of text look at.
const TEXT: [&str; 11] = ["rs", "toml", "md", "sh", "patch", "yaml", "yml", "json", "http", "txt", "service"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package lies in the workspace").to_path_buf()
}

/// Every file of the project with its path below the root: no build output, nothing hidden but `.ci`, and nothing that
/// others wrote, whose habits are theirs (`vendor/README.md` says what that is).
fn files() -> Vec<(String, PathBuf)> {
    let root = root();
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("a directory is readable").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if name == "target" || name == "vendor" || (name.starts_with('.') && name != ".ci") {
                continue;
            }
            // The kind of the entry itself: no link may lead out of the tree.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else {
                let below = path.strip_prefix(&root).expect("it was found below the root");
                found.push((below.display().to_string(), path));
            }
        }
    }
    found.sort();
    found
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

fn texts() -> Vec<(String, String)> {
    let plain = ["Makefile", "run", "Dockerfile"];
    let is_text = |name: &str| {
        let file = name.rsplit('/').next().unwrap_or(name);
        plain.contains(&file) || TEXT.iter().any(|extension| has_extension(name, extension))
    };
    let chosen = files().into_iter().filter(|(name, _)| is_text(name));
    // A file that went away since it was listed breaks no rule.
    chosen.filter_map(|(name, path)| Some((name, fs::read_to_string(path).ok()?))).collect()
}

fn sources() -> Vec<(String, String)> {
    texts().into_iter().filter(|(name, _)| has_extension(name, "rs")).collect()
}

fn assert_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent = |text: &str| !text.starts_with("//! ") && !text.starts_with("#!");
    let offences: Vec<_> =
        sources().into_iter().filter(|(_, text)| silent(text)).map(|(name, _)| name).collect();
    assert_none("a source file opens with `//!` and its purpose", &offences);
}

#[test]
fn no_source_file_is_longer_than_a_reader_takes_in() {
    let long = |(name, text): (String, String)| {
        let lines = text.lines().count();
        (lines > LONGEST).then(|| format!("{name}: {lines} lines"))
    };
    let offences: Vec<_> = sources().into_iter().filter_map(long).collect();
    assert_none(&format!("a source file has at most {LONGEST} lines"), &offences);
}

#[test]
fn modules_are_files_named_after_them() {
    let offences: Vec<_> =
        sources().into_iter().map(|(name, _)| name).filter(|name| name.ends_with("/mod.rs")).collect();
    assert_none("a module is `foo.rs` beside `foo/`, never `foo/mod.rs`", &offences);
}

#[test]
fn lines_end_where_their_text_ends() {
    let mut offences = Vec::new();
    // A patch marks its empty context lines by a blank, and a golden answer ends as the answer ended.
    for (name, text) in
        texts().into_iter().filter(|(name, _)| !has_extension(name, "patch") && !has_extension(name, "http"))
    {
        let blank = |line: &str| line.ends_with([' ', '\t', '\r']);
        offences.extend(
            text.split('\n')
                .enumerate()
                .filter(|(_, line)| blank(line))
                .map(|(i, _)| format!("{name}:{}", i + 1)),
        );
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            offences.push(format!("{name}: ends without, or with more than, one newline"));
        }
    }
    assert_none("no blanks at the end of a line, one newline at the end of a file", &offences);
}

#[test]
fn no_private_key_is_in_the_tree() {
    let mut offences = Vec::new();
    for (name, path) in files() {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let armour =
            |line: &str| line.contains("-----BEGIN ") && line.contains(concat!("PRIVATE ", "KEY-----"));
        offences.extend(text.lines().filter(|line| armour(line)).map(|_| name.clone()));
    }
    assert_none("keys are made where they are used", &offences);
}

#[test]
fn the_text_stands_on_its_own() {
    // Written in two pieces, so that this file does not offend itself.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/fa", "rm/"),
        concat!("/root", "/"),
        concat!("/tmp/", "plan"),
        concat!(".lib", "rary"),
        concat!("contract", ".md"),
        concat!("design", ".md"),
        concat!("reliability", ".md"),
        concat!("performance", ".md"),
        concat!("ecosystem", ".md"),
        concat!("kernel", ".md"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
    ];
    let mut offences = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            offences.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{name}:{}: {word}", number + 1)),
            );
        }
    }
    assert_none("no path of one machine, no word about notes outside the tree, nothing put off", &offences);
}

#[test]
fn every_path_that_the_guides_name_exists() {
    let root = root();
    let mut offences = Vec::new();
    for guide in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(guide)).unwrap_or_else(|error| panic!("{guide}: {error}"));
        offences.extend(
            paths(&text).filter(|path| !exists(&root, path)).map(|path| format!("{guide}: `{path}`")),
        );
    }
    assert_none("a path in backticks is a path of this tree", &offences);
}

#[test]
fn every_relative_link_of_a_document_leads_somewhere() {
    let root = root();
    let mut offences = Vec::new();
    let documents = texts().into_iter().filter(|(name, _)| has_extension(name, "md"));
    for (name, text) in documents {
        let folder = root.join(&name).parent().expect("a file is in a folder").to_path_buf();
        let prose: String = text.split("```").step_by(2).collect();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let paths = targets.map(|(target, _)| target.split('#').next().unwrap_or_default().to_owned());
        let relative = paths.filter(|path| !path.is_empty() && !path.contains(':'));
        offences.extend(
            relative.filter(|path| !folder.join(path).exists()).map(|path| format!("{name}: {path}")),
        );
    }
    assert_none("a link within the tree names what is there", &offences);
}

/// `tools/readme.sh` runs the others.
#[test]
fn few_commands_of_the_guides_are_not_run() {
    const MOST: usize = 8;
    let (mut offences, mut left_out) = (Vec::new(), 0);
    for guide in ["README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(guide)).unwrap_or_else(|error| panic!("{guide}: {error}"));
        let fences =
            text.lines().enumerate().filter_map(|(i, line)| Some((i + 1, line.strip_prefix("```sh")?)));
        for (line, tag) in fences {
            match tag.trim_start().split_once('=') {
                None if tag.is_empty() => {}
                Some(("with", "run")) => {}
                Some(("norun", reason)) if reason.len() > 5 => left_out += 1,
                _ => offences.push(format!(
                    "{guide}:{line}: `sh{tag}` is neither sh, sh with=run nor sh norun=REASON"
                )),
            }
        }
    }
    assert_none("a block of commands is run, or says why not", &offences);
    assert!(left_out <= MOST, "{left_out} blocks of commands are not run, at most {MOST} may be");
}

/// Words in backticks that look like a path of this tree: one of its top folders and a slash, or the name of a source,
/// script or document. Placeholders (`NAME`, `foo`, `*`, `{a,b}`) are expanded or left to the reader.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
    code.filter(|word| {
        let known =
            ["gthulhu-", "deployment/", "config/", "tools/", "tests/", "benches/", "bindings/", ".ci/"];
        let kinds = [".rs", ".md", ".sh", ".toml"];
        let shaped = word.contains('/') && known.iter().any(|top| word.starts_with(top));
        let named = kinds.iter().any(|kind| word.ends_with(kind)) && !word.starts_with(['/', '.', '*']);
        let open =
            word.contains([' ', '*', '{', '<', '$', ':']) || word.contains("NAME") || word.starts_with("foo");
        (shaped || named) && !open
    })
}

/// As written from the root, or as a guide shortens it: below a package's `src`.
fn exists(root: &Path, path: &str) -> bool {
    root.join(path).exists()
        || files().iter().any(|(name, _)| name.ends_with(&format!("/{path}")))
        || (path.ends_with('/') && files().iter().any(|(name, _)| name.contains(&format!("/{path}"))))
}

#[test]
fn paths_are_told_from_other_code() {
    let text = "`gthulhu-lib/src/id.rs` and `make test`, `POST /api/v1/x`, `tests/defects/NAME.patch`, `id.rs`, `a.b`\n\
                ```text\n`gthulhu-none/`\n```\n`config/` `/etc/x.toml`";
    assert_eq!(paths(text).collect::<Vec<_>>(), ["gthulhu-lib/src/id.rs", "id.rs", "config/"]);
}
