//! Wall-clock time as the API shows it, and durations as people write them in configuration files.

use std::fmt;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The current time in UTC with whole seconds, `2026-03-10T09:08:07Z`.
pub fn now_rfc3339() -> String {
    rfc3339(unix_now())
}

/// The given number of seconds since 1970 as `2026-03-10T09:08:07Z`; a time that no calendar holds is shown as 1970.
pub fn rfc3339(unix_seconds: i64) -> String {
    Timestamp::from_second(unix_seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The given number of seconds since 1970 as headers have it, `Tue, 10 Mar 2026 09:08:07 GMT` (RFC 9110, section 5.6.7); a time
/// that no calendar holds is shown as 1970.
pub(crate) fn http_date(unix_seconds: i64) -> String {
    let time = Timestamp::from_second(unix_seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap_or_default()
}

/// Seconds since 1970-01-01T00:00:00Z.
pub fn unix_now() -> i64 {
    Timestamp::now().as_second()
}

/// A duration in a configuration file: `3h`, `90s`, `250ms`, `1h 30m`. Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DurationText(Duration);

impl DurationText {
    /// Wraps a duration, for defaults.
    pub const fn new(duration: Duration) -> DurationText {
        DurationText(duration)
    }

    /// The duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(duration) => write!(f, "{duration:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl Serialize for DurationText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rule = "a duration is written like \"3h\", \"90s\" or \"250ms\"";
        let duration: SignedDuration = text.parse().map_err(|_| de::Error::custom(rule))?;
        Duration::try_from(duration).map(DurationText).map_err(|_| de::Error::custom(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_whole_seconds() {
        assert_eq!(rfc3339(1_773_133_687), "2026-03-10T09:08:07Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00Z");
        let now = now_rfc3339();
        assert_eq!((now.len(), now.as_bytes()[19]), (20, b'Z'), "{now}");
    }

    #[test]
    fn durations_are_read_and_shown_as_people_write_them() {
        for (text, milliseconds, shown) in [
            ("3h", 10_800_000, "3h"),
            ("90s", 90_000, "1m 30s"),
            ("250ms", 250, "250ms"),
            ("1h 30m", 5_400_000, "1h 30m"),
            ("0s", 0, "0s"),
        ] {
            let read: DurationText = serde_json::from_value(text.into()).unwrap();
            assert_eq!(read.get(), Duration::from_millis(milliseconds), "{text}");
            assert_eq!(read.to_string(), shown);
            let again: DurationText = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(again, read);
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_examples() {
        for text in ["", "3", "-3s", "soon", "3 parsecs"] {
            let error = serde_json::from_value::<DurationText>(text.into()).unwrap_err();
            assert!(error.to_string().contains("\"250ms\""), "{text}: {error}");
        }
    }
}
