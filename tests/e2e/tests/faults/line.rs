//! A line to Postgres that can be cut: neither side is told, nothing comes through.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Clone, Copy)]
struct State {
    cut: bool,
    /// Connections made before this many were dropped for good stay dead.
    lost: usize,
}

/// A TCP address behind which the socket of a Postgres is, until it is cut.
pub struct Line {
    state: Arc<watch::Sender<State>>,
    port: u16,
    _carrying: JoinSet<()>,
}

impl Line {
    /// Leads to a Unix socket.
    pub async fn to(socket: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State { cut: false, lost: 0 }));
        let mut carrying = JoinSet::new();
        carrying.spawn(accept(listener, socket.to_owned(), Arc::clone(&state)));
        Self { state, port, _carrying: carrying }
    }

    /// The address as a database's URL.
    pub fn url(&self) -> String {
        format!("postgres://stead@127.0.0.1:{}/postgres", self.port)
    }

    /// From now on nothing comes through, either way.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut = true);
    }

    /// Everything that waited comes through.
    pub fn mend(&self) {
        self.state.send_modify(|state| state.cut = false);
    }

    /// New connections come through; the old ones stay dead without a word, as when a router forgot them.
    pub fn mend_for_new_ones(&self) {
        self.state.send_modify(|state| {
            state.cut = false;
            state.lost += 1;
        });
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, state: Arc<watch::Sender<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        connections.spawn(connect(near, socket.clone(), state.subscribe()));
    }
}

async fn connect(near: TcpStream, socket: PathBuf, mut state: watch::Receiver<State>) {
    let born = state.borrow().lost;
    passable(&mut state, born).await;
    let Ok(far) = UnixStream::connect(socket).await else { return };
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    // When one side hangs up, so does the other.
    tokio::select! {
        () = carry(from_near, to_far, state.clone(), born) => {}
        () = carry(from_far, to_near, state.clone(), born) => {}
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
    born: usize,
) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        // The end comes through no more than anything else.
        let count = from.read(&mut bytes).await.unwrap_or(0);
        passable(&mut state, born).await;
        if count == 0 || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// Waits until something may come through on a connection that was made after `born` losses: for ever on a lost one.
async fn passable(state: &mut watch::Receiver<State>, born: usize) {
    // The end of the line is the end of its connections.
    let _ = state.wait_for(|state| !state.cut && state.lost == born).await;
}
