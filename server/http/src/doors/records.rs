//! Records of collections.

use crate::answer::{self, Answer};
use crate::extract::query::NoQuery;
use crate::extract::{AggregateQuery, CreateQuery, Cx, IfMatch, IfNoneMatch, Keyed, ListQuery, ShowQuery};
use actix_web::HttpResponse;
use actix_web::http::header::ETAG;
use actix_web::web::Path;
use serde_json::{Map, Value};
use stead_engine::records::{self, Mode};

type Record = Path<(String, String)>;
type Fields = Keyed<Map<String, Value>>;

/// GET /collections/{collection}/records
pub(crate) async fn list(cx: Cx, collection: Path<String>, query: ListQuery) -> Answer {
    Ok(answer::json(records::list(&cx, &collection, &query.0).await?))
}

/// GET /collections/{collection}/aggregate
pub(crate) async fn aggregate(cx: Cx, collection: Path<String>, query: AggregateQuery) -> Answer {
    Ok(answer::json(records::aggregate(&cx, &collection, &query.0).await?))
}

/// POST /collections/{collection}/records
pub(crate) async fn create(
    cx: Cx,
    collection: Path<String>,
    query: CreateQuery,
    Keyed { body, key }: Fields,
) -> Answer {
    let Some(on) = query.0.on_conflict else {
        return Ok(answer::created(&collection, records::create(&cx, &collection, body, key).await?));
    };
    let on = on.split(',').map(|name| name.trim().to_owned()).collect();
    let answer = records::upsert(&cx, &collection, on, body, key).await?;
    Ok(if answer.created { answer::created(&collection, answer) } else { answer::record(answer) })
}

/// GET /collections/{collection}/records/{id}
pub(crate) async fn get(cx: Cx, at: Record, query: ShowQuery, held: IfNoneMatch) -> Answer {
    let (collection, id) = at.into_inner();
    let found = records::get(&cx, &collection, &id, &query.0).await?;
    let tag = answer::etag(found.version);
    // A browser keeps answers by their address, whoever asked: what one caller saw must not be told another to be his.
    if found.lasting && held.holds(&tag) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, tag)).finish());
    }
    Ok(answer::record(found))
}

/// PATCH /collections/{collection}/records/{id}
pub(crate) async fn merge(cx: Cx, at: Record, _: NoQuery, if_match: IfMatch, fields: Fields) -> Answer {
    change(cx, at, Mode::Merge, if_match, fields).await
}

/// PUT /collections/{collection}/records/{id}
pub(crate) async fn replace(cx: Cx, at: Record, _: NoQuery, if_match: IfMatch, fields: Fields) -> Answer {
    change(cx, at, Mode::Replace, if_match, fields).await
}

async fn change(cx: Cx, at: Record, mode: Mode, if_match: IfMatch, Keyed { body, key }: Fields) -> Answer {
    let (collection, id) = at.into_inner();
    Ok(answer::record(records::update(&cx, &collection, &id, mode, body, if_match.0, key).await?))
}

/// DELETE /collections/{collection}/records/{id}
pub(crate) async fn delete(cx: Cx, at: Record, _: NoQuery, if_match: IfMatch, keyed: Keyed<()>) -> Answer {
    let (collection, id) = at.into_inner();
    Ok(answer::deleted(&records::delete(&cx, &collection, &id, if_match.0, keyed.key).await?))
}
