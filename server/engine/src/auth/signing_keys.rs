//! Signing keys change: by themselves, by an operator who wants another one, and at once when one was stolen.

use super::keys::{Fresh, HELD, State, Turn, Turns};
use super::sql;
use crate::{Error, Project, admin, limits};
use serde_json::{Value as Json, json};
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::{Code, Instant};

/// What is asked of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// A key follows if the one that signs is old enough.
    Due,
    /// A key follows after it was published for a while.
    Orderly,
    /// A key signs at once in the place of this one; nothing happens where another does already.
    Now { instead_of: Option<String> },
}

/// What comes of it.
#[derive(Debug, PartialEq, Eq)]
enum Plan<'t> {
    Nothing,
    /// A key that waits gets its turn now.
    Hasten(&'t str),
    Make {
        signs_at: i64,
    },
}

fn plan<'t>(turns: &'t Turns, asked: &Rotation, now: Instant) -> Result<Plan<'t>, Error> {
    let published = now.us() + limits::SIGNING_KEY_PUBLISHED_S * 1_000_000;
    // What was made while a clock was far ahead is no reason to wait for it; one that is a little ahead makes none of these.
    let ahead = |turn: &Turn| turn.signs_at > published + limits::SIGNING_KEY_PUBLISHED_S * 1_000_000;
    let signer = turns.signer(now);
    let next = turns.next(now).filter(|turn| !ahead(turn));
    let old =
        |turn: &Turn| ahead(turn) || turn.signs_at + limits::SIGNING_KEY_LIFE_S * 1_000_000 <= published;
    let plan = match (asked, next) {
        (Rotation::Now { instead_of }, _) if signer.map(|turn| &turn.kid) != instead_of.as_ref() => {
            Plan::Nothing
        }
        (Rotation::Now { .. }, Some(next)) => Plan::Hasten(&next.kid),
        (Rotation::Now { .. }, None) => Plan::Make { signs_at: now.us() },
        (Rotation::Orderly | Rotation::Due, Some(_)) => Plan::Nothing,
        (Rotation::Due, None) if !signer.is_none_or(old) => Plan::Nothing,
        (Rotation::Orderly | Rotation::Due, None) => Plan::Make { signs_at: published },
    };
    let many = turns.iter().filter(|turn| turns.state(turn, now).verifies()).count();
    match plan {
        Plan::Make { .. } if many >= limits::SIGNING_KEYS_MAX => {
            let detail = format!("At most {} keys are published at once.", limits::SIGNING_KEYS_MAX);
            Err(Error::with(Code::LimitExceeded, detail).hint("Wait until the retiring ones are gone."))
        }
        plan => Ok(plan),
    }
}

/// Rotates; whether anything changed. Servers that ask at the same moment make one key.
pub(crate) async fn rotate(
    project: &Project,
    actor: &str,
    asked: Rotation,
    now: Instant,
) -> Result<bool, Error> {
    let fresh = Fresh::draw(&project.auth().secrets, project.randomness())?;
    let actor = actor.to_owned();
    let job = async move |tx: &mut Tx<'_>| {
        tx.hold(HELD).await?;
        let turns = Turns::read(tx).await?;
        let kid = match plan(&turns, &asked, now)? {
            Plan::Nothing => return Ok::<_, Error>(false),
            Plan::Hasten(kid) => {
                tx.execute(&sql::HASTEN_SIGNING_KEY, &[Value::text(kid), Value::Int(now.us())]).await?;
                kid
            }
            Plan::Make { signs_at } => {
                fresh.insert(tx, now.us(), signs_at).await?;
                &fresh.kid
            }
        };
        sweep(tx, &turns, now).await?;
        tx.log_keys(now.us()).await?;
        admin::audit(tx, &actor, "signing_keys.rotate", &target(kid), now.us()).await?;
        Ok(true)
    };
    let changed = project.store().write(job).await?;
    read_anew(project).await?;
    Ok(changed)
}

/// Ends a key at once. Where it signed, a new one does; sessions live on, and clients refresh.
///
/// # Errors
/// `record_not_found`.
pub(crate) async fn revoke(project: &Project, actor: &str, kid: &str, now: Instant) -> Result<(), Error> {
    let fresh = Fresh::draw(&project.auth().secrets, project.randomness())?;
    let (actor, kid) = (actor.to_owned(), kid.to_owned());
    let job = async move |tx: &mut Tx<'_>| {
        tx.hold(HELD).await?;
        let turns = Turns::read(tx).await?;
        let turn = turns.iter().find(|turn| turn.kid == kid);
        let turn = turn.ok_or_else(|| Error::with(Code::RecordNotFound, "There is no such signing key."))?;
        let state = turns.state(turn, now);
        if state == State::Revoked {
            return Ok::<_, Error>(());
        }
        tx.execute(&sql::REVOKE_SIGNING_KEY, &[Value::text(&kid), Value::Int(now.us())]).await?;
        if state == State::Active {
            fresh.insert(tx, now.us(), now.us()).await?;
        }
        tx.log_keys(now.us()).await?;
        admin::audit(tx, &actor, "signing_keys.revoke", &target(&kid), now.us()).await
    };
    project.store().write(job).await?;
    read_anew(project).await
}

/// Makes the next key when it is time, with a look at memory first.
pub(crate) async fn tend(project: &Project) -> Result<(), Error> {
    let now = project.now();
    let turns = project.auth().tokens.turns();
    if plan(&turns, &Rotation::Due, now).is_ok_and(|plan| plan != Plan::Nothing) {
        rotate(project, admin::SERVER, Rotation::Due, now).await?;
    }
    Ok(())
}

/// The key that signs here.
pub(crate) fn signer(project: &Project, now: Instant) -> Option<String> {
    project.auth().tokens.turns().signer(now).map(|turn| turn.kid.clone())
}

/// Every key, newest turn first: `{items: [{kid, state, created_at, signs_at, verifies_until?, revoked_at?}]}`.
pub(crate) async fn list(project: &Project, now: Instant) -> Result<Json, Error> {
    read_anew(project).await?;
    let turns = project.auth().tokens.turns();
    let mut items: Vec<Json> = turns
        .iter()
        .filter(|turn| turns.state(turn, now) != State::Gone)
        .map(|turn| shown(turn, turns.state(turn, now)))
        .collect();
    items.reverse();
    Ok(json!({ "items": items }))
}

fn shown(turn: &Turn, state: State) -> Json {
    let mut item = json!({
        "kid": turn.kid,
        "state": state.name(),
        "created_at": Instant(turn.created_at).to_string(),
        "signs_at": Instant(turn.signs_at).to_string(),
    });
    let until = turn.verifies_until.filter(|_| state.verifies());
    let times = [("verifies_until", until), ("revoked_at", turn.revoked_at)];
    if let Some(item) = item.as_object_mut() {
        let known = times.into_iter().filter_map(|(name, at)| Some((name, Instant(at?).to_string())));
        item.extend(known.map(|(name, at)| (name.to_owned(), Json::String(at))));
    }
    item
}

async fn read_anew(project: &Project) -> Result<(), Error> {
    let auth = project.auth();
    auth.tokens.read_anew(project.store(), &auth.secrets).await
}

/// Forgets keys whose tokens have all ended, revoked ones too.
async fn sweep(tx: &mut Tx<'_>, turns: &Turns, now: Instant) -> Result<(), Error> {
    let over = |turn: &&Turn| turn.verifies_until.is_some_and(|until| until <= now.us());
    for turn in turns.iter().filter(over) {
        tx.execute(&sql::FORGET_SIGNING_KEY, &[Value::text(&turn.kid)]).await?;
    }
    Ok(())
}

fn target(kid: &str) -> String {
    format!("signing_keys/{kid}")
}
