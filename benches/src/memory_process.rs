//! `memory DIR`: the process whose peak memory `ratio` reports; see `memory.rs`.

use std::error::Error;
use std::io::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: memory DIR")?;
    let line = gthulhu_benches::memory::measure(Path::new(&dir))?;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
