//! Frames waiting for one client, between the hub that puts them in and the transport that takes them out.
//!
//! Bounded: it never drops a frame by itself. When events do not fit it says so, and the hub takes all of them out
//! and reads them from the log again later. Control frames have room of their own.

use crate::limits::{SOCKET_BYTES_MAX, SOCKET_FRAMES_MAX};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// Frames are handed to the socket in pieces of at most this many bytes, so that small ones share a write.
const CHUNK_BYTES_MAX: usize = 16 * 1024;
/// Control frames waiting before the client counts as lost.
const CONTROL_FRAMES_MAX: usize = 512;

/// What a frame is, for the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// Answers and warnings. Not counted with events.
    Control,
    /// A part of a snapshot; bounded by the snapshot's own cap.
    Snapshot,
    /// Can be dropped and read from the log again.
    Event {
        /// Whose.
        group: u64,
        /// The change it tells of.
        seq: u64,
    },
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits.
    Taken,
    /// It did not fit; nothing changed.
    Full,
    /// Nobody will take it any more.
    Gone,
}

/// See the module.
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    /// Set whenever the client says something; cleared by the hub when it looks.
    heard: AtomicBool,
    /// Position of the newest change of what this caller was granted; older identities must be asked anew.
    granted_at: AtomicU64,
    /// Rung when something was taken, and at the end.
    taken: Notify,
    /// Rung when `granted_at` moved, and at the end.
    regranted: Notify,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<(Load, Bytes)>,
    events: usize,
    event_bytes: usize,
    control: usize,
    snapshot_bytes: usize,
    /// How often the transport took something.
    taken: u64,
    waker: Option<Waker>,
    /// Told once when the queue runs empty.
    on_empty: Option<Box<dyn FnOnce() + Send>>,
    /// The close frame is in the queue.
    ending: bool,
    /// The transport is gone.
    gone: bool,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting::default()),
            heard: AtomicBool::new(true),
            granted_at: AtomicU64::new(0),
            taken: Notify::new(),
            regranted: Notify::new(),
        }
    }

    /// Puts a frame in.
    pub(super) fn push(&self, load: Load, bytes: Bytes) -> Pushed {
        let mut waiting = self.waiting.lock();
        if waiting.gone || waiting.ending {
            return Pushed::Gone;
        }
        match load {
            Load::Event { .. } => {
                let full = waiting.events >= SOCKET_FRAMES_MAX
                    || (waiting.events > 0 && waiting.event_bytes + bytes.len() > SOCKET_BYTES_MAX);
                if full {
                    return Pushed::Full;
                }
                waiting.events += 1;
                waiting.event_bytes += bytes.len();
            }
            Load::Control if waiting.control >= CONTROL_FRAMES_MAX => return Pushed::Full,
            Load::Control => waiting.control += 1,
            Load::Snapshot => waiting.snapshot_bytes += bytes.len(),
        }
        waiting.queue.push_back((load, bytes));
        wake(waiting);
        Pushed::Taken
    }

    /// Takes every waiting event out: for each group the first change that is now missing.
    pub(super) fn drop_events(&self) -> BTreeMap<u64, u64> {
        let mut waiting = self.waiting.lock();
        let mut missing = BTreeMap::new();
        waiting.queue.retain(|(load, _)| match load {
            Load::Event { group, seq } => {
                missing.entry(*group).or_insert(*seq);
                false
            }
            Load::Control | Load::Snapshot => true,
        });
        waiting.events = 0;
        waiting.event_bytes = 0;
        missing
    }

    /// Takes the waiting events of one group out.
    pub(super) fn drop_group(&self, dropped: u64) {
        let mut waiting = self.waiting.lock();
        let (mut events, mut bytes) = (0, 0);
        waiting.queue.retain(|(load, frame)| match load {
            Load::Event { group, .. } if *group == dropped => {
                events += 1;
                bytes += frame.len();
                false
            }
            Load::Event { .. } | Load::Control | Load::Snapshot => true,
        });
        waiting.events -= events;
        waiting.event_bytes -= bytes;
    }

    /// Calls `tell` once, when everything was taken: now, if nothing waits.
    pub(super) fn when_empty(&self, tell: impl FnOnce() + Send + 'static) {
        let mut waiting = self.waiting.lock();
        if waiting.queue.is_empty() {
            drop(waiting);
            tell();
        } else {
            waiting.on_empty = Some(Box::new(tell));
        }
    }

    /// Drops what waits and puts in the last frames; nothing follows them.
    pub(super) fn end(&self, last: impl IntoIterator<Item = Bytes>) {
        let mut waiting = self.waiting.lock();
        if waiting.ending {
            return;
        }
        waiting.queue.clear();
        waiting.queue.extend(last.into_iter().map(|bytes| (Load::Control, bytes)));
        (waiting.events, waiting.event_bytes, waiting.snapshot_bytes) = (0, 0, 0);
        waiting.control = waiting.queue.len();
        waiting.ending = true;
        waiting.on_empty = None;
        wake(waiting);
        self.ring();
    }

    /// The transport is gone: frames are no longer taken.
    pub(super) fn abandon(&self) {
        let mut waiting = self.waiting.lock();
        waiting.gone = true;
        waiting.queue.clear();
        waiting.on_empty = None;
        wake(waiting);
        self.ring();
    }

    fn ring(&self) {
        self.taken.notify_one();
        self.regranted.notify_one();
    }

    /// Waits until earlier snapshots are mostly taken, or the end.
    pub(super) async fn room_for_snapshot(&self) {
        while self.crowded() {
            self.taken.notified().await;
        }
    }

    fn crowded(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.snapshot_bytes > SOCKET_BYTES_MAX && !waiting.gone && !waiting.ending
    }

    /// Waits until what the caller was granted changes, or the end.
    pub(super) async fn regranted(&self) {
        self.regranted.notified().await;
    }

    /// The next piece for the socket; `None` after the last frame.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut waiting = self.waiting.lock();
        let Some(first) = waiting.take(usize::MAX) else {
            if waiting.ending || waiting.gone {
                return Poll::Ready(None);
            }
            waiting.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        waiting.taken += 1;
        let piece = match waiting.take(CHUNK_BYTES_MAX.saturating_sub(first.len())) {
            None => first,
            Some(second) => {
                let mut piece = BytesMut::with_capacity(CHUNK_BYTES_MAX);
                piece.extend_from_slice(&first);
                piece.extend_from_slice(&second);
                while let Some(next) = waiting.take(CHUNK_BYTES_MAX.saturating_sub(piece.len())) {
                    piece.extend_from_slice(&next);
                }
                piece.freeze()
            }
        };
        let tell = if waiting.queue.is_empty() { waiting.on_empty.take() } else { None };
        drop(waiting);
        self.taken.notify_one();
        if let Some(tell) = tell {
            tell();
        }
        Poll::Ready(Some(piece))
    }

    /// How often something was taken, and whether nothing waits.
    pub(super) fn progress(&self) -> (u64, bool) {
        let waiting = self.waiting.lock();
        (waiting.taken, waiting.queue.is_empty())
    }

    /// Whether the transport is gone.
    pub(super) fn gone(&self) -> bool {
        self.waiting.lock().gone
    }

    /// Whether the close frame was put in.
    pub(super) fn ending(&self) -> bool {
        self.waiting.lock().ending
    }

    /// The client said something.
    pub(super) fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Whether it did since the last call.
    pub(super) fn take_heard(&self) -> bool {
        self.heard.swap(false, Ordering::Relaxed)
    }

    /// What this caller was granted changed at `seq`.
    pub(super) fn regrant(&self, seq: u64) {
        self.granted_at.fetch_max(seq, Ordering::AcqRel);
        self.regranted.notify_one();
    }

    /// Position of the newest such change.
    pub(super) fn granted_at(&self) -> u64 {
        self.granted_at.load(Ordering::Acquire)
    }
}

impl Waiting {
    fn take(&mut self, bytes_max: usize) -> Option<Bytes> {
        if self.queue.front().is_none_or(|(_, bytes)| bytes.len() > bytes_max) {
            return None;
        }
        let (load, bytes) = self.queue.pop_front()?;
        match load {
            Load::Event { .. } => {
                self.events -= 1;
                self.event_bytes -= bytes.len();
            }
            Load::Control => self.control -= 1,
            Load::Snapshot => self.snapshot_bytes -= bytes.len(),
        }
        Some(bytes)
    }
}

/// Wakes outside the lock: the woken thread asks for it at once.
fn wake(mut waiting: parking_lot::MutexGuard<'_, Waiting>) {
    let waker = waiting.waker.take();
    drop(waiting);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn take(outbox: &Outbox) -> Poll<Option<Bytes>> {
        outbox.poll_take(&mut Context::from_waker(Waker::noop()))
    }

    fn event(group: u64, seq: u64) -> Load {
        Load::Event { group, seq }
    }

    #[test]
    fn small_frames_share_a_piece_and_a_large_one_is_not_copied() {
        let outbox = Outbox::new();
        outbox.push(Load::Control, Bytes::from_static(b"a"));
        outbox.push(event(1, 1), Bytes::from_static(b"b"));
        assert_eq!(take(&outbox), Poll::Ready(Some(Bytes::from_static(b"ab"))));
        let large = Bytes::from(vec![0u8; CHUNK_BYTES_MAX + 1]);
        outbox.push(event(1, 2), large.clone());
        let Poll::Ready(Some(piece)) = take(&outbox) else { panic!("nothing to take") };
        assert_eq!(piece.as_ptr(), large.as_ptr());
        assert_eq!(take(&outbox), Poll::Pending);
    }

    #[test]
    fn a_full_outbox_still_takes_control_frames_and_says_what_it_lost() {
        let outbox = Outbox::new();
        for seq in 1..=SOCKET_FRAMES_MAX as u64 {
            assert_eq!(outbox.push(event(seq % 2, seq), Bytes::from_static(b"x")), Pushed::Taken);
        }
        assert_eq!(outbox.push(event(0, 999), Bytes::from_static(b"x")), Pushed::Full);
        assert_eq!(outbox.push(Load::Control, Bytes::from_static(b"c")), Pushed::Taken);
        assert_eq!(outbox.drop_events(), BTreeMap::from([(0, 2), (1, 1)]));
        assert_eq!(take(&outbox), Poll::Ready(Some(Bytes::from_static(b"c"))));
        assert_eq!(outbox.push(event(0, 999), Bytes::from_static(b"x")), Pushed::Taken);
    }

    #[test]
    fn it_is_full_by_bytes_too_but_always_takes_one() {
        let outbox = Outbox::new();
        let huge = Bytes::from(vec![0u8; SOCKET_BYTES_MAX + 1]);
        assert_eq!(outbox.push(event(1, 1), huge), Pushed::Taken);
        assert_eq!(outbox.push(event(1, 2), Bytes::from_static(b"x")), Pushed::Full);
    }

    #[test]
    fn it_tells_once_when_it_runs_empty() {
        let outbox = Outbox::new();
        let told = Arc::new(AtomicU64::new(0));
        let tell = |told: &Arc<AtomicU64>| {
            let told = Arc::clone(told);
            move || {
                told.fetch_add(1, Ordering::SeqCst);
            }
        };
        outbox.push(event(1, 1), Bytes::from_static(b"x"));
        outbox.when_empty(tell(&told));
        assert_eq!(told.load(Ordering::SeqCst), 0);
        assert!(take(&outbox).is_ready());
        assert_eq!(told.load(Ordering::SeqCst), 1);
        outbox.when_empty(tell(&told));
        assert_eq!(told.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn after_the_last_frame_comes_the_end() {
        let outbox = Outbox::new();
        outbox.push(event(1, 1), Bytes::from_static(b"x"));
        outbox.end([Bytes::from_static(b"bye")]);
        assert_eq!(outbox.push(Load::Control, Bytes::from_static(b"late")), Pushed::Gone);
        assert_eq!(take(&outbox), Poll::Ready(Some(Bytes::from_static(b"bye"))));
        assert_eq!(take(&outbox), Poll::Ready(None));
    }
}
