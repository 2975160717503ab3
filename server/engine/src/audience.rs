//! Who may see a record, for the people who run the server: the read rule solved for its caller.
//!
//! It asks the database for the users, one statement per alternative of the rule, and never goes through them one by one
//! unless the rule cannot be turned round. Nothing here decides about a request.

use crate::{Error, Project, auth};
use stead_rules::audience::{Audience, Clause, audience};
use stead_rules::filter::SortKey;
use stead_rules::print::{Names, print};
use stead_rules::{AuthFacts, Expr, Facts, Lowered, RequestFacts, Rule, lower};
use stead_schema::{Collection, Schema, Slot, Value};
use stead_store::{Reader, Select};
use stead_wire::Code;

/// Most users that are named.
pub const USERS_MAX: u32 = 10_000;

/// Who may see a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whether everybody may, without signing in.
    pub guests: bool,
    /// Users in order of alternatives, then of ids.
    pub users: Vec<Seer>,
    /// The alternatives of the rule, as text.
    pub clauses: Vec<String>,
    /// Why the rule has none, so that each user was asked.
    pub untied: Option<String>,
    /// There may be more users than [`USERS_MAX`].
    pub cut: bool,
}

/// A user who may see a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seer {
    /// The user's id.
    pub id: String,
    /// Place in [`Seen::clauses`] of the first alternative that lets the user.
    pub clause: Option<usize>,
}

/// Who may read a record.
///
/// # Errors
/// `collection_not_found`, `record_not_found`, or when the database fails.
pub async fn who(project: &Project, collection: &str, id: &str) -> Result<Seen, Error> {
    let catalogue = project.catalogue();
    let now = project.now().us();
    let schema = &*catalogue.schema;
    let asked = schema.collection(collection).ok_or_else(|| Error::new(Code::CollectionNotFound))?;
    let rules = catalogue.rules.of(asked.id).ok_or_else(|| Error::new(Code::CollectionNotFound))?;
    let job = async |reader: &mut Reader<'_>| {
        let record = reader.find(asked, id).await?.ok_or_else(|| Error::new(Code::RecordNotFound))?;
        let mut asking = Asking { reader, schema, record: &record, now };
        asking.all(asked, &rules.read).await
    };
    project.store().snapshot(job).await
}

struct Asking<'a, 'r> {
    reader: &'a mut Reader<'r>,
    schema: &'a Schema,
    record: &'a [Value],
    now: i64,
}

impl Asking<'_, '_> {
    async fn all(&mut self, collection: &Collection, rule: &Rule) -> Result<Seen, Error> {
        let guests = self.allows(rule, None).await?;
        let mut seen = Seen { guests, users: Vec::new(), clauses: Vec::new(), untied: None, cut: false };
        let Some(users) = self.schema.users() else { return Ok(seen) };
        match audience(self.schema, rule) {
            Ok(plan) => self.planned(&plan, collection, users, &mut seen).await?,
            Err(reason) => {
                seen.untied = Some(reason.to_string());
                self.one_by_one(rule, users, &mut seen).await?;
            }
        }
        Ok(seen)
    }

    async fn planned(
        &mut self,
        plan: &Audience,
        collection: &Collection,
        users: &Collection,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let names = Names { row: (users.id, "auth"), next: (collection.id, "resource") };
        for (number, clause) in plan.clauses.iter().enumerate() {
            seen.clauses.push(shown(clause, self.schema, names));
            let candidates = match clause.candidates(self.record, self.now) {
                Lowered::Deny => continue,
                Lowered::Allow => self.users(users, &[]).await?,
                Lowered::Ask(left) => self.users(users, &[&left.expr]).await?,
            };
            seen.cut |= u32::try_from(candidates.len()).is_ok_and(|count| count >= USERS_MAX);
            for user in candidates {
                let facts = auth::facts_of(self.reader, users, &user).await?;
                let known = seen.users.iter().any(|seer| *seer.id == *facts.id);
                if known || !self.meets(clause, &facts, &user).await? {
                    continue;
                }
                seen.users.push(Seer { id: facts.id.to_string(), clause: Some(number) });
            }
        }
        Ok(())
    }

    async fn meets(&mut self, clause: &Clause, facts: &AuthFacts, user: &[Value]) -> Result<bool, Error> {
        match clause.remaining(self.record, self.now, facts, user) {
            Lowered::Allow => Ok(true),
            Lowered::Deny => Ok(false),
            Lowered::Ask(left) => Ok(self.reader.holds(&left.expr, None).await?),
        }
    }

    async fn one_by_one(&mut self, rule: &Rule, users: &Collection, seen: &mut Seen) -> Result<(), Error> {
        let everybody = self.users(users, &[]).await?;
        seen.cut = u32::try_from(everybody.len()).is_ok_and(|count| count >= USERS_MAX);
        for user in everybody {
            let facts = auth::facts_of(self.reader, users, &user).await?;
            if self.allows(rule, Some(&facts)).await? {
                seen.users.push(Seer { id: facts.id.to_string(), clause: None });
            }
        }
        Ok(())
    }

    async fn allows(&mut self, rule: &Rule, auth: Option<&AuthFacts>) -> Result<bool, Error> {
        let request = RequestFacts { op: "read", ..RequestFacts::default() };
        let facts =
            Facts { auth, request: &request, now: self.now, next: None, row: Some(self.record), pinned: &[] };
        match lower(rule, &facts) {
            Lowered::Allow => Ok(true),
            Lowered::Deny => Ok(false),
            Lowered::Ask(left) => Ok(self.reader.holds(&left.expr, None).await?),
        }
    }

    async fn users(
        &mut self,
        users: &Collection,
        predicates: &[&Expr],
    ) -> Result<Vec<std::sync::Arc<[Value]>>, Error> {
        let sort = [SortKey { slot: Slot::ID, descending: false }];
        let select = Select {
            collection: users,
            predicates,
            masks: &[],
            words: None,
            sort: &sort,
            after: None,
            limit: USERS_MAX,
        };
        Ok(self.reader.select(&select).await?.into_iter().map(|shown| shown.row).collect())
    }
}

fn shown(clause: &Clause, schema: &Schema, names: Names) -> String {
    if clause.atoms.is_empty() {
        return "every user".to_owned();
    }
    clause.atoms.iter().map(|atom| print(&atom.expr, schema, names)).collect::<Vec<_>>().join(" && ")
}
