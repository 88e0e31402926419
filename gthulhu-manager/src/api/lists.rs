//! What a request says about the part of a list that it wants.

use gthulhu_http::call::Head;
use gthulhu_http::error::HttpError;

use super::openapi::Operation;
use super::query::{Flag, Number, Shaped, refused};
use crate::service::{PAGE_ROWS_MAX, Page, Place, Whose};

/// The most rows of one answer.
pub(super) const LIMIT: Number<usize> = Number {
    name: "limit",
    about: "The most rows of the answer. Without it, and without a default, all.",
    range: 1..=PAGE_ROWS_MAX,
};

/// For administrators.
pub(super) const ALL: Flag =
    Flag { name: "all", about: "Those of all users, not only the caller's; for administrators." };

/// Where a page starts.
const CONTINUE: &str = "continue";
const CONTINUE_ABOUT: &str = "Where the page starts: what the page before gave.";

/// `?limit=`, from 1 to [`PAGE_ROWS_MAX`], and `?continue=`, as the page before gave it. Without `limit`, everything.
pub(super) fn page<P: Place>(head: &Head) -> Result<Page<P>, HttpError> {
    let limit = LIMIT.of(head)?;
    let after = head
        .query(CONTINUE)
        .map(|text| P::parse(text).ok_or_else(|| refused(CONTINUE, "must be what the page before gave")));
    Ok(Page { limit, after: after.transpose()? })
}

/// `?all=true`
pub(super) fn whose(head: &Head) -> Result<Whose, HttpError> {
    Ok(if ALL.of(head)? { Whose::Everyones } else { Whose::Own })
}

/// What a list without rows is where clients know it as `null`.
pub(super) fn or_null<T>(rows: Vec<T>) -> Option<Vec<T>> {
    Some(rows).filter(|rows| !rows.is_empty())
}

impl Operation {
    /// Is read with [`page`].
    pub(super) fn paged<P: Place>(self) -> Self {
        self.query(&LIMIT).query(&Shaped { name: CONTINUE, about: CONTINUE_ABOUT, pattern: P::PATTERN })
    }
}
