//! A server process and what it has used: processor time and memory, from `/proc`.

use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

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

    /// User and system time so far, in microseconds.
    pub fn cpu_us(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let field = |n: usize| {
            after_name.split_whitespace().nth(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default()
        };
        // Fields 14 and 15 of proc(5), in ticks of 1/100 s.
        Ok((field(11) + field(12)) * 10_000.0)
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
