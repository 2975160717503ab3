//! Why the rules say what they say, for operators.

mod hearing;

pub(crate) use hearing::{Asker, Heard, Hearing, Unheard};
