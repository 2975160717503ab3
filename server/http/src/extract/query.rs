//! Query parameters, strictly: one that is unknown, sent twice or not of its type is named and refused.
//!
//! Silence would turn a typo in `filter` into a list of everything.

use super::strict;
use crate::answer::Failure;
use actix_web::dev::Payload;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpRequest};
use serde_json::Value;
use std::future::{Ready, ready};
use std::ops::RangeInclusive;
use stead_engine::admin::known_head;
use stead_engine::limits::{CHANGES_PAGE_MAX, CHANGES_WAIT_S_MAX, GROUPS_MAX, PAGE_RECORDS_MAX};
use stead_engine::request_params;
use stead_rules::Named;
use stead_schema::AppSettings;
use stead_wire::admin::ChangesQuery;
use stead_wire::records::{AggregateParams, CreateParams, ListParams, ShowParams};

/// Parameters of a list.
pub struct ListQuery(pub ListParams);

/// Parameters of a create.
pub struct CreateQuery(pub CreateParams);

/// Parameters of a single record.
pub struct ShowQuery(pub ShowParams);

/// Parameters of an aggregate.
pub struct AggregateQuery(pub AggregateParams);

/// Parameters of a consumer's reading.
pub struct Changes(pub ChangesQuery);

/// The head of the audit trail as it was told before.
pub struct KnownHead(pub Option<(i64, String)>);

/// No parameter at all.
pub struct NoQuery;

impl FromRequest for ListQuery {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(list(request.query_string()).map(Self))
    }
}

impl FromRequest for CreateQuery {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(create(request.query_string()).map(Self))
    }
}

impl FromRequest for ShowQuery {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(show(request.query_string()).map(Self))
    }
}

impl FromRequest for AggregateQuery {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(aggregate(request.query_string()).map(Self))
    }
}

impl FromRequest for Changes {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(changes(request.query_string()).map(Self))
    }
}

impl FromRequest for KnownHead {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(head(request.query_string()).map(Self))
    }
}

impl FromRequest for NoQuery {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(pairs(request.query_string(), &[]).map(|_| Self))
    }
}

const LIST: [&str; 9] = ["filter", "p", "q", "sort", "limit", "cursor", "fields", "expand", "count"];
const CREATE: [&str; 1] = ["on_conflict"];
const AGGREGATE: [&str; 11] =
    ["count", "sum", "avg", "min", "max", "group_by", "filter", "p", "sort", "limit", "cursor"];
const CHANGES: [&str; 3] = ["cursor", "limit", "wait"];
const SHOW: [&str; 2] = ["fields", "expand"];

fn list(query: &str) -> Result<ListParams, Failure> {
    let mut params = ListParams::default();
    for (name, value) in pairs(query, &LIST)? {
        match name.as_str() {
            "filter" => params.filter = Some(value),
            "p" => params.p = Some(parameters(value)?),
            "q" => params.q = Some(value),
            "sort" => params.sort = Some(value),
            "limit" => params.limit = Some(limit(&value, PAGE_RECORDS_MAX)?),
            "cursor" => params.cursor = Some(value),
            "fields" => params.fields = Some(value),
            "expand" => params.expand = Some(value),
            _ => params.count = Some(count(value)?),
        }
    }
    Ok(params)
}

fn create(query: &str) -> Result<CreateParams, Failure> {
    let on_conflict = pairs(query, &CREATE)?.into_iter().next().map(|(_, value)| value);
    if on_conflict.as_deref().is_some_and(|on| on.trim().is_empty()) {
        return Err(Failure::bad_request("The parameter `on_conflict` must name `id` or unique fields."));
    }
    Ok(CreateParams { on_conflict })
}

fn aggregate(query: &str) -> Result<AggregateParams, Failure> {
    let mut params = AggregateParams::default();
    for (name, value) in pairs(query, &AGGREGATE)? {
        match name.as_str() {
            "count" => params.count = flag(&name, &value)?,
            "sum" => params.sum = Some(value),
            "avg" => params.avg = Some(value),
            "min" => params.min = Some(value),
            "max" => params.max = Some(value),
            "group_by" => params.group_by = Some(value),
            "filter" => params.filter = Some(value),
            "p" => params.p = Some(parameters(value)?),
            "sort" => params.sort = Some(value),
            "limit" => params.limit = Some(limit(&value, GROUPS_MAX)?),
            _ => params.cursor = Some(value),
        }
    }
    Ok(params)
}

/// `count`, `count=true`; `count=false` is as if it were not there.
fn flag(name: &str, text: &str) -> Result<bool, Failure> {
    match text {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Failure::bad_request(format!("The parameter `{name}` can only be `true` or `false`."))),
    }
}

fn show(query: &str) -> Result<ShowParams, Failure> {
    let mut params = ShowParams::default();
    for (name, value) in pairs(query, &SHOW)? {
        match name.as_str() {
            "fields" => params.fields = Some(value),
            _ => params.expand = Some(value),
        }
    }
    Ok(params)
}

fn changes(query: &str) -> Result<ChangesQuery, Failure> {
    let mut params = ChangesQuery::default();
    for (name, value) in pairs(query, &CHANGES)? {
        match name.as_str() {
            "cursor" => params.cursor = Some(value),
            "limit" => params.limit = Some(limit(&value, CHANGES_PAGE_MAX)?),
            _ => params.wait = Some(number("wait", &value, 0..=CHANGES_WAIT_S_MAX)?),
        }
    }
    Ok(params)
}

fn head(query: &str) -> Result<Option<(i64, String)>, Failure> {
    let head = pairs(query, &["head"])?.into_iter().next();
    head.map(|(_, text)| {
        known_head(&text).map_err(|told| Failure::bad_request(format!("The parameter `head`: {told}.")))
    })
    .transpose()
}

fn limit(text: &str, most: u32) -> Result<u32, Failure> {
    number("limit", text, 1..=most)
}

fn number(name: &str, text: &str, range: RangeInclusive<u32>) -> Result<u32, Failure> {
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        Failure::bad_request(format!("The parameter `{name}` must be a whole number, {least} to {most}."))
    })
}

fn parameters(text: String) -> Result<String, Failure> {
    match strict::parse(text.as_bytes()) {
        Ok(Value::Object(_)) => Ok(text),
        _ => Err(Failure::bad_request("The parameter `p` must be a JSON object.")),
    }
}

fn count(text: String) -> Result<String, Failure> {
    if text == "exact" {
        Ok(text)
    } else {
        Err(Failure::bad_request("The parameter `count` can only be `exact`."))
    }
}

/// Begins the names of parameters that the app declares: `param.share=…` is `request.params.share` in rules. They may
/// stand in every query, so that a link carries them, and a prefix keeps them apart from what the API itself knows.
const DECLARED: &str = "param.";

/// The parameters that the app declares.
///
/// # Errors
/// `bad_request` for one that is not declared, sent twice or not of its type.
pub fn declared(query: &str, app: &AppSettings) -> Result<Named, Failure> {
    // Most requests have none, and need not be taken apart for that. An escape may stand for any letter.
    if !query.contains("param.") && !query.contains('%') {
        return Ok(Named::default());
    }
    let pairs = all(query)?;
    let sent = pairs.iter().filter_map(|(name, text)| Some((name.strip_prefix(DECLARED)?, text.as_str())));
    Ok(request_params::from_query(app, sent)?)
}

pub(super) fn all(query: &str) -> Result<Vec<(String, String)>, Failure> {
    Query::<Vec<(String, String)>>::from_query(query)
        .map(Query::into_inner)
        .map_err(|_| Failure::bad_request("The query is not made of `name=value` pairs."))
}

/// Names and values, each name known and at most once; without those that the app declares.
pub(super) fn pairs(query: &str, known: &[&str]) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs = all(query)?;
    pairs.retain(|(name, _)| !name.starts_with(DECLARED));
    let mut seen: Vec<&str> = Vec::with_capacity(pairs.len().min(known.len()));
    for (name, _) in &pairs {
        if !known.contains(&name.as_str()) {
            let shown: String = name.chars().take(64).collect();
            let mut failure = Failure::bad_request(format!("There is no parameter `{shown}` here."));
            if !known.is_empty() {
                failure.error.hint = Some(format!("Known are: {}.", known.join(", ")));
            }
            return Err(failure);
        }
        if seen.contains(&name.as_str()) {
            return Err(Failure::bad_request(format!("The parameter `{name}` may be sent once.")));
        }
        seen.push(name);
    }
    Ok(pairs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let params = list("filter=a+%3D%3D+%22%C3%A9%22&limit=500&count=exact&sort=-created_at").unwrap();
        assert_eq!(params.filter.as_deref(), Some("a == \"é\""));
        assert_eq!((params.limit, params.count.as_deref()), (Some(500), Some("exact")));
        assert_eq!(list("").unwrap(), ListParams::default());
        assert_eq!(show("fields=id,title").unwrap().fields.as_deref(), Some("id,title"));
    }

    #[test]
    fn an_aggregate_counts_with_or_without_a_value() {
        for (query, wanted) in
            [("count", true), ("count=", true), ("count=true", true), ("count=false", false)]
        {
            assert_eq!(aggregate(query).unwrap().count, wanted, "{query}");
        }
        let params = aggregate("sum=a,b&group_by=c&limit=1000&sort=-sum.a").unwrap();
        assert_eq!((params.sum.as_deref(), params.limit), (Some("a,b"), Some(1000)));
        for query in ["count=exact", "limit=1001", "fields=a", "sum=a&sum=b"] {
            assert!(aggregate(query).is_err(), "{query}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, named) in [
            ("filtr=x", "`filtr`"),
            ("limit=0", "`limit`"),
            ("limit=501", "`limit`"),
            ("limit=ten", "`limit`"),
            ("limit=", "`limit`"),
            ("count=true", "`count`"),
            ("p=[1]", "`p`"),
            ("p={", "`p`"),
            ("p={\"a\":1,\"a\":2}", "`p`"),
            ("sort=a&sort=b", "`sort`"),
        ] {
            let failure = list(query).unwrap_err();
            assert_eq!(failure.error.code.as_str(), "bad_request", "{query}");
            assert!(failure.error.detail.clone().unwrap().contains(named), "{query}: {failure}");
        }
        for query in ["on_conflict=", "on_conflict=%20", "on_conflict=a&on_conflict=b", "on=sku"] {
            assert_eq!(create(query).unwrap_err().error.code.as_str(), "bad_request", "{query}");
        }
        assert_eq!(create("on_conflict=a,b").unwrap().on_conflict.as_deref(), Some("a,b"));
        assert!(show("filter=x").is_err(), "a single record takes no filter");
    }

    #[test]
    fn declared_parameters_stand_beside_those_of_the_api() {
        let text = "auth: {request_params: {share: text}}\n";
        let app =
            stead_schema::load(vec![stead_schema::SourceFile { path: "app.yaml".into(), text: text.into() }])
                .unwrap()
                .app;
        for query in
            ["param.share=a%26b&limit=5", "limit=5&%70aram.share=a%26b", "param%2Eshare=a%26b&limit=5"]
        {
            let params = declared(query, &app).unwrap();
            assert_eq!(params.get("share").and_then(|v| v.as_text()), Some("a&b"), "{query}");
            assert_eq!(list(query).unwrap().limit, Some(5), "{query}");
        }
        assert!(declared("limit=5&filter=a%3D1", &app).unwrap().is_empty());
        for query in ["param.shaer=x", "param.share=a&param.share=b", "%70aram.x=1", "param.=1"] {
            assert_eq!(declared(query, &app).unwrap_err().error.code.as_str(), "bad_request", "{query}");
        }
        assert!(list("params.share=x").is_err(), "only one spelling");
    }
}
