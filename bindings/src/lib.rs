//! The library as schedulers written in C link it: `libgthulhu.so.0`, `gthulhu.h`.
//!
//! ```text
//!   engine.rs   intents in, PIDs out          -+
//!   table.rs    look tasks up                  +-- each function: boundary.rs around it, handles.rs in front
//!   connect.rs  the table of another process  -+
//!   error.rs    numbers, and a text for each failure
//! ```
//!
//! What holds of every function is in this package's README, once. The header is made of these files by a test
//! (`tests/header.rs`), which also holds the committed one to them; its inline part is `include/inline.h`.

mod boundary;
mod connect;
mod engine;
mod error;
mod handles;
mod table;

pub use engine::*;
pub use error::*;
pub use table::*;

use std::ffi::c_char;

/// The version of the library, as text that is always there.
#[unsafe(no_mangle)]
pub extern "C" fn gthulhu_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
