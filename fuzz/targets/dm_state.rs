//! The decision maker's state file.
//!
//! Property: no file makes the start panic or fail. A file with any byte changed, cut or added is never taken for the
//! one that was written: it is moved aside as it was, and the node starts empty. A file that is taken says the same when
//! it is written and read again.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use gthulhu_dm::state::{CORRUPT, FILE, Found, State, StateFile, format};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static DIR: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a temporary directory can be made"));

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let bytes = match kind {
        // A good frame around this.
        b's' => format::seal(rest),
        b'e' => edited(rest),
        // The whole file.
        _ => rest.to_vec(),
    };
    let whole = format::unseal(&bytes);
    if let Ok(payload) = whole {
        assert_eq!(format::seal(payload), bytes);
    }
    fs::write(DIR.path().join(FILE), &bytes).expect("the directory can be written");
    let (file, state, found) = StateFile::open(DIR.path()).expect("no content stops the start");
    match found {
        Found::Nothing => panic!("there was a file"),
        Found::Kept => assert!(whole.is_ok(), "{whole:?}"),
        Found::MovedAside(_) => {
            assert_eq!(state, State::default());
            assert_eq!(fs::read(DIR.path().join(CORRUPT)).expect("it was moved there"), bytes);
        }
    }
    drop(file);
    let (_file, again, found) = StateFile::open(DIR.path()).expect("what was written is read");
    assert_eq!((again, found), (state, Found::Kept));
});

/// A good file with up to three bytes replaced, then cut, or followed by copies of its beginning: nine bytes say where
/// and by what, one how much is cut (below 128) or added, the rest is the payload.
fn edited(data: &[u8]) -> Vec<u8> {
    let Some((&[ref edits @ .., cut], payload)) = data.split_first_chunk::<10>() else { return Vec::new() };
    let whole = format::seal(payload);
    let mut file = whole.clone();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % whole.len();
        file[at] ^= edit[2];
    }
    match usize::from(cut) {
        cut @ ..128 => file.truncate(whole.len().saturating_sub(cut)),
        more => file.extend(whole.iter().cycle().take(more - 127)),
    }
    assert_eq!(format::unseal(&file).is_ok(), file == whole, "an edit was not seen");
    file
}
