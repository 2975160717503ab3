//! The hub's thread: waits for commands, for the log and for time, and plays them on the board one after another.
//!
//! A thread of its own, because the board reads the database where it stands: it must not hold up a request.

use super::board::Board;
use super::connections::Identity;
use super::groups::ConnectionId;
use super::outbox::Outbox;
use super::source::StoreSource;
use super::subscribe::{Ask, Outcome};
use crate::{Catalogue, Clock};
use std::sync::Arc;
use std::time::Duration;
use stead_wire::Instant;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior};

/// How often connections are looked at.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// Changes applied between two looks at the commands.
const CHANGES: usize = 64;
/// Commands taken between two looks at the log.
const COMMANDS: usize = 64;

/// What sockets and the project ask of the hub.
pub(super) enum Command {
    Open {
        id: ConnectionId,
        outbox: Arc<Outbox>,
        opened: Instant,
    },
    Hello {
        id: ConnectionId,
        identity: Identity,
    },
    Renew {
        id: ConnectionId,
        request: u64,
        identity: Identity,
    },
    Subscribe {
        id: ConnectionId,
        ask: Box<Ask>,
        reply: oneshot::Sender<Outcome>,
    },
    Unsubscribe {
        id: ConnectionId,
        request: u64,
        name: String,
    },
    /// The outbox of a connection that is behind ran empty.
    Empty {
        id: ConnectionId,
    },
    Gone {
        id: ConnectionId,
    },
    Catalogue(Arc<Catalogue>),
    /// So many signing keys have been revoked.
    Revoked {
        count: u64,
    },
    /// Everybody is sent elsewhere, a few at a time, until then.
    Drain {
        until: Instant,
    },
}

/// What the thread works with.
pub(super) struct Worker {
    pub(super) board: Board,
    pub(super) source: StoreSource,
    pub(super) runtime: Arc<Runtime>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sockets_per_user_max: usize,
}

enum Wake {
    Command(Option<Command>),
    Log,
    Tick,
    Closing,
    Work,
}

impl Worker {
    /// Runs until the hub closes or is dropped.
    pub(super) fn run(mut self) {
        let runtime = Arc::clone(&self.runtime);
        let mut head = self.source.store.log().head();
        let mut ticks = runtime.block_on(async { tokio::time::interval(TICK) });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut busy = false;
        loop {
            let wake = runtime.block_on(self.wake(&mut head, &mut ticks, busy));
            match wake {
                Wake::Closing | Wake::Command(None) => return self.board.end_all(),
                Wake::Command(Some(command)) => self.commands(command),
                Wake::Tick => self.board.tick(&mut self.source, self.clock.now()),
                Wake::Log | Wake::Work => {}
            }
            let more = self.board.advance(&mut self.source, CHANGES);
            busy = self.board.turn(&mut self.source) || more;
        }
    }

    async fn wake(&mut self, head: &mut watch::Receiver<u64>, ticks: &mut Interval, busy: bool) -> Wake {
        tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => Wake::Closing,
            _ = ticks.tick() => Wake::Tick,
            command = self.commands.recv() => Wake::Command(command),
            _ = std::future::ready(()), if busy => Wake::Work,
            changed = head.changed() => match changed {
                Ok(()) => Wake::Log,
                Err(_) => Wake::Closing,
            },
        }
    }

    fn commands(&mut self, first: Command) {
        self.command(first);
        for _ in 1..COMMANDS {
            let Ok(command) = self.commands.try_recv() else { return };
            self.command(command);
        }
    }

    fn command(&mut self, command: Command) {
        let board = &mut self.board;
        match command {
            Command::Open { id, outbox, opened } => board.open(id, outbox, opened),
            Command::Hello { id, identity } => board.hello(id, identity, self.sockets_per_user_max),
            Command::Renew { id, request, identity } => board.renew(id, request, identity),
            Command::Subscribe { id, ask, reply } => {
                // A subscriber that went away needs no answer.
                let _ = reply.send(board.subscribe(&mut self.source, id, *ask));
            }
            Command::Unsubscribe { id, request, name } => board.unsubscribe(id, request, &name),
            Command::Empty { id } => board.turns.push_back(id),
            Command::Gone { id } => board.remove(id),
            Command::Catalogue(catalogue) => board.use_catalogue(catalogue),
            Command::Revoked { count } => board.key_revoked(count),
            Command::Drain { until } => board.draining = Some(until),
        }
    }
}
