//! Counters of this process, and their Prometheus text.
//!
//! Atomics only: counting must never make a request wait.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the duration buckets, in microseconds.
const BUCKETS_US: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// What is counted.
#[derive(Default)]
pub struct Metrics {
    /// Answers by the first digit of their status; 0 is unused.
    by_class: [AtomicU64; 6],
    buckets: [AtomicU64; 12],
    duration_us: AtomicU64,
    /// Requests refused by a rate limit.
    pub rate_limited: AtomicU64,
    /// Handlers that panicked; each was answered with 500.
    pub panics: AtomicU64,
}

impl Metrics {
    /// Counts one answer.
    pub fn answered(&self, status: u16, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(class) = self.by_class.get(usize::from(status / 100)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        let place = BUCKETS_US.partition_point(|end| *end < us);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.duration_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Appends the counters in the Prometheus text format, version 0.0.4.
    pub fn write_to(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = self.write(out);
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "# HELP stead_http_requests_total Answers by class of status.")?;
        writeln!(out, "# TYPE stead_http_requests_total counter")?;
        let mut total = 0;
        for (class, count) in (0..).zip(&self.by_class).skip(1) {
            let count = count.load(Ordering::Relaxed);
            total += count;
            writeln!(out, "stead_http_requests_total{{class=\"{class}xx\"}} {count}")?;
        }
        writeln!(
            out,
            "# HELP stead_http_request_duration_seconds Time from the head of a request to its answer."
        )?;
        writeln!(out, "# TYPE stead_http_request_duration_seconds histogram")?;
        let mut below = 0;
        for (end, count) in BUCKETS_US.iter().zip(&self.buckets) {
            below += count.load(Ordering::Relaxed);
            writeln!(
                out,
                "stead_http_request_duration_seconds_bucket{{le=\"{}\"}} {below}",
                Duration::from_micros(*end).as_secs_f64()
            )?;
        }
        let sum = Duration::from_micros(self.duration_us.load(Ordering::Relaxed)).as_secs_f64();
        writeln!(out, "stead_http_request_duration_seconds_bucket{{le=\"+Inf\"}} {total}")?;
        writeln!(out, "stead_http_request_duration_seconds_sum {sum}")?;
        writeln!(out, "stead_http_request_duration_seconds_count {total}")?;
        counter(
            out,
            "stead_http_rate_limited_total",
            "Requests refused by a rate limit.",
            &self.rate_limited,
        )?;
        counter(out, "stead_http_panics_total", "Requests whose handler panicked.", &self.panics)
    }
}

fn counter(out: &mut String, name: &str, help: &str, count: &AtomicU64) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", count.load(Ordering::Relaxed))
}

/// Appends one counter that is kept elsewhere.
pub fn counted(out: &mut String, name: &str, help: &str, value: u64) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
}

/// Appends one gauge.
pub fn gauge(out: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
}

/// Appends a gauge that each consumer has one of.
pub fn by_consumer<'a>(
    out: &mut String,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (&'a str, u64)>,
) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (consumer, value) in values {
        let _ = writeln!(out, "{name}{{consumer=\"{consumer}\"}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_everything_at_or_below_their_end() {
        let metrics = Metrics::default();
        metrics.answered(200, Duration::from_micros(250));
        metrics.answered(404, Duration::from_millis(3));
        metrics.answered(500, Duration::from_secs(60));
        let mut text = String::new();
        metrics.write_to(&mut text);
        for line in [
            "stead_http_requests_total{class=\"2xx\"} 1",
            "stead_http_request_duration_seconds_bucket{le=\"0.00025\"} 1",
            "stead_http_request_duration_seconds_bucket{le=\"0.005\"} 2",
            "stead_http_request_duration_seconds_bucket{le=\"5\"} 2",
            "stead_http_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "stead_http_request_duration_seconds_count 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
