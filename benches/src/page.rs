//! Goal `page`: the memory that one page of a list takes in the manager, when the list is a hundred times as long as the
//! page, against the same page as the whole list. Beside it, the long list in one piece.
//!
//! A process of its own counts every byte that it allocates: routes, service, store and server as they are shipped, and
//! a caller that keeps nothing of what it reads.

mod caller;
mod serving;

use std::io::Write;
use std::process::Command;

use crate::Outcome;
use crate::compiled::sibling;
use crate::harness::{Goal, Report};
use caller::Caller;
use serving::Serving;

/// Rows of the page.
const ROWS: usize = 100;
/// Rows of the long list.
const LIST: usize = 10_000;
/// Answers to each question; the median counts.
const ANSWERS: usize = 5;

/// The allocator of a process that counts.
pub trait Counting: Copy + Send + 'static {
    /// Bytes that are allocated now.
    fn now(self) -> usize;
    /// The most that were since the last [`Counting::forget`].
    fn peak(self) -> usize;
    /// From now on only what comes counts.
    fn forget(self);
}

/// Lets the process do its work and reports what it says.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let output = Command::new(sibling("page")?).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let figures = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [whole, page, everything] = figures[..] else { return Err("it says something else".into()) };
    report.ratio("page", page / whole, Goal::AtMost(2.0))?;
    report.note(format_args!(
        "{ROWS} strategies of {ROWS} take {:.0} KiB, {ROWS} of {LIST} {:.0} KiB, all {LIST} at once {:.0} KiB",
        whole / 1024.0,
        page / 1024.0,
        everything / 1024.0
    ))?;
    Ok(())
}

/// The process's work. Gives three numbers of bytes: a page of a list as long as the page, a page of the long list, the
/// long list.
pub fn measure(memory: impl Counting) -> Outcome<String> {
    let short = Serving::start(ROWS)?;
    let whole = peak_of(memory, &short, &format!("?limit={ROWS}"))?;
    drop(short);
    let long = Serving::start(LIST)?;
    let page = peak_of(memory, &long, &format!("?limit={ROWS}"))?;
    let everything = peak_of(memory, &long, "")?;
    Ok(format!("{whole} {page} {everything}"))
}

/// The most memory that one answer takes. The first one does not count: it makes what stays.
fn peak_of(memory: impl Counting, manager: &Serving, query: &str) -> Outcome<usize> {
    let mut caller = Caller::connect(manager.address(), manager.token(), query)?;
    caller.ask()?;
    let mut peaks = Vec::with_capacity(ANSWERS);
    for _ in 0..ANSWERS {
        let before = memory.now();
        memory.forget();
        caller.ask()?;
        peaks.push(memory.peak().saturating_sub(before));
    }
    peaks.sort_unstable();
    Ok(peaks[ANSWERS / 2])
}
