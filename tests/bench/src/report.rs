//! Medians, and ratios to the first target.

use crate::target::Scenario;

/// One measurement.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Requests or deliveries a second.
    pub per_second: f64,
    /// Median latency, ms.
    pub p50_ms: f64,
    /// 99th percentile, ms.
    pub p99_ms: f64,
    /// Server's processor time per request or delivery, µs.
    pub cpu_us: f64,
    /// Server's peak memory, MiB.
    pub peak_mib: f64,
    /// Processor time of the Postgres behind it per request, µs; 0 where there is none.
    pub database_us: f64,
    /// Failed requests or lost deliveries.
    pub bad: u64,
}

impl Measured {
    /// From latencies in microseconds.
    pub fn of(mut latencies_us: Vec<u32>, seconds: f64, cpu_us: f64, peak_mib: f64, bad: u64) -> Self {
        latencies_us.sort_unstable();
        let count = latencies_us.len().max(1);
        let at = |part: f64| {
            latencies_us.get(((count as f64 * part) as usize).min(count - 1)).copied().unwrap_or(0)
        };
        Self {
            per_second: latencies_us.len() as f64 / seconds,
            p50_ms: f64::from(at(0.5)) / 1000.0,
            p99_ms: f64::from(at(0.99)) / 1000.0,
            cpu_us: cpu_us / count as f64,
            peak_mib,
            database_us: 0.0,
            bad,
        }
    }
}

impl Measured {
    /// Two servers that were measured at the same time, as one.
    pub fn beside(&self, other: &Self) -> Self {
        let all = self.per_second + other.per_second;
        Self {
            per_second: all,
            p50_ms: (self.p50_ms + other.p50_ms) / 2.0,
            p99_ms: self.p99_ms.max(other.p99_ms),
            cpu_us: (self.cpu_us * self.per_second + other.cpu_us * other.per_second) / all,
            peak_mib: self.peak_mib + other.peak_mib,
            database_us: 0.0,
            bad: self.bad + other.bad,
        }
    }
}

/// Everything measured so far.
#[derive(Default)]
pub struct Table {
    rows: Vec<(Scenario, String, Measured)>,
}

impl Table {
    /// Adds a measurement.
    pub fn add(&mut self, scenario: Scenario, target: &str, measured: Measured) {
        self.rows.push((scenario, target.to_owned(), measured));
    }

    /// Prints the medians of a scenario, each target beside the first.
    pub fn print(&self, scenario: Scenario) {
        let rows: Vec<_> = self.rows.iter().filter(|(s, ..)| *s == scenario).collect();
        let mut names: Vec<&str> = Vec::new();
        for (_, name, _) in &rows {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        println!("\n{scenario:?}");
        println!(
            "| target | per s | p50 ms | p99 ms | CPU µs each | peak MiB | failed or lost | first ÷ this, per s | this ÷ first, CPU | Postgres CPU µs each |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        let medians: Vec<_> = names.iter().map(|name| (*name, self.median(scenario, name))).collect();
        let Some((_, first)) = medians.first() else { return };
        for (name, m) in &medians {
            println!(
                "| {name} | {:.0} | {:.2} | {:.2} | {:.1} | {:.0} | {} | {:.2} | {:.2} | {:.1} |",
                m.per_second,
                m.p50_ms,
                m.p99_ms,
                m.cpu_us,
                m.peak_mib,
                m.bad,
                first.per_second / m.per_second,
                m.cpu_us / first.cpu_us,
                m.database_us
            );
        }
    }

    fn median(&self, scenario: Scenario, target: &str) -> Measured {
        let runs: Vec<&Measured> =
            self.rows.iter().filter(|(s, t, _)| *s == scenario && t == target).map(|(.., m)| m).collect();
        let of = |pick: fn(&Measured) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(|m| pick(m)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Measured {
            per_second: of(|m| m.per_second),
            p50_ms: of(|m| m.p50_ms),
            p99_ms: of(|m| m.p99_ms),
            cpu_us: of(|m| m.cpu_us),
            peak_mib: of(|m| m.peak_mib),
            database_us: of(|m| m.database_us),
            bad: runs.iter().map(|m| m.bad).sum(),
        }
    }
}
