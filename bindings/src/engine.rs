//! An engine: intents in, processes with their strategies out.

use std::ffi::c_char;
use std::sync::{Arc, Mutex, MutexGuard};

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::process::SourceError;
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::strategy::table::PID_MAX_LIMIT;

use crate::boundary::{Room, array, guarded, guarded_handle, put, text};
use crate::error::gthulhu_code::{
    GTHULHU_INSIDE, GTHULHU_NOT_JSON, GTHULHU_NOT_UTF8, GTHULHU_NULL, GTHULHU_REFUSED, GTHULHU_SHORT_BUFFER,
    GTHULHU_SYSTEM,
};
use crate::error::{Failure, gthulhu_error};
use crate::handles::Handles;
use crate::table::{TABLES, gthulhu_table};

/// An engine. Any thread may use it; calls wait for each other.
#[expect(non_camel_case_types, reason = "the name in C")]
pub enum gthulhu_engine {}

static ENGINES: Handles<Mutex<Engine>> = Handles::new();

/// The strategy of one task.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct gthulhu_row {
    /// The task: its thread id, which is the process id for the first thread of a process.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// When it started, in clock ticks after boot (field 22 of its stat file).
    pub start: u64,
    /// How long it runs at a time, in nanoseconds: 100,000 to 100,000,000; 0 leaves it to the scheduler.
    pub slice_ns: u32,
    /// Its priority: 1 (strongest) to 20 (weakest); 0 for none.
    pub priority: u8,
    /// Always 0.
    pub reserved: [u8; 3],
}

/// Makes an engine without intents. proc_root is the proc file system to look at, NULL for /proc; pid_max the kernel's
/// (pids are below it), 0 for the greatest there is, 4194304. NULL, and error says why, if it cannot be made. Processes are
/// first looked at by gthulhu_engine_apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_engine_new(
    proc_root: *const c_char,
    pid_max: u32,
    error: *mut gthulhu_error,
) -> *mut gthulhu_engine {
    // SAFETY: what callers promise of every function, as for each call here and below.
    unsafe {
        guarded_handle(error, || {
            let mut options = WalkOptions::default();
            if !proc_root.is_null() {
                options.proc_root = text(proc_root)?.into();
            }
            let walk = ProcWalk::new(options).map_err(|error| system(&error))?;
            let pid_max = if pid_max == 0 { PID_MAX_LIMIT } else { pid_max };
            let engine = Engine::try_new(Box::new(walk), EngineOptions { pid_max });
            let engine = engine.map_err(|error| Failure::of(GTHULHU_SYSTEM, &error))?;
            ENGINES.give(Arc::new(Mutex::new(engine)))
        })
    }
}

/// Replaces all intents by a JSON array of them, looks at the processes and publishes who gets what. An intent has
/// the fields of those that a decision maker is sent: podID, commandRegex, priority, executionTime, and others. The text is UTF-8,
/// length bytes long, and need not end with a 0. After a failure everything is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_engine_apply(
    engine: *mut gthulhu_engine,
    intents: *const c_char,
    length: usize,
    error: *mut gthulhu_error,
) -> u32 {
    // SAFETY: see above.
    unsafe {
        guarded(error, || {
            let engine = ENGINES.get(engine)?;
            let bytes: &[u8] = array(intents.cast(), length)?;
            let text = str::from_utf8(bytes).map_err(|_| Failure::from(GTHULHU_NOT_UTF8))?;
            let bodies = serde_json::from_str(text).map_err(|error| Failure::of(GTHULHU_NOT_JSON, &error))?;
            let set = IntentSet::check(bodies, &Limits::default())
                .map_err(|error| Failure::of(GTHULHU_REFUSED, &error))?;
            lock(&engine)?.apply(set).map_err(|error| system(&error))?;
            Ok(())
        })
    }
}

/// Looks at the processes again and publishes what changed. After a failure everything is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_engine_refresh(
    engine: *mut gthulhu_engine,
    error: *mut gthulhu_error,
) -> u32 {
    // SAFETY: see above.
    unsafe {
        guarded(error, || {
            lock(&*ENGINES.get(engine)?)?.refresh().map_err(|error| system(&error))?;
            Ok(())
        })
    }
}

/// Writes the tasks that have a strategy to rows, of which there are capacity: first threads by pid, then others by tid.
/// How many there are is in count, also if they do not fit: then those that do are written, and it is
/// GTHULHU_SHORT_BUFFER. rows may be NULL if capacity is 0, count never.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_engine_rows(
    engine: *mut gthulhu_engine,
    rows: *mut gthulhu_row,
    capacity: usize,
    count: *mut usize,
    error: *mut gthulhu_error,
) -> u32 {
    // SAFETY: see above.
    unsafe {
        guarded(error, || {
            let engine = ENGINES.get(engine)?;
            if count.is_null() {
                return Err(GTHULHU_NULL.into());
            }
            let mut room = Room::new(rows, capacity)?;
            let engine = lock(&engine)?;
            let held = engine.rows();
            room.fill(held.iter().map(|row| gthulhu_row {
                tid: row.tid,
                tgid: row.tgid,
                start: row.start,
                slice_ns: row.resolved.slice_ns(),
                priority: row.resolved.priority(),
                reserved: [0; 3],
            }));
            put(count, held.len());
            if held.len() > room.capacity() { Err(GTHULHU_SHORT_BUFFER.into()) } else { Ok(()) }
        })
    }
}

/// Writes why a task has its strategy or none to text, as JSON that ends with a 0. Its length without that is in
/// length, also if it does not fit: then GTHULHU_SHORT_BUFFER, and nothing but an end is written. length may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_engine_explain(
    engine: *mut gthulhu_engine,
    pid: u32,
    text: *mut c_char,
    capacity: usize,
    length: *mut usize,
    error: *mut gthulhu_error,
) -> u32 {
    // SAFETY: see above.
    unsafe {
        guarded(error, || {
            let engine = ENGINES.get(engine)?;
            let mut room: Room<u8> = Room::new(text.cast(), capacity)?;
            let explanation = lock(&engine)?.explain(pid).map_err(|error| system(&error))?;
            let said = serde_json::to_vec(&explanation);
            let said = said.map_err(|error| Failure::of(GTHULHU_INSIDE, &error))?;
            put(length, said.len());
            if said.len() >= room.capacity() {
                room.fill([0]);
                return Err(GTHULHU_SHORT_BUFFER.into());
            }
            room.fill(said.into_iter().chain([0]));
            Ok(())
        })
    }
}

/// A handle to the table that this engine publishes to. It outlives the engine, and is to be freed by itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_engine_table(
    engine: *mut gthulhu_engine,
    error: *mut gthulhu_error,
) -> *mut gthulhu_table {
    // SAFETY: see above.
    unsafe { guarded_handle(error, || TABLES.give(lock(&*ENGINES.get(engine)?)?.table())) }
}

/// Frees an engine. One that was freed already is GTHULHU_BAD_HANDLE, and NULL is GTHULHU_NULL; neither does harm.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_engine_free(engine: *mut gthulhu_engine) -> u32 {
    // SAFETY: see above.
    unsafe { guarded(std::ptr::null_mut(), || ENGINES.take(engine)) }
}

fn lock(engine: &Mutex<Engine>) -> Result<MutexGuard<'_, Engine>, Failure> {
    // A panic in the middle of a call has left it in no state to go on from.
    engine.lock().map_err(|_| GTHULHU_INSIDE.into())
}

fn system(error: &SourceError) -> Failure {
    Failure::of(GTHULHU_SYSTEM, error)
}
