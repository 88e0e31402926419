//! The steps of a demo: announced while they run, kept for the table at the end.

use std::time::Instant;

use crate::error::LocalError;
use crate::output::{say, table};

/// Steps done so far.
#[derive(Debug, Default)]
pub struct Steps {
    rows: Vec<[String; 3]>,
    tell: bool,
}

impl Steps {
    /// Steps that take long: what each has seen is told when it is done, not only in the table.
    pub fn told() -> Self {
        Self { tell: true, ..Self::default() }
    }

    /// Runs one step. It answers what it has seen, in words, and what the next steps need.
    pub async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<(String, T), LocalError>>,
    ) -> Result<T, LocalError> {
        say(&format!("{:>2}. {name} ...", self.rows.len() + 1));
        let begun = Instant::now();
        let done = work.await;
        let millis = begun.elapsed().as_millis().to_string();
        let seen = match &done {
            Ok((seen, _)) => seen.clone(),
            Err(_) => "NOT SEEN".to_owned(),
        };
        if self.tell {
            say(&format!("    {seen} (after {millis} ms)"));
        }
        self.rows.push([name.to_owned(), seen, millis]);
        done.map(|(_, next)| next)
    }

    /// The table of all steps so far.
    pub fn table(&self) -> String {
        table(["step", "seen", "ms"], &self.rows)
    }
}
