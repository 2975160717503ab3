//! Whose account somebody from a provider enters: the rules of linking.
//!
//! An identity is an issuer and a subject, never an address. An address counts only if the provider gives out such addresses
//! and says that it was proven; then whoever had the account before without proof of that address has nothing more.

use super::profile::Profile;
use crate::auth::entrance::{self, Entrance};
use crate::auth::prove::{self, Proven};
use crate::auth::{Email, may_sign_up, sql, users, users_of};
use crate::records::{Gate, Making, Prepared, Right, insert_in, prepare};
use crate::{Ctx, Error, admin};
use serde_json::{Map, Value as Json};
use stead_schema::{Collection, Value};
use stead_store::Tx;
use stead_wire::Code;

/// What a provider's word about an address is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// There is no address.
    Absent,
    /// Anybody may have claimed it there.
    Claim,
    /// It is proven, by somebody who may say so.
    Proof,
}

/// Whose address it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Nobody,
    /// An account that never proved it.
    Unproven,
    Proven,
}

/// What becomes of somebody at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Enters the account that has the identity.
    Enter,
    /// Gets a new account.
    SignUp {
        verified: bool,
    },
    /// Gets the identity added to the account that has the address.
    Link,
    /// The same, after everything that let its holder of before in was taken away.
    Reclaim,
    Refuse(Code),
}

/// The rules. `known` says whether an account has the identity.
pub(super) fn judge(known: bool, word: Word, owner: Owner) -> Verdict {
    match (known, word, owner) {
        (true, _, _) => Verdict::Enter,
        (false, Word::Absent, _) => Verdict::Refuse(Code::AddressMissing),
        (false, Word::Claim, Owner::Nobody) => Verdict::SignUp { verified: false },
        (false, Word::Claim, Owner::Unproven | Owner::Proven) => Verdict::Refuse(Code::AddressTaken),
        (false, Word::Proof, Owner::Nobody) => Verdict::SignUp { verified: true },
        (false, Word::Proof, Owner::Unproven) => Verdict::Reclaim,
        (false, Word::Proof, Owner::Proven) => Verdict::Link,
    }
}

/// Somebody who was let in.
pub(super) struct Entered {
    pub(super) user: String,
    pub(super) entered: entrance::Entered,
}

/// Lets somebody into the account that is theirs.
///
/// # Errors
/// `address_missing`, `address_taken`, `forbidden` when sign-up is closed, `field_invalid`; `unique_violation` when somebody
/// took the address meanwhile.
pub(super) async fn enter(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    profile: &Profile,
    invitation: Option<&str>,
    entrance: &Entrance,
) -> Result<Entered, Error> {
    let catalogue = cx.project.catalogue();
    let people = users_of(&catalogue.schema)?;
    tx.hold(&format!("identity {} {}", profile.issuer, profile.subject)).await?;
    let email = profile.email.as_deref().and_then(Email::parse);
    if let Some(email) = &email {
        tx.hold(&format!("address {}", email.canonical)).await?;
    }
    let known = first_text(tx, &sql::IDENTITY, &[&profile.issuer, &profile.subject]).await?;
    let holder = match &email {
        Some(email) => first_text(tx, &sql::USER_BY_EMAIL, &[&email.canonical]).await?,
        None => None,
    };
    let owner = match &holder {
        None => Owner::Nobody,
        Some(user) if verified(tx, people, user).await? => Owner::Proven,
        Some(_) => Owner::Unproven,
    };
    let verdict = judge(known.is_some(), word(profile, email.as_ref()), owner);
    let at_door = Door { cx, people, profile, invitation };
    let mut ended = Vec::new();
    let user = match (verdict, known, holder, email) {
        (Verdict::Enter, Some(user), ..) => at_door.used(tx, user).await?,
        (Verdict::SignUp { verified }, _, _, Some(email)) => at_door.sign_up(tx, &email, verified).await?,
        (Verdict::Link, _, Some(user), _) => at_door.add(tx, user).await?,
        (Verdict::Reclaim, _, Some(user), _) => {
            ended = prove::address(tx, &catalogue, &user, Proven::ByMail, cx.now).await?;
            at_door.add(tx, user).await?
        }
        (Verdict::Refuse(code), ..) => return Err(refused(code)),
        _ => return Err(Error::internal("a verdict does not fit what it was made from")),
    };
    let entered = entrance.enter(tx, cx, &user).await?.with_ended(ended);
    Ok(Entered { user, entered })
}

/// The address that a provider may vouch for, and does.
pub(super) fn proven_address(profile: &Profile) -> Option<Email> {
    let email = profile.email.as_deref().and_then(Email::parse)?;
    (word(profile, Some(&email)) == Word::Proof).then_some(email)
}

fn word(profile: &Profile, email: Option<&Email>) -> Word {
    match email {
        None => Word::Absent,
        Some(_) if profile.verified && profile.authoritative => Word::Proof,
        Some(_) => Word::Claim,
    }
}

fn refused(code: Code) -> Error {
    let error = Error::new(code);
    match code {
        Code::AddressTaken => {
            error.hint("Sign in to that account as before, and add the provider there (`POST /auth/identities/{provider}/link`).")
        }
        _ => error.hint("Allow the provider to tell the address, or sign up in another way."),
    }
}

async fn first_text(
    tx: &mut Tx<'_>,
    sql: &stead_store::Sql,
    params: &[&str],
) -> Result<Option<String>, Error> {
    let params: Vec<Value> = params.iter().map(|text| Value::text(*text)).collect();
    let rows = tx.fetch(sql, &params).await?;
    rows.first().map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

async fn verified(tx: &mut Tx<'_>, people: &Collection, user: &str) -> Result<bool, Error> {
    let Some(record) = tx.find(people, user).await? else { return Ok(false) };
    let slot = people.field("verified").map(|(slot, _)| slot.index());
    Ok(slot.and_then(|slot| record.get(slot)) == Some(&Value::Bool(true)))
}

/// Somebody from a provider, and the people of the app.
struct Door<'a> {
    cx: &'a Ctx,
    people: &'a Collection,
    profile: &'a Profile,
    /// What somebody new brought along.
    invitation: Option<&'a str>,
}

impl Door<'_> {
    async fn used(&self, tx: &mut Tx<'_>, user: String) -> Result<String, Error> {
        let params = [
            Value::text(&self.profile.issuer),
            Value::text(&self.profile.subject),
            Value::Int(self.cx.now.us()),
        ];
        tx.execute(&sql::USE_IDENTITY, &params).await?;
        Ok(user)
    }

    /// Adds the identity to an account.
    async fn add(&self, tx: &mut Tx<'_>, user: String) -> Result<String, Error> {
        insert_identity(tx, self.cx, self.profile, &user).await?;
        Ok(user)
    }

    async fn sign_up(&self, tx: &mut Tx<'_>, email: &Email, verified: bool) -> Result<String, Error> {
        let catalogue = self.cx.project.catalogue();
        let admission = may_sign_up::admit(tx, self.cx, email, verified, self.invitation).await?;
        let draft = users::with_address(self.people, self.draft()?, email, admission.proven);
        let user = draft.id().to_owned();
        users::claim_email(tx, &user, email).await?;
        let gate = Gate::new(self.cx, &catalogue, &self.people.name)?;
        insert_in(tx, gate, draft, Right::SignUp).await?;
        users::give_roles(tx, &user, &admission.roles).await?;
        self.add(tx, user).await
    }

    /// The new record. What a provider says of a person fills a field only where it fits: a name that is too long must not keep
    /// anybody out.
    fn draft(&self) -> Result<Prepared, Error> {
        let fields = &self.profile.fields;
        match prepare(self.cx, self.people, fields.clone(), Making::Plain) {
            Err(error) if error.code == Code::FieldInvalid => {
                let wrong = |name: &str| error.fields.iter().any(|field| field.path == format!("/{name}"));
                let fitting: Map<String, Json> = fields
                    .iter()
                    .filter(|(name, _)| !wrong(name))
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect();
                prepare(self.cx, self.people, fitting, Making::Plain)
            }
            made => made,
        }
    }
}

/// Gives an account an identity that nobody has; its id.
///
/// # Errors
/// `identity_taken` when somebody has it.
pub(super) async fn insert_identity(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    profile: &Profile,
    user: &str,
) -> Result<String, Error> {
    let id = cx.project.new_id()?.into_string();
    let params = [
        Value::text(&id),
        Value::text(user),
        Value::text(&profile.provider),
        Value::text(&profile.issuer),
        Value::text(&profile.subject),
        profile.email.as_deref().map_or(Value::Null, Value::text),
        Value::Int(cx.now.us()),
    ];
    if tx.execute(&sql::ADD_IDENTITY, &params).await? == 0 {
        return Err(Error::new(Code::IdentityTaken));
    }
    admin::audit(tx, user, "identities.link", &format!("identities/{id}"), cx.now.us()).await?;
    Ok(id)
}
