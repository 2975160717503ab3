//! What the files hold and should not: L16 secrets.

use super::Finding;
use stead_schema::{AllowedAt, Schema, SecretSource};

pub(super) fn findings(schema: &Schema) -> Vec<Finding> {
    let secrets = schema.app.providers.iter().flat_map(|provider| provider.secrets());
    secrets
        .filter(|secret| matches!(secret.source, SecretSource::Literal(_)))
        .map(|secret| Finding {
            code: "L16",
            at: AllowedAt::App,
            span: secret.span,
            message: "a secret stands in the files of the app".to_owned(),
            help: "write `secret:NAME` and give it to the server as `STEAD_SECRET_NAME`, or in the file of `--secrets`; \
                   whoever can read the files has it now, so make a new one"
                .to_owned(),
        })
        .collect()
}
