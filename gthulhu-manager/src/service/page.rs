//! Lists by pages. A page starts after the place where the one before ended, named by that row's own key: rows that
//! come and go in between shift nothing.

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::digest::hex;

/// The most rows of one page that is asked for by its size.
pub const PAGE_ROWS_MAX: usize = 1000;

/// A place in a list: the key of a row, in the order of the list.
pub trait Place: Sized {
    /// The key as rows have it.
    type Key<'a>: Ord + Copy;
    /// What its text looks like, as a regular expression.
    const PATTERN: &str;

    /// The place of the row with this key.
    fn at(key: Self::Key<'_>) -> Self;
    /// The key of the place.
    fn key(&self) -> Self::Key<'_>;
    /// As a URL may carry it.
    fn text(&self) -> String;
    /// The place that was written so.
    fn parse(text: &str) -> Option<Self>;
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub struct Page<P> {
    /// The most rows, from 1 to [`PAGE_ROWS_MAX`]; none for all.
    pub limit: Option<usize>,
    /// The page starts after this place, else with the first row.
    pub after: Option<P>,
}

/// A part of a list.
#[derive(Debug)]
pub struct Paged<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page starts; none after the last row.
    pub next: Option<String>,
}

/// By the time of creation, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByAge(i64, Id);

/// By strategy, then by pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByPod(Id, String);

/// By name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName(String);

impl<P: Place> Page<P> {
    /// The whole list.
    pub fn all() -> Self {
        Self { limit: None, after: None }
    }

    /// The rows of this page, in order. However many there are, no more than twice a page of them is kept at a time.
    pub(super) fn of<'a, T>(&'a self, rows: impl Iterator<Item = (P::Key<'a>, T)>) -> Paged<T> {
        let after = self.after.as_ref().map(P::key);
        // One more than wanted shows that there is a next page.
        let most = self.limit.map_or(usize::MAX, |limit| limit + 1);
        let mut kept: Vec<(P::Key<'a>, T)> = Vec::new();
        for (key, row) in rows {
            if after.is_some_and(|after| key <= after) {
                continue;
            }
            if kept.len() >= most.saturating_mul(2) {
                kept.sort_unstable_by_key(|(key, _)| *key);
                kept.truncate(most);
            }
            kept.push((key, row));
        }
        kept.sort_unstable_by_key(|(key, _)| *key);
        let more = self.limit.is_some_and(|limit| kept.len() > limit);
        kept.truncate(self.limit.unwrap_or(usize::MAX));
        let next = kept.last().filter(|_| more).map(|(key, _)| P::at(*key).text());
        Paged { rows: kept.into_iter().map(|(_, row)| row).collect(), next }
    }
}

impl Place for ByAge {
    type Key<'a> = (i64, Id);
    const PATTERN: &str = "^-?[0-9]{1,18}\\.[0-9a-f]{24}$";

    fn at((created_ms, id): Self::Key<'_>) -> Self {
        Self(created_ms, id)
    }

    fn key(&self) -> Self::Key<'_> {
        (self.0, self.1)
    }

    fn text(&self) -> String {
        format!("{}.{}", self.0, self.1)
    }

    fn parse(text: &str) -> Option<Self> {
        let (created_ms, id) = text.split_once('.')?;
        Some(Self(created_ms.parse().ok()?, id.parse().ok()?))
    }
}

impl Place for ByPod {
    type Key<'a> = (Id, &'a str);
    const PATTERN: &str = "^[0-9a-f]{24}\\.([2-7][0-9a-f])*$";

    fn at((strategy, pod): Self::Key<'_>) -> Self {
        Self(strategy, pod.to_string())
    }

    fn key(&self) -> Self::Key<'_> {
        (self.0, &self.1)
    }

    fn text(&self) -> String {
        format!("{}.{}", self.0, hex(self.1.as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (strategy, pod) = text.split_once('.')?;
        Some(Self(strategy.parse().ok()?, unhex(pod)?))
    }
}

impl Place for ByName {
    type Key<'a> = &'a str;
    const PATTERN: &str = "^([2-7][0-9a-f])*$";

    fn at(name: Self::Key<'_>) -> Self {
        Self(name.to_string())
    }

    fn key(&self) -> Self::Key<'_> {
        &self.0
    }

    fn text(&self) -> String {
        hex(self.0.as_bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

/// The text whose bytes were written as [`hex`].
fn unhex(text: &str) -> Option<String> {
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    String::from_utf8(pairs.collect::<Option<_>>()?).ok()
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Id {
        Id::from_bytes([n; 12])
    }

    /// The rows of every page of this size, page by page.
    fn pages(rows: &[(i64, Id)], limit: usize) -> Vec<Vec<(i64, Id)>> {
        let mut page: Page<ByAge> = Page { limit: Some(limit), after: None };
        let mut pages = Vec::new();
        loop {
            let part = page.of(rows.iter().map(|row| (*row, *row)));
            pages.push(part.rows);
            let Some(next) = part.next else { return pages };
            page.after = Some(ByAge::parse(&next).unwrap());
        }
    }

    #[test]
    fn pages_make_up_the_list_whatever_their_size() {
        let rows: Vec<_> = (0..100_u8).map(|n| (i64::from(n.wrapping_mul(37) % 10), id(n))).collect();
        let whole = Page::<ByAge>::all().of(rows.iter().map(|row| (*row, *row)));
        assert!(whole.rows.is_sorted() && whole.rows.len() == 100 && whole.next.is_none());
        for limit in [1, 2, 7, 50, 99, 100, 1000] {
            let pages = pages(&rows, limit);
            assert!(pages.iter().all(|page| page.len() <= limit && !page.is_empty()), "{limit}");
            assert_eq!(pages.concat(), whole.rows, "{limit}");
        }
        assert_eq!(pages(&[], 3), [vec![]]);
    }

    #[test]
    fn a_page_goes_on_although_its_place_is_gone() {
        let page = Page { limit: None, after: Some(ByAge(5, id(5))) };
        let rows = [(4, id(9)), (5, id(4)), (5, id(6)), (6, id(1))];
        assert_eq!(page.of(rows.iter().map(|row| (*row, *row))).rows, &rows[2..]);
    }

    #[test]
    fn places_are_read_back_from_their_text_and_nothing_else_is() {
        let (age, pod, name) = (ByAge(-7, id(1)), ByPod(id(2), "uid/é".into()), ByName("node-1".into()));
        assert_eq!(ByAge::parse(&age.text()), Some(age));
        assert_eq!(ByPod::parse(&pod.text()), Some(pod));
        assert_eq!(ByName::parse(&name.text()), Some(name));
        let id = id(3);
        for text in [
            "",
            ".",
            "7",
            "7.x",
            &format!("x.{id}"),
            &format!("7.{id}.0"),
            &format!("99999999999999999999.{id}"),
        ] {
            assert_eq!(ByAge::parse(text), None, "{text}");
        }
        for text in [&format!("{id}.6"), &format!("{id}.zz"), &format!("{id}.ff"), "x.66", "\u{e9}"] {
            assert_eq!(ByPod::parse(text), None, "{text}");
        }
    }
}
