//! Real files in a directory of their own.

use std::ffi::CString;
use std::os::unix::fs::symlink;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_written_with_its_mode_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    for wanted in [0o600, 0o644, 0o666, 0o640] {
        write_atomic(&path, format!("{wanted:o}").as_bytes(), wanted).unwrap();
        assert_eq!(mode(&path), wanted);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{wanted:o}"));
        assert_eq!(names(dir.path()), ["state.json"]);
    }
}

#[test]
fn a_reader_of_the_old_file_keeps_it_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    write_atomic(&path, b"old and long", 0o600).unwrap();
    let mut open = File::open(&path).unwrap();
    write_atomic(&path, b"new", 0o600).unwrap();
    let mut seen = String::new();
    open.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "old and long");
}

#[test]
fn a_symlink_is_replaced_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    fs::write(&target, "untouched").unwrap();
    symlink(&target, &link).unwrap();
    write_atomic(&link, b"new", 0o600).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
}

#[test]
fn a_failed_write_leaves_the_old_file_and_no_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("taken");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), "x").unwrap();
    let error = write_atomic(&path, b"new", 0o600).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot replace {}", path.display())), "{error}");
    assert_eq!(names(dir.path()), ["taken"]);

    let missing = dir.path().join("missing/file");
    let error = write_atomic(&missing, b"new", 0o600).unwrap_err();
    assert_eq!(error.io_kind(), Some(io::ErrorKind::NotFound), "{error}");
    assert!(matches!(write_atomic(Path::new("/"), b"", 0o600), Err(FileError::Kind { .. })));
}

#[test]
fn private_directories_are_made_and_kept_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/state");
    private_dir(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    fs::write(path.join("store"), "x").unwrap();
    private_dir(&path).unwrap();
    assert_eq!(names(&path), ["store"]);
}

#[test]
fn an_open_directory_is_closed_only_while_nobody_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    private_dir(dir.path()).unwrap();
    assert_eq!(mode(dir.path()), 0o700);

    fs::write(dir.path().join("used"), "x").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let error = private_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is open to others (mode 1777); its mode must be 0700"), "{error}");
    assert_eq!(mode(dir.path()), 0o1777);

    let file = dir.path().join("used");
    assert!(matches!(private_dir(&file), Err(FileError::Kind { expected: "directory", .. })));
}

#[test]
fn secrets_are_read_only_from_closed_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.pem");
    for closed in [0o600, 0o400] {
        write_atomic(&path, b"secret", closed).unwrap();
        assert_eq!(read_private(&path).unwrap(), "secret");
    }
    for open in [0o640, 0o604, 0o620, 0o644, 0o601] {
        write_atomic(&path, b"secret", open).unwrap();
        let error = read_private(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("(mode {open:04o}); its mode must be 0600")), "{error}");
        assert!(error.contains("key.pem") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_secret_that_root_lends_to_a_group_is_read_by_others_than_root() {
    for (mode, owner, reader, private) in [
        (0o600, 1000, 1000, true),
        (0o440, 1000, 1000, false),
        (0o440, 0, 65532, true),
        (0o640, 0, 65532, true),
        (0o440, 0, 0, false),
        (0o460, 0, 65532, false),
        (0o444, 0, 65532, false),
        (0o440, 1001, 65532, false),
    ] {
        assert_eq!(is_private(mode, owner, reader), private, "{mode:o} of {owner} for {reader}");
    }
}

#[test]
fn what_is_no_secret_text_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let missing = read_private(&dir.path().join("missing")).unwrap_err();
    assert_eq!(missing.io_kind(), Some(io::ErrorKind::NotFound));
    assert!(matches!(read_private(dir.path()), Err(FileError::Kind { expected: "regular file", .. })));

    let path = dir.path().join("bytes");
    write_atomic(&path, b"\xff\xfe", 0o600).unwrap();
    assert!(matches!(read_private(&path), Err(FileError::Kind { expected: "UTF-8 text", .. })));
    write_atomic(&path, &vec![b'a'; 1 << 20], 0o600).unwrap();
    assert_eq!(read_private(&path).unwrap().len(), 1 << 20);
    write_atomic(&path, &vec![b'a'; (1 << 20) + 1], 0o600).unwrap();
    assert!(matches!(read_private(&path), Err(FileError::TooLarge { .. })));
}

#[test]
fn a_named_pipe_does_not_block_the_reader() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let name = CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &*name, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(read_private(&path), Err(FileError::Kind { expected: "regular file", .. })));
}
