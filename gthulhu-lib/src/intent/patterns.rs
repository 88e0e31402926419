//! The rules of `check` that a regular expression can say, for those who describe them to others. What it cannot say is
//! missing: the length of a label key's domain.

/// What [`check_namespace`](super::check_namespace) accepts.
pub const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// What [`check_namespace`](super::check_namespace) accepts, or nothing.
pub const NAMESPACE_OR_NONE: &str = "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$";

/// What [`check_label_key`](super::check_label_key) accepts, or nothing.
pub const LABEL_KEY_OR_NONE: &str = "^(([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?\
    [A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::intent::{check_label_key, check_namespace};

    proptest! {
        #[test]
        fn patterns_say_what_the_checks_do(text in "[aZ9_.é/-]{0,5}|[a9]{60,66}|[aZ]-{60,63}[a.]|[a.-]{0,4}/[a-]{1,3}\n?") {
            let says = |pattern: &str| Regex::new(pattern).unwrap().is_match(&text);
            let namespace = check_namespace("f", &text).is_ok();
            prop_assert_eq!(says(NAMESPACE), namespace);
            prop_assert_eq!(says(NAMESPACE_OR_NONE), namespace || text.is_empty());
            prop_assert_eq!(says(LABEL_KEY_OR_NONE), check_label_key("f", &text).is_ok() || text.is_empty());
        }
    }
}
