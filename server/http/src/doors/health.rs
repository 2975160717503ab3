//! Whether the server lives, whether it can work, and its counters.

use crate::answer::{self, Answer, Failure};
use crate::extract::Cx;
use crate::metrics::{by_consumer, counted, gauge};
use crate::socket;
use crate::state::State;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};
use serde_json::json;
use std::sync::atomic::Ordering;
use stead_engine::scopes::Area;
use stead_engine::{Caller, admin};
use stead_wire::Code;

/// GET /healthz: the process answers.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

/// GET /readyz: requests can be answered, writes included.
pub(crate) async fn ready(state: web::Data<State>) -> Answer {
    if state.draining() {
        return Err(Failure::new(Code::ShuttingDown));
    }
    if !state.project.store().ready() {
        return Err(Failure::with(Code::StoreBusy, "The database takes no writes now."));
    }
    if !state.project.hub().keeps_up(state.project.now()) {
        return Err(Failure::with(Code::StoreBusy, "Subscribers are not told of changes in time."));
    }
    answer::value(&json!({"status": "ready"}))
}

/// GET /metrics: for operators.
pub(crate) async fn metrics(cx: Cx, state: web::Data<State>) -> Answer {
    if !cx.caller.may_operate(Area::Metrics) {
        return Err(match cx.caller {
            Caller::User(_) | Caller::Operator(_) => {
                Failure::with(Code::Forbidden, "Metrics are for operators.")
            }
            Caller::Anonymous => {
                Failure::with(Code::TokenRequired, "Metrics are for operators; send an operator's token.")
            }
        });
    }
    let mut text = String::with_capacity(4096);
    state.metrics.write_to(&mut text);
    let in_flight = state.in_flight.load(Ordering::Relaxed);
    gauge(&mut text, "stead_http_requests_in_flight", "Requests being answered.", in_flight);
    gauge(&mut text, "stead_uptime_seconds", "Time since the start.", state.started.elapsed().as_secs());
    gauge(&mut text, "stead_ready", "Whether writes are taken.", u8::from(cx.project.store().ready()));
    gauge(
        &mut text,
        "stead_log_head",
        "Newest position of the change log.",
        *cx.project.store().log().head().borrow(),
    );
    gauge(
        &mut text,
        "stead_nodes",
        "Servers that live on this database.",
        cx.project.store().nodes().len().max(1),
    );
    consumers(&cx, &mut text).await;
    let filters = cx.project.catalogue().filter_stats();
    gauge(&mut text, "stead_filters_kept", "Filters in memory, of this version of the app.", filters.kept);
    counted(&mut text, "stead_filters_read_total", "Filters that were read and checked.", filters.read);
    counted(&mut text, "stead_filters_found_total", "Filters that were found in memory.", filters.found);
    let mails = cx.project.mail().stats();
    counted(&mut text, "stead_mails_sent_total", "Mails handed over.", mails.sent);
    counted(&mut text, "stead_mails_failed_total", "Mails given up.", mails.failed);
    gauge(&mut text, "stead_mails_waiting", "Mails in the queue of all servers.", mails.waiting);
    socket::metrics::write(&cx.project.hub().stats(), &mut text);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(text))
}

/// How far each consumer is behind, and whether the log has gone on without it.
async fn consumers(cx: &Cx, text: &mut String) {
    // While the database is away, the other numbers are wanted all the more.
    let Ok(found) = admin::all_consumers(cx).await else { return };
    let head = *cx.project.store().log().head().borrow();
    let behind = found.iter().map(|one| (one.name.as_str(), head.saturating_sub(one.position)));
    by_consumer(text, "stead_consumer_behind", "Changes that a consumer has not acknowledged.", behind);
    let lost = found.iter().map(|one| (one.name.as_str(), u64::from(one.lost.is_some())));
    by_consumer(text, "stead_consumer_lost", "Whether the log waits for a consumer no longer.", lost);
}
