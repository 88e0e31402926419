//! "Did you mean": the known key that a misspelt one is closest to.

/// The candidate with the smallest edit distance to `word`, if it is close enough to be meant.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let best = candidates.iter().map(|candidate| (distance(word, candidate), *candidate)).min()?;
    // A third of the letters may be wrong; beyond that a suggestion misleads.
    let close = 1 + word.chars().count() / 3;
    (best.0 <= close).then_some(best.1)
}

/// Edits (insert, delete, replace a character) that turn `a` into `b`; letters of either case are equal.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    // row[j] is the distance between the part of `a` walked so far and the first j characters of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let cases = [("", "", 0), ("host", "host", 0), ("host", "Host", 0), ("", "abc", 3), ("abc", "", 3)];
        let edits = [("hots", "host", 2), ("hst", "host", 1), ("hosst", "host", 1), ("kitten", "sitting", 3)];
        for (a, b, want) in cases.into_iter().chain(edits) {
            assert_eq!(distance(a, b), want, "{a} {b}");
            assert_eq!(distance(b, a), want, "{b} {a}");
        }
    }

    #[test]
    fn suggests_what_is_close_and_nothing_else() {
        let known = ["host", "probe_host", "tls"];
        assert_eq!(nearest("hots", &known), Some("host"));
        assert_eq!(nearest("probehost", &known), Some("probe_host"));
        assert_eq!(nearest("database", &known), None);
        assert_eq!(nearest("host", &[]), None);
    }
}
