//! The doors: one file per feature, one function per call, a few lines each.
//!
//! A door calls one function of the engine and dresses its answer. It never branches on a business rule.

pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod auth_page;
pub(crate) mod batch;
pub(crate) mod discovery;
pub(crate) mod factors;
pub(crate) mod health;
pub(crate) mod passkeys;
pub(crate) mod records;
pub(crate) mod site;
pub(crate) mod social;
