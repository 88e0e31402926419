//! What a request says about the part of a list that it wants.

use gthulhu_http::call::Head;
use gthulhu_http::error::HttpError;

use crate::service::{PAGE_ROWS_MAX, Page, Place, Whose};

/// `?limit=`, from 1 to [`PAGE_ROWS_MAX`], and `?continue=`, as the page before gave it. Without `limit`, everything.
pub(super) fn page<P: Place>(head: &Head) -> Result<Page<P>, HttpError> {
    let limit = head.query("limit").map(|text| match text.parse() {
        Ok(limit) if (1..=PAGE_ROWS_MAX).contains(&limit) => Ok(limit),
        _ => Err(bad("limit", "must be 1 to 1000")),
    });
    let after = head
        .query("continue")
        .map(|text| P::parse(text).ok_or_else(|| bad("continue", "must be what the page before gave")));
    Ok(Page { limit: limit.transpose()?, after: after.transpose()? })
}

/// `?all=true`
pub(super) fn whose(head: &Head) -> Whose {
    if head.flag("all") { Whose::Everyones } else { Whose::Own }
}

/// What a list without rows is where clients know it as `null`.
pub(super) fn or_null<T>(rows: Vec<T>) -> Option<Vec<T>> {
    Some(rows).filter(|rows| !rows.is_empty())
}

fn bad(field: &str, rule: &str) -> HttpError {
    HttpError::bad_request(format!("{field} {rule}")).in_field(field)
}
