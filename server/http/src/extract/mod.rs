//! What a door is handed: who asks, the body, the query, conditions. Everything is checked here once.
//!
//! A door never looks at a raw request. What is wrong with one ends as a `Failure` before the door is called.

pub mod body;
pub mod caller;
pub mod condition;
pub mod cookie;
pub mod oauth;
pub mod query;
pub mod shape;
pub mod strict;

pub use body::{Body, BodyOrDefault, Keyed, Patch};
pub use caller::{Cx, Nobody, SignInAttempt};
pub use condition::{IfMatch, IfNoneMatch};
pub use query::{AggregateQuery, CreateQuery, ListQuery, ShowQuery};

use crate::answer::Failure;
use crate::state::State;
use actix_web::{HttpRequest, web};

/// The state a request was made to.
pub(crate) fn state(request: &HttpRequest) -> Result<web::Data<State>, Failure> {
    request
        .app_data::<web::Data<State>>()
        .cloned()
        .ok_or_else(|| stead_engine::Error::internal("the application has no state").into())
}
