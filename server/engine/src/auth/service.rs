//! Service accounts: users that are programs. Operators make them and their keys; nobody signs in as one.
//!
//! Rules see one like any user, with its roles and claims. That none can be signed in to is kept in one place,
//! [`super::standing::admit`], whatever somebody manages to attach to it.

use super::import::roles_problem;
use super::sign_up::{below_data_all, record};
use super::standing::{self, Standing};
use super::{claims, sql, users_of};
use crate::records::{Gate, Prepared, Right, insert_in};
use crate::{Catalogue, Ctx, Error, admin, limits};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use stead_schema::Value;
use stead_store::{Reader, Row, Tx};
use stead_wire::admin::NewServiceAccount;
use stead_wire::{Code, Instant};

/// Makes one, as the operator `actor` asks: `{id, roles, claims, created_at}`.
///
/// # Errors
/// `field_invalid` with every wrong value; `unique_violation`; `limit_exceeded` when there are too many.
pub(crate) async fn make(cx: &Ctx, actor: String, body: NewServiceAccount) -> Result<Json, Error> {
    let catalogue = cx.project.catalogue();
    let NewServiceAccount { data, roles, claims } = body;
    let roles = roles.unwrap_or_default();
    let mut problems: Vec<_> = roles_problem(&catalogue.schema.app.roles, &roles).into_iter().collect();
    let draft = match record(cx, &catalogue, data) {
        Ok(draft) if problems.is_empty() => draft,
        Err(error) if error.code != Code::FieldInvalid => return Err(error),
        other => {
            problems.extend(other.err().into_iter().flat_map(|error| error.fields));
            return Err(Error::fields(problems));
        }
    };
    let account = Account { draft, roles, claims };
    let job = {
        let (cx, catalogue) = (cx.clone(), Arc::clone(&catalogue));
        async move |tx: &mut Tx<'_>| account.enter(tx, &cx, &catalogue, &actor).await
    };
    cx.project.store().write(job).await
}

struct Account {
    draft: Prepared,
    roles: Vec<String>,
    claims: Map<String, Json>,
}

impl Account {
    async fn enter(
        self,
        tx: &mut Tx<'_>,
        cx: &Ctx,
        catalogue: &Catalogue,
        actor: &str,
    ) -> Result<Json, Error> {
        tx.hold("service accounts").await?;
        let most = limits::SERVICE_ACCOUNTS_MAX;
        if tx.fetch(&sql::SERVICE_ACCOUNTS, &[]).await?.len() >= most {
            let text = format!("There are {most} service accounts already; delete one.");
            return Err(Error::with(Code::LimitExceeded, text));
        }
        let (user, at) = (self.draft.id().to_owned(), cx.now.us());
        let gate = Gate::new(cx, catalogue, &users_of(&catalogue.schema)?.name)?;
        insert_in(tx, gate, self.draft, Right::Caller).await.map_err(below_data_all)?;
        standing::set(tx, &user, Standing::Service, at).await?;
        for role in &self.roles {
            tx.execute(&sql::ADD_ROLE, &[Value::text(&user), Value::text(role)]).await?;
        }
        if !self.claims.is_empty() {
            claims::change(tx, &catalogue.schema.app, &user, &self.claims).await?;
        }
        admin::audit(tx, actor, "users.service", &format!("users/{user}"), at).await?;
        shown(tx, user, at).await
    }
}

/// All of them, oldest first: `{items: [{id, roles, claims, created_at}]}`.
///
/// # Errors
/// When the database fails.
pub(crate) async fn list(cx: &Ctx) -> Result<Json, Error> {
    let job = async |reader: &mut Reader<'_>| {
        let mut items = Vec::new();
        for row in &reader.fetch(&sql::SERVICE_ACCOUNTS, &[]).await? {
            items.push(shown(reader, row.text(0)?.to_owned(), row.int(1)?).await?);
        }
        Ok::<_, Error>(items)
    };
    Ok(json!({ "items": cx.project.store().read(job).await? }))
}

async fn shown(reader: &mut Reader<'_>, user: String, at: i64) -> Result<Json, Error> {
    let rows = reader.fetch(&sql::ROLES_OF, &[Value::text(&user)]).await?;
    let role = |row: &Row| Ok::<_, Error>(row.text(0)?.to_owned());
    let roles = rows.iter().map(role).collect::<Result<Vec<_>, _>>()?;
    let claims = claims::stored(reader, &user).await?;
    Ok(json!({ "id": user, "roles": roles, "claims": claims, "created_at": Instant(at).to_string() }))
}
