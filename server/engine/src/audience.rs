//! Who may do something with a record, for the people who run the server: its rules solved for their caller.
//!
//! It asks the database for the users, one statement per alternative of the rules, and never goes through them one by one
//! unless the rules cannot be turned round. Nothing here decides about a request.

#[cfg(test)]
mod tests;

use crate::{Error, Project, auth};
use std::collections::BTreeMap;
use stead_rules::audience::{Audience, Clause, NoAnchor, solved};
use stead_rules::filter::SortKey;
use stead_rules::print::{Names, print};
use stead_rules::{AuthFacts, CollectionRules, Expr, Facts, Lowered, RequestFacts, Rule, lower};
use stead_schema::{Collection, Schema, Slot, Value};
use stead_store::{Reader, Select};
use stead_wire::Code;

/// Most users that are named.
pub const USERS_MAX: u32 = 10_000;

/// What they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Find it in a list.
    List,
    /// Read it.
    Read,
    /// Change something of it; what it would become is not looked at.
    Update,
    /// Remove it.
    Delete,
}

impl Deed {
    /// As rules call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The rules that must all allow, each with what it is asked for. What may not be read cannot be changed.
    fn rules(self, rules: &CollectionRules) -> Vec<(&Rule, &'static str)> {
        match self {
            Self::List => vec![(&rules.list, "list")],
            Self::Read => vec![(&rules.read, "read")],
            Self::Update => vec![(&rules.read, "read"), (&rules.update_before, "update")],
            Self::Delete => vec![(&rules.read, "read"), (&rules.delete, "delete")],
        }
    }
}

/// Whose sessions count.
#[derive(Debug, Clone, Copy)]
pub enum People<'p> {
    /// The users, each with the roles that are stored.
    Stored,
    /// The identities of a test file by name, and users whom none of them stands for.
    Given(&'p BTreeMap<String, Option<AuthFacts>>),
}

/// Who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whether those may who are not signed in.
    pub guests: bool,
    /// Whether an alternative asks nothing of its caller, so that everybody may.
    pub everybody: bool,
    /// Users in order of alternatives, then of ids.
    pub users: Vec<Seer>,
    /// The alternatives of the rules, as text.
    pub clauses: Vec<String>,
    /// Why there are none, so that each user was asked.
    pub untied: Option<String>,
    /// There may be more users than [`USERS_MAX`].
    pub cut: bool,
}

/// A user who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seer {
    /// The user's id.
    pub id: String,
    /// The identity's name, where there are some.
    pub name: Option<String>,
    /// Place in [`Seen::clauses`] of the first alternative that lets the user.
    pub clause: Option<usize>,
}

/// Who may do something with a record.
///
/// # Errors
/// `collection_not_found`, `record_not_found`, or when the database fails.
pub async fn who(
    project: &Project,
    deed: Deed,
    collection: &str,
    id: &str,
    people: People<'_>,
) -> Result<Seen, Error> {
    let catalogue = project.catalogue();
    let now = project.now().us();
    let schema = &*catalogue.schema;
    let (asked, rules) = catalogue.collection(collection)?;
    let rules = deed.rules(rules);
    let job = async |reader: &mut Reader<'_>| {
        let record = reader.find(asked, id).await?.ok_or_else(|| Error::new(Code::RecordNotFound))?;
        let mut asking = Asking { reader, schema, people, record: &record, now };
        asking.all(asked, &rules).await
    };
    project.store().snapshot(job).await
}

/// A session, and the name of whoever has it.
type Session = (Option<String>, AuthFacts);

struct Asking<'a, 'r> {
    reader: &'a mut Reader<'r>,
    schema: &'a Schema,
    people: People<'a>,
    record: &'a [Value],
    now: i64,
}

impl Asking<'_, '_> {
    async fn all(&mut self, collection: &Collection, rules: &[(&Rule, &'static str)]) -> Result<Seen, Error> {
        let mut seen = Seen {
            guests: self.allow(rules, None).await?,
            everybody: false,
            users: Vec::new(),
            clauses: Vec::new(),
            untied: None,
            cut: false,
        };
        match (solved(self.schema, rules), self.schema.users()) {
            (Ok(plan), Some(users)) => self.planned(&plan, collection, users, &mut seen).await?,
            (Err(NoAnchor::NoUsers), _) | (_, None) => {}
            (Err(reason), Some(users)) => {
                seen.untied = Some(reason.to_string());
                self.one_by_one(rules, users, &mut seen).await?;
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
                Lowered::Allow => {
                    seen.everybody |= seen.guests && !clause.asks_session();
                    self.users(users, &[]).await?
                }
                Lowered::Ask(left) => self.users(users, &[&left.expr]).await?,
            };
            seen.cut |= u32::try_from(candidates.len()).is_ok_and(|count| count >= USERS_MAX);
            for user in candidates {
                for (name, facts) in self.sessions(&user).await? {
                    let known = |seer: &Seer| *seer.id == *facts.id && seer.name == name;
                    if seen.users.iter().any(known) || !self.meets(clause, &facts, &user).await? {
                        continue;
                    }
                    seen.users.push(Seer { id: facts.id.to_string(), name, clause: Some(number) });
                }
            }
        }
        Ok(())
    }

    async fn meets(&mut self, clause: &Clause, facts: &AuthFacts, user: &[Value]) -> Result<bool, Error> {
        self.decide(clause.remaining(self.record, self.now, facts, user)).await
    }

    async fn one_by_one(
        &mut self,
        rules: &[(&Rule, &'static str)],
        users: &Collection,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let everybody = self.users(users, &[]).await?;
        seen.cut = u32::try_from(everybody.len()).is_ok_and(|count| count >= USERS_MAX);
        for user in everybody {
            for (name, facts) in self.sessions(&user).await? {
                if self.allow(rules, Some(&facts)).await? {
                    seen.users.push(Seer { id: facts.id.to_string(), name, clause: None });
                }
            }
        }
        Ok(())
    }

    async fn allow(
        &mut self,
        rules: &[(&Rule, &'static str)],
        auth: Option<&AuthFacts>,
    ) -> Result<bool, Error> {
        for (rule, op) in rules {
            let request = RequestFacts { op, ..RequestFacts::default() };
            let row = Some(self.record);
            let facts = Facts { auth, request: &request, now: self.now, next: None, row, pinned: &[] };
            if !self.decide(lower(rule, &facts)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn decide(&mut self, lowered: Lowered) -> Result<bool, Error> {
        match lowered {
            Lowered::Allow => Ok(true),
            Lowered::Deny => Ok(false),
            Lowered::Ask(left) => Ok(self.reader.holds(&left.expr, None).await?),
        }
    }

    /// The sessions that a user may have.
    async fn sessions(&mut self, user: &[Value]) -> Result<Vec<Session>, Error> {
        let stored = auth::facts_of(self.reader, self.schema, user, self.now).await?;
        let People::Given(identities) = self.people else { return Ok(vec![(None, stored)]) };
        let own = |(name, facts): (&String, &Option<AuthFacts>)| {
            let facts = facts.clone().filter(|facts| facts.id == stored.id)?;
            Some((Some(name.clone()), facts))
        };
        let named: Vec<Session> = identities.iter().filter_map(own).collect();
        Ok(if named.is_empty() { vec![(None, stored)] } else { named })
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
