//! The hub's counters as Prometheus text.

use crate::metrics::{counted, gauge};
use stead_engine::realtime::Stats;

/// Appends what the hub holds and did.
pub(crate) fn write(stats: &Stats, out: &mut String) {
    let gauges = [
        ("stead_realtime_connections", "Open sockets.", stats.connections),
        ("stead_realtime_subscriptions", "Subscriptions.", stats.subscriptions),
        ("stead_realtime_groups", "Distinct views that subscribers share.", stats.groups),
        ("stead_realtime_position", "Position of the log up to which changes were told.", stats.position),
    ];
    let counters = [
        ("stead_realtime_changes_total", "Changes read from the log.", stats.changes),
        ("stead_realtime_evaluations_total", "Predicates judged for a record.", stats.evaluations),
        ("stead_realtime_lookups_total", "Questions that went to the database.", stats.lookups),
        ("stead_realtime_deliveries_total", "Event frames handed to connections.", stats.deliveries),
        ("stead_realtime_lags_total", "Times a client fell behind.", stats.lags),
        ("stead_realtime_resyncs_total", "Subscriptions told to begin anew.", stats.resyncs),
        ("stead_realtime_resumes_total", "Subscriptions resumed by cursor.", stats.resumes),
        ("stead_realtime_snapshots_total", "Subscriptions begun with a snapshot.", stats.snapshots),
        ("stead_realtime_closes_total", "Connections closed by the server.", stats.closes),
    ];
    for (name, help, value) in gauges {
        gauge(out, name, help, value);
    }
    for (name, help, value) in counters {
        counted(out, name, help, value);
    }
}
