//! What Postgres itself spends: the processor time of all its processes, which must be of this machine.

use super::psql;
use crate::process::Times;
use crate::report::Measured;
use anyhow::Context;

/// The process whose children do the work.
pub struct Postmaster(u32);

impl Postmaster {
    /// Of the server at a URL.
    pub async fn of(server: &str) -> anyhow::Result<Self> {
        let file = psql(server, "SELECT pg_read_file('postmaster.pid')").await?;
        Ok(Self(file.lines().next().context("no process of Postgres")?.trim().parse()?))
    }

    /// Runs a measurement and notes what Postgres spent on each of its requests.
    pub async fn during(
        &self,
        measuring: impl Future<Output = anyhow::Result<Measured>>,
    ) -> anyhow::Result<Measured> {
        let (before, began) = (self.cpu_us()?, std::time::Instant::now());
        let measured = measuring.await?;
        let requests = measured.per_second * began.elapsed().as_secs_f64();
        Ok(Measured { database_us: (self.cpu_us()? - before) / requests.max(1.0), ..measured })
    }

    fn cpu_us(&self) -> anyhow::Result<f64> {
        let own = Times::of(self.0)?;
        let processes = std::fs::read_dir("/proc")?.flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // One may end while this looks.
        let children = pids.filter_map(|pid| Times::of(pid).ok()).filter(|times| times.parent == self.0);
        Ok(own.own_us + own.ended_us + children.map(|times| times.own_us).sum::<f64>())
    }
}
