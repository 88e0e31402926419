//! Metrics in the Prometheus text format.

use prometheus::{Encoder, Registry, TextEncoder};

use crate::error::HttpError;
use crate::reply::Reply;

/// Everything in the registry, as `text/plain; version=0.0.4`. Families come sorted by name.
///
/// Fails with 500 when a family has no metrics or two collectors disagree about one.
pub fn render(registry: &Registry) -> Result<Reply, HttpError> {
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text).map_err(HttpError::internal)?;
    Ok(Reply::text("text/plain; version=0.0.4", text))
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounterVec, IntGauge, Opts};

    use super::*;

    #[test]
    fn a_registry_becomes_text() {
        let registry = Registry::new();
        let gauge = IntGauge::new("gthulhu_b", "A gauge.").unwrap();
        let counter = IntCounterVec::new(Opts::new("gthulhu_a_total", "A counter."), &["pod"]).unwrap();
        registry.register(Box::new(gauge.clone())).unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        gauge.set(-3);
        counter.with_label_values(&["a\"b"]).inc();

        let reply = render(&registry).unwrap();

        assert_eq!(reply.headers()[http::header::CONTENT_TYPE], "text/plain; version=0.0.4");
        let expected = "# HELP gthulhu_a_total A counter.\n# TYPE gthulhu_a_total counter\n\
                        gthulhu_a_total{pod=\"a\\\"b\"} 1\n\
                        # HELP gthulhu_b A gauge.\n# TYPE gthulhu_b gauge\ngthulhu_b -3\n";
        assert_eq!(std::str::from_utf8(reply.body()).unwrap(), expected);
    }
}
