//! Any sequence of calls of the C API, with handles that are good, were freed, are NULL or were never given out, and buffers of any size.
//!
//! Property: whether a handle is good is exactly what the answer says, nothing is written beyond a buffer or after a failure that
//! leaves everything alone, and no memory is lost or used after it was freed (the sanitizer sees to that).
#![no_main]

use std::ffi::c_char;
use std::fs;
use std::ptr::{null, null_mut, without_provenance_mut};
use std::sync::LazyLock;

use gthulhu::gthulhu_code::{
    GTHULHU_BAD_HANDLE, GTHULHU_NOT_JSON, GTHULHU_NOT_UTF8, GTHULHU_NULL, GTHULHU_OK, GTHULHU_REFUSED,
    GTHULHU_SHORT_BUFFER,
};
use gthulhu::*;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
/// Handles that a sequence juggles with.
const SLOTS: usize = 4;

static TREE: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let process = dir.path().join("42");
    fs::create_dir_all(process.join("task")).expect("it can be filled");
    fs::write(process.join("cgroup"), format!("0::/kubepods/pod{POD}/web\n")).expect("it can be filled");
    fs::write(process.join("stat"), "42 (nginx) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 4200 0\n")
        .expect("as above");
    dir
});

/// A handle and whether it is good.
struct Handle<T>(*mut T, bool);

impl<T> Handle<T> {
    fn of(number: u8) -> Self {
        Handle(without_provenance_mut(usize::from(number)), false)
    }

    /// What a call with it that is right in all else comes to.
    fn code(&self) -> u32 {
        let code = match (self.0.is_null(), self.1) {
            (true, _) => GTHULHU_NULL,
            (false, true) => GTHULHU_OK,
            (false, false) => GTHULHU_BAD_HANDLE,
        };
        code as u32
    }
}

fuzz_target!(|data: &[u8]| {
    let root = format!("{}\0", TREE.path().display());
    let mut engines: [Handle<gthulhu_engine>; SLOTS] = std::array::from_fn(|_| Handle::of(0));
    let mut tables: [Handle<gthulhu_table>; SLOTS] = std::array::from_fn(|_| Handle::of(0));
    let mut rest = data;
    let mut next = || {
        let (first, others) = rest.split_first()?;
        rest = others;
        Some(*first)
    };
    while let (Some(call), Some(slot), Some(size)) = (next(), next(), next()) {
        let (slot, size) = (usize::from(slot) % SLOTS, usize::from(size));
        let (engine, table) = (&mut engines[slot], &mut tables[slot]);
        // SAFETY: every pointer is to what it says, or NULL, or a handle, which may be anything.
        unsafe {
            match call % 12 {
                0 if !engine.1 => {
                    *engine = Handle(gthulhu_engine_new(root.as_ptr().cast(), 1024, null_mut()), true);
                    assert!(!engine.0.is_null());
                }
                1 if !table.1 => {
                    let made = gthulhu_engine_table(engine.0, null_mut());
                    assert_eq!(!made.is_null(), engine.1);
                    *table = Handle(made, engine.1);
                }
                2 => {
                    assert_eq!(gthulhu_engine_free(engine.0), engine.code());
                    engine.1 = false;
                }
                3 => {
                    assert_eq!(gthulhu_table_free(table.0), table.code());
                    table.1 = false;
                }
                4 if !engine.1 => *engine = Handle::of(call),
                5 if !table.1 => *table = Handle::of(call),
                6 => {
                    let text = &data[..size.min(data.len())];
                    let code = gthulhu_engine_apply(engine.0, text.as_ptr().cast(), text.len(), null_mut());
                    let refused =
                        [GTHULHU_NOT_UTF8, GTHULHU_NOT_JSON, GTHULHU_REFUSED].map(|code| code as u32);
                    assert!(code == engine.code() || engine.1 && refused.contains(&code), "{code}");
                }
                7 => {
                    let text = format!(r#"[{{"podID":"{POD}","priority":{}}}]"#, size % 21);
                    let code = gthulhu_engine_apply(engine.0, text.as_ptr().cast(), text.len(), null_mut());
                    assert_eq!(code, engine.code());
                }
                8 => {
                    let (mut rows, mut count) = (vec![gthulhu_row::default(); size % 3], 77);
                    let code =
                        gthulhu_engine_rows(engine.0, rows.as_mut_ptr(), rows.len(), &mut count, null_mut());
                    let short = engine.1 && count > rows.len();
                    assert_eq!(code, if short { GTHULHU_SHORT_BUFFER as u32 } else { engine.code() });
                    assert!(engine.1 && count <= 1 || !engine.1 && count == 77);
                }
                9 => {
                    let (mut text, mut length) = (vec![1_u8; size * 8], 0);
                    let to: *mut c_char = text.as_mut_ptr().cast();
                    let code = gthulhu_engine_explain(engine.0, 42, to, text.len(), &mut length, null_mut());
                    let short = engine.1 && length >= text.len();
                    assert_eq!(code, if short { GTHULHU_SHORT_BUFFER as u32 } else { engine.code() });
                    assert!(short || !engine.1 || text[length] == 0);
                }
                10 => {
                    let pids: Vec<u32> = (0..size as u32).collect();
                    let mut words = vec![1; size];
                    let code = gthulhu_table_lookup_batch(
                        table.0,
                        pids.as_ptr(),
                        words.as_mut_ptr(),
                        size,
                        null_mut(),
                    );
                    assert_eq!(code, table.code());
                    for (pid, word) in pids.into_iter().zip(words).filter(|_| table.1) {
                        assert_eq!(word, gthulhu_table_lookup(table.0, pid));
                        assert!(
                            word == 0 || pid == 42 && gthulhu_table_lookup_task(table.0, 42, 4200) == word
                        );
                    }
                }
                _ => {
                    let mut view =
                        gthulhu_view { generation: null(), presence: null(), banks: null(), pid_max: 0 };
                    assert_eq!(gthulhu_table_view(table.0, &mut view), table.code());
                    assert_eq!(view.pid_max, if table.1 { 1024 } else { 0 });
                    assert!(gthulhu_table_generation(table.0) == 0 || table.1);
                }
            }
        }
    }
    for handle in engines.iter().filter(|handle| handle.1) {
        // SAFETY: it is good.
        assert_eq!(unsafe { gthulhu_engine_free(handle.0) }, GTHULHU_OK as u32);
    }
    for handle in tables.iter().filter(|handle| handle.1) {
        // SAFETY: it is good.
        assert_eq!(unsafe { gthulhu_table_free(handle.0) }, GTHULHU_OK as u32);
    }
});
