//! `/metrics`: what the manager counts, and how much there is of what.

use prometheus::core::Collector;
use prometheus::{Error, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Every series of this process.
pub struct Metrics {
    registry: Registry,
    logins: IntCounterVec,
    refusals: IntCounterVec,
    stock: IntGaugeVec,
    nodes: IntGaugeVec,
    ready: IntGaugeVec,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOutcome {
    /// With tokens.
    Accepted,
    /// With a refusal, for whatever reason.
    Refused,
    /// Without a look at the password: after too many failures, or because of too many at once.
    Throttled,
    /// With a failure of ours.
    Failed,
}

/// How much there is at the moment of the scrape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stock {
    /// Of what, and how many.
    pub counts: Vec<(&'static str, usize)>,
    /// Nodes whose decision maker answered its last call, did not, and was not asked yet.
    pub nodes: [usize; 3],
    /// Conditions of readiness, and whether each holds.
    pub ready: Vec<(&'static str, bool)>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        Self::registered().expect("the names are valid and each occurs once")
    }

    fn registered() -> Result<Self, Error> {
        let registry = Registry::new();
        let info = Opts::new("gthulhu_build_info", "Always 1; the labels say what is running")
            .const_label("component", "manager")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        keep(&registry, IntGauge::with_opts(info)?)?.set(1);
        let counters = |name: &str, help: &str, label: &str| {
            keep(&registry, IntCounterVec::new(Opts::new(name, help), &[label])?)
        };
        let gauges = |name: &str, help: &str, label: &str| {
            keep(&registry, IntGaugeVec::new(Opts::new(name, help), &[label])?)
        };
        let metrics = Self {
            logins: counters("gthulhu_manager_logins_total", "Logins, by how they ended", "outcome")?,
            refusals: counters(
                "gthulhu_manager_refusals_total",
                "Requests refused for their token or for a missing right",
                "reason",
            )?,
            stock: gauges("gthulhu_manager_objects", "How many there are", "kind")?,
            nodes: gauges("gthulhu_manager_nodes", "Nodes, by whether their dm answers", "answers")?,
            ready: gauges("gthulhu_manager_ready", "Whether this condition of readiness holds", "check")?,
            registry,
        };
        for outcome in ["accepted", "refused", "throttled", "failed"] {
            metrics.logins.with_label_values(&[outcome]);
        }
        for reason in ["token", "right"] {
            metrics.refusals.with_label_values(&[reason]);
        }
        Ok(metrics)
    }

    /// Shows these series too.
    pub fn add(&self, collectors: Vec<Box<dyn Collector>>) -> Result<(), Error> {
        collectors.into_iter().try_for_each(|collector| self.registry.register(collector))
    }

    /// Counts a login.
    pub fn login(&self, outcome: LoginOutcome) {
        let label = match outcome {
            LoginOutcome::Accepted => "accepted",
            LoginOutcome::Refused => "refused",
            LoginOutcome::Throttled => "throttled",
            LoginOutcome::Failed => "failed",
        };
        self.logins.with_label_values(&[label]).inc();
    }

    /// Counts a request whose token was not good.
    pub fn bad_token(&self) {
        self.refusals.with_label_values(&["token"]).inc();
    }

    /// Counts a request whose sender may not.
    pub fn denied(&self) {
        self.refusals.with_label_values(&["right"]).inc();
    }

    /// The registry, with the gauges at what there is now.
    pub fn taken(&self, stock: &Stock) -> &Registry {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (kind, count) in &stock.counts {
            self.stock.with_label_values(&[kind]).set(number(*count));
        }
        for (answers, count) in ["yes", "no", "unknown"].iter().zip(stock.nodes) {
            self.nodes.with_label_values(&[answers]).set(number(count));
        }
        for (check, holds) in &stock.ready {
            self.ready.with_label_values(&[check]).set(i64::from(*holds));
        }
        &self.registry
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers a collector and hands it back.
fn keep<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn every_outcome_is_there_from_the_start_and_what_happened_is_counted() {
        let metrics = Metrics::new();
        metrics.login(LoginOutcome::Throttled);
        metrics.bad_token();
        let stock = Stock { counts: vec![("users", 3)], nodes: [2, 1, 0], ready: vec![("store", true)] };
        let page = TextEncoder::new().encode_to_string(&metrics.taken(&stock).gather()).unwrap();
        for line in [
            "gthulhu_manager_logins_total{outcome=\"accepted\"} 0",
            "gthulhu_manager_logins_total{outcome=\"throttled\"} 1",
            "gthulhu_manager_refusals_total{reason=\"token\"} 1",
            "gthulhu_manager_refusals_total{reason=\"right\"} 0",
            "gthulhu_manager_objects{kind=\"users\"} 3",
            "gthulhu_manager_nodes{answers=\"yes\"} 2",
            "gthulhu_manager_nodes{answers=\"unknown\"} 0",
            "gthulhu_manager_ready{check=\"store\"} 1",
            "gthulhu_build_info{component=\"manager\"",
        ] {
            assert!(page.contains(line), "{line} is missing in\n{page}");
        }
    }
}
