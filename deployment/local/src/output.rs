//! What the commands print: lines, and tables with aligned columns.

use std::io::{self, Write};

/// Prints one line to standard output at once. A reader who has gone away is no reason to stop before everything is
/// taken down.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Prints one line to standard error.
pub fn complain(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Lays `rows` out under `heads`; the last column, numbers, to the right.
pub fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    lay_out(heads, rows, N - 1)
}

/// Lays `rows` out under `heads`; all columns but the first, figures, to the right.
pub fn figures<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    lay_out(heads, rows, 1)
}

/// The columns from `right` on are flush right.
fn lay_out<const N: usize>(heads: [&str; N], rows: &[[String; N]], right: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < right { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rule: [String; N] = std::array::from_fn(|column| "-".repeat(widths[column]));
    let mut lines = vec![line(heads), line(rule.each_ref().map(String::as_str))];
    lines.extend(rows.iter().map(|row| line(row.each_ref().map(String::as_str))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            ["log in".to_owned(), "ok".to_owned(), "12".to_owned()],
            ["x".into(), "longer".into(), "3".into()],
        ];
        assert_eq!(
            table(["step", "seen", "ms"], &rows),
            "step    seen    ms\n\
             ------  ------  --\n\
             log in  ok      12\n\
             x       longer   3"
        );
    }
}
