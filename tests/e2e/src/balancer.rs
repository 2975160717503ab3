//! A balancer in front of several servers: each request goes to the next of them, whatever connection it came on.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Where the balancer calls from. Another than the tests have, so that servers which trust it believe nobody else.
pub const ADDRESS: &str = "127.0.0.2";

/// A running haproxy. It ends with the value.
pub struct Balancer {
    child: Child,
    /// `http://127.0.0.1:port`
    pub url: String,
}

impl Balancer {
    /// Starts one in front of servers that listen already.
    pub fn start(folder: &Path, servers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = folder.join("haproxy.cfg");
        std::fs::write(&settings, configuration(servers)).unwrap();
        // The open port is its standard input: nobody can take it meanwhile, and who calls early waits.
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&settings)
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("haproxy is installed");
        Self { child, url }
    }

    /// Ends it, and with it every connection.
    pub async fn end(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// `x-node` says who answered. One thread, since each has a turn of its own, and a new connection for each request, since
/// haproxy stays with a server that said 401 otherwise. Nothing is sent again on its own.
fn configuration(servers: &[String]) -> String {
    let mut text = format!(
        "global
  nbthread 1
  maxconn 1000
defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend door
  bind fd@0
  default_backend nodes
backend nodes
  balance roundrobin
  option http-server-close
  option forwardfor
  source {ADDRESS}
  http-response set-header x-node %s
"
    );
    for (number, url) in servers.iter().enumerate() {
        let address = url.trim_start_matches("http://");
        text.push_str(&format!("  server node{number} {address}\n"));
    }
    text
}
