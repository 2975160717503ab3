//! Several operations, all or nothing.

use crate::answer::{self, Answer};
use crate::extract::query::NoQuery;
use crate::extract::{Body, Cx, Keyed};
use stead_engine::records;
use stead_wire::records::Batch;

/// POST /batch
pub(crate) async fn run(cx: Cx, _: NoQuery, Keyed { body: Body(batch), key }: Keyed<Body<Batch>>) -> Answer {
    Ok(answer::batch(records::batch(&cx, batch, key).await?))
}
