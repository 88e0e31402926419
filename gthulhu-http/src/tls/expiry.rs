//! When certificates end: shown as a metric, and said in the log while there is time to do something about it.

use prometheus::core::Collector;
use prometheus::{Error, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use super::credentials::Credentials;
use crate::time::rfc3339;

/// The series of one set of credentials.
pub(super) struct Series {
    ends: IntGaugeVec,
    reads: IntCounterVec,
    usable: IntGauge,
}

impl Series {
    pub(super) fn new(section: &str) -> Series {
        Series::made(section).expect("the names are valid")
    }

    fn made(section: &str) -> Result<Series, Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("section", section);
        let ends = opts(
            "gthulhu_tls_certificate_end_timestamp_seconds",
            "When a certificate in use ends, in Unix seconds",
        );
        let reads =
            opts("gthulhu_tls_reloads_total", "Certificates that were read again, by what became of them");
        let usable =
            opts("gthulhu_tls_files_usable", "1; 0 while certificates as they are now cannot be used");
        let series = Series {
            ends: IntGaugeVec::new(ends, &["certificate"])?,
            reads: IntCounterVec::new(reads, &["outcome"])?,
            usable: IntGauge::with_opts(usable)?,
        };
        series.usable.set(1);
        for outcome in ["taken", "refused"] {
            series.reads.with_label_values(&[outcome]);
        }
        Ok(series)
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.ends.clone()), Box::new(self.reads.clone()), Box::new(self.usable.clone())]
    }

    pub(super) fn show(&self, credentials: &Credentials) {
        self.ends.with_label_values(&["own"]).set(credentials.not_after);
        if let Some(end) = credentials.authorities.not_after() {
            self.ends.with_label_values(&["authority"]).set(end);
        }
    }

    pub(super) fn taken(&self) {
        self.reads.with_label_values(&["taken"]).inc();
    }

    pub(super) fn refused(&self) {
        self.reads.with_label_values(&["refused"]).inc();
    }

    /// Whether what was read last can be used, or is used already.
    pub(super) fn usable(&self, usable: bool) {
        self.usable.set(i64::from(usable));
    }
}

/// What was said of the ends of certificates.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// Of which certificate, by its end, and how bad it was.
    own: Option<(i64, Nearness)>,
    authority: Option<(i64, Nearness)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    Soon,
    Over,
}

/// A warning comes this long before the end, in seconds...
const SOON: i64 = 14 * 24 * 3600;
/// ...or after three quarters of a shorter life.
const QUARTER: i64 = 4;

impl Expiry {
    pub(super) fn notice(&mut self, section: &str, credentials: &Credentials, now: i64) {
        let life = credentials.not_after - credentials.not_before;
        let notice = (SOON).min(life / QUARTER);
        told(&mut self.own, nearness(credentials.not_after, notice, now), section, "our certificate");
        if let Some(end) = credentials.authorities.not_after() {
            told(&mut self.authority, nearness(end, SOON, now), section, "an authority's certificate");
        }
    }
}

fn nearness(end: i64, notice: i64, now: i64) -> Option<(i64, Nearness)> {
    match end - now {
        left if left <= 0 => Some((end, Nearness::Over)),
        left if left < notice => Some((end, Nearness::Soon)),
        _ => None,
    }
}

/// Says what was not said before.
fn told(before: &mut Option<(i64, Nearness)>, found: Option<(i64, Nearness)>, section: &str, what: &str) {
    if let Some((end, near)) = found.filter(|_| *before != found) {
        let ends = rfc3339(end);
        match near {
            Nearness::Soon => tracing::warn!(section, ends, "{what} ends soon; renew it"),
            Nearness::Over => tracing::error!(section, ends, "{what} is over; peers refuse it, or we theirs"),
        }
    }
    *before = found;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_near_and_then_over() {
        let day = 24 * 3600;
        for (left, near) in [
            (15 * day, None),
            (13 * day, Some(Nearness::Soon)),
            (1, Some(Nearness::Soon)),
            (0, Some(Nearness::Over)),
            (-day, Some(Nearness::Over)),
        ] {
            assert_eq!(
                nearness(1_000_000_000 + left, SOON, 1_000_000_000).map(|(_, near)| near),
                near,
                "{left}"
            );
        }
    }
}
