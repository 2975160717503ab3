//! A server process and what it has used: processor time and memory, from `/proc`.

use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// What `/proc` says of a process.
pub struct Times {
    /// Who started it.
    pub parent: u32,
    /// User and system time so far, in microseconds.
    pub own_us: f64,
    /// The same of its children that have ended.
    pub ended_us: f64,
}

impl Times {
    /// Of a process that runs.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<f64> = after_name.split_whitespace().map(|f| f.parse().unwrap_or_default()).collect();
        let field = |n: usize| fields.get(n).copied().unwrap_or_default();
        // Fields 4 and 14 to 17 of proc(5), times in ticks of 1/100 s.
        let us = |first: usize| (field(first) + field(first + 1)) * 10_000.0;
        Ok(Self { parent: field(1) as u32, own_us: us(11), ended_us: us(13) })
    }
}

/// A process that ends with the value.
pub struct Process {
    child: Child,
    pid: u32,
}

impl Process {
    /// Starts it; the first line of its output that `ready` accepts, as `ready` reads it.
    pub async fn start<T>(
        command: &mut Command,
        ready: impl Fn(&str) -> Option<T>,
    ) -> anyhow::Result<(Self, T)> {
        let mut child = command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn()?;
        let pid = child.id().unwrap_or_default();
        let output = child.stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
        let mut lines = BufReader::new(output).lines();
        let wait = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(found) = ready(&line) {
                    return Ok(found);
                }
            }
            anyhow::bail!("the server ended before it was ready")
        };
        let found = tokio::time::timeout(Duration::from_secs(30), wait).await??;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((Self { child, pid }, found))
    }

    /// Ends it and waits until it is gone.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// User and system time so far, in microseconds.
    pub fn cpu_us(&self) -> anyhow::Result<f64> {
        Ok(Times::of(self.pid)?.own_us)
    }

    /// Forgets the peak of memory, so that the next reading is of one scenario.
    pub fn reset_peak(&self) {
        // Needs rights that a container may not give; then the peak is of the whole run.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5");
    }

    /// Most memory it held, in MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let kib = status
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.unwrap_or_default() / 1024.0)
    }

    /// Whether it still runs.
    pub fn alive(&self) -> bool {
        Path::new(&format!("/proc/{}", self.pid)).exists()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}
