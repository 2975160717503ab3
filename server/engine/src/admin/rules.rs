//! What operators ask of the rules: explanations on real records, and test files on records of their own.

use super::operator;
use crate::explain::{self, Explanation, Question};
use crate::scopes::Area;
use crate::{Ctx, Error, rule_tests};
use serde_json::Value as Json;
use stead_schema::SourceFile;
use stead_wire::Code;

/// Most bytes of a test file that is sent. A case costs a few milliseconds, and each that writes a database of its own.
const TEST_BYTES_MAX: usize = 64 * 1024;

/// Explains what the rules say to a question; see [`explain::explain`].
///
/// # Errors
/// `token_required`, `forbidden`, and those of [`explain::explain`].
pub async fn explain_rules(cx: &Ctx, question: &Question) -> Result<Explanation, Error> {
    operator(cx, Area::Rules)?;
    explain::explain(&cx.project, question).await
}

/// Runs a test file against the app as it runs now; the report as JSON. The project's own records are not touched.
///
/// # Errors
/// `token_required`, `forbidden`, `limit_exceeded` for a file that is too long, `store_busy` while another runs.
pub async fn test_rules(cx: &Ctx, text: String) -> Result<Json, Error> {
    operator(cx, Area::Rules)?;
    if text.len() > TEST_BYTES_MAX {
        let detail = format!("A test file that is sent has at most {TEST_BYTES_MAX} bytes.");
        return Err(Error::with(Code::LimitExceeded, detail));
    }
    let busy = || Error::with(Code::StoreBusy, "Another test runs.").retry_after_ms(1000);
    let _turn = cx.project.testing().try_lock().map_err(|_| busy())?;
    let catalogue = cx.project.catalogue();
    let report = rule_tests::run(&catalogue, vec![SourceFile { path: "test.yaml".to_owned(), text }]).await?;
    Ok(report.json(&catalogue.schema.sources))
}
