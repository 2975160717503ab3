//! What may be used once: links and codes that are sent, and what a sign-in keeps between two of its steps.
//!
//! One statement takes a thing away and says what it was, inside the transaction of its effect. So of many that use it at
//! once one succeeds, and an effect that fails leaves it usable. Nothing else may touch its table.

use super::crypto::Secrets;
use super::sql;
use crate::{Ctx, Error, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use stead_schema::Value;
use stead_store::{Reader, Row, Tx};
use stead_wire::auth::Proof;
use stead_wire::{Code, Instant};

/// What a thing is good for, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An account that begins once its address is proven.
    SignUp,
    /// A sign-in by a link or a code that was sent.
    SignIn,
    /// Proof that a signed-in user's address is the user's.
    VerifyEmail,
    /// A new password for somebody who forgot the old one.
    ResetPassword,
    /// Another address for a signed-in user.
    ChangeEmail,
    /// The address of before, for whoever lost the account with it.
    UndoEmail,
    /// A sign-in that is at a provider.
    OauthState,
    /// What a provider said, for the client that asked.
    OauthCode,
    /// A signed-in user's wish to be known at a provider.
    OauthLink,
    /// A sign-in that waits for the second factor.
    SecondFactor,
    /// A passkey that is being made.
    NewPasskey,
    /// A passkey that is asked for.
    Passkey,
    /// The address of an anonymous user who is to have an account.
    Upgrade,
    /// An account that somebody may begin.
    Invitation,
}

impl Purpose {
    /// Every purpose.
    #[cfg(test)]
    pub(super) const ALL: [Self; 14] = [
        Self::SignUp,
        Self::SignIn,
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ChangeEmail,
        Self::UndoEmail,
        Self::OauthState,
        Self::OauthCode,
        Self::OauthLink,
        Self::SecondFactor,
        Self::NewPasskey,
        Self::Passkey,
        Self::Upgrade,
        Self::Invitation,
    ];

    /// As the table and links have it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignIn => "sign_in",
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::UndoEmail => "undo_email",
            Self::OauthState => "oauth_state",
            Self::OauthCode => "oauth_code",
            Self::OauthLink => "oauth_link",
            Self::SecondFactor => "second_factor",
            Self::NewPasskey => "new_passkey",
            Self::Passkey => "passkey",
            Self::Upgrade => "upgrade",
            Self::Invitation => "invitation",
        }
    }

    /// How long it is good, in seconds.
    pub(super) const fn lifetime_s(self) -> i64 {
        match self {
            Self::SignIn => 15 * 60,
            Self::SignUp | Self::Upgrade | Self::ResetPassword | Self::ChangeEmail => 3_600,
            Self::VerifyEmail => 86_400,
            Self::UndoEmail | Self::Invitation => 7 * 86_400,
            Self::OauthState => 10 * 60,
            Self::SecondFactor | Self::NewPasskey | Self::Passkey => 5 * 60,
            Self::OauthCode | Self::OauthLink => 2 * 60,
        }
    }
}

/// Something new, drawn before the transaction that stores it.
pub(super) struct Fresh {
    /// Tells a client which one its code is for. It lets nobody in.
    pub(super) id: String,
    /// What a link holds: 256 random bits.
    pub(super) token: String,
    /// What a person types: six digits.
    pub(super) code: String,
    purpose: Purpose,
    code_proof: String,
    payload: String,
    expires_at: i64,
}

impl Fresh {
    /// Draws a token and a code. `payload` is kept encrypted until it is used.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(super) fn draw(cx: &Ctx, purpose: Purpose, payload: &impl Serialize) -> Result<Self, Error> {
        let project = &cx.project;
        let secrets = &project.auth().secrets;
        let id = project.new_id()?.into_string();
        let code = six_digits(u64::from_be_bytes(project.random()?));
        let plain = serde_json::to_vec(payload).map_err(Error::internal)?;
        Ok(Self {
            token: BASE64.encode(project.random::<32>()?),
            code_proof: secrets.code_proof(&message(&id, &code)),
            payload: secrets.seal(project.randomness(), &place(&id), &plain)?,
            expires_at: cx.now.us().saturating_add(purpose.lifetime_s() * 1_000_000),
            id,
            code,
            purpose,
        })
    }

    /// The same, good for so long from now instead.
    pub(super) fn good_for(self, seconds: i64, now: Instant) -> Self {
        Self { expires_at: now.us().saturating_add(seconds.saturating_mul(1_000_000)), ..self }
    }

    /// When it is worthless.
    pub(super) fn expires_at(&self) -> Instant {
        Instant(self.expires_at)
    }

    /// What it is good for.
    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Stores it in place of what was issued for the same subject and purpose before. `user` is whose it is; what is theirs
    /// goes with [`withdraw`].
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn issue(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        user: Option<&str>,
        now: Instant,
    ) -> Result<(), Error> {
        let purpose = self.purpose.name();
        tx.execute(&sql::FORGET_EXPIRED_ONCE, &[Value::Int(now.us())]).await?;
        tx.hold(&format!("one time {subject}")).await?;
        tx.execute(&sql::WITHDRAW_ONCE, &[Value::text(subject), Value::text(purpose)]).await?;
        let params = [
            Value::text(&self.id),
            Value::text(purpose),
            Value::text(subject),
            user.map_or(Value::Null, Value::text),
            Value::text(digest(&self.token)),
            Value::text(&self.code_proof),
            Value::text(&self.payload),
            Value::Int(self.expires_at),
        ];
        tx.execute(&sql::ISSUE_ONCE, &params).await?;
        Ok(())
    }
}

/// Something that somebody presents and that may be taken.
#[derive(Clone)]
pub(super) enum Presented {
    /// A token, as a digest.
    Token(String),
    /// One whose code was right.
    Tried(String),
}

impl Presented {
    /// Something long that was drawn here once, or never was.
    pub(super) fn token(token: &str) -> Self {
        Self::Token(digest(token))
    }

    /// What it is found by; it lets nobody in.
    pub(super) fn key(&self) -> &str {
        let (Self::Token(key) | Self::Tried(key)) = self;
        key
    }
}

/// Something that was taken.
pub(super) struct Claimed<P> {
    /// Which one.
    pub(super) id: String,
    /// What it was issued for: a user's id, or an address.
    pub(super) subject: String,
    /// Whose it was.
    pub(super) user: Option<String>,
    /// What was kept with it.
    pub(super) payload: P,
}

/// What a client shows: a token that is there, or a code after it was counted and compared. So nothing dear is done for a
/// guess. Take it with [`claim`].
///
/// # Errors
/// `proof_invalid` for what is wrong and for what is not there alike.
pub(super) async fn present(cx: &Ctx, purpose: Purpose, proof: &Proof) -> Result<Presented, Error> {
    match (&proof.token, &proof.challenge_id, &proof.code) {
        (Some(token), _, None) => {
            let presented = Presented::token(token);
            let _: Claimed<IgnoredAny> = held(cx, purpose, &presented).await?;
            Ok(presented)
        }
        (None, Some(id), Some(code)) => try_code(cx, purpose, id, code).await,
        _ => Err(Error::with(Code::BadRequest, "Give a `token`, or a `challenge_id` with its `code`.")),
    }
}

/// A token, to be taken; nobody has looked whether it is there.
pub(super) fn token(text: &str) -> Presented {
    Presented::Token(digest(text))
}

/// What something is about, if it is there: looked at without using it up or counting a try. It proves nothing.
///
/// # Errors
/// When the database fails.
pub(super) async fn subject(cx: &Ctx, purpose: Purpose, proof: &Proof) -> Result<Option<String>, Error> {
    let token = proof.token.as_deref().map(digest).unwrap_or_default();
    let id = proof.challenge_id.as_deref().unwrap_or_default();
    let params = [Value::text(token), Value::text(id), Value::text(purpose.name()), Value::Int(cx.now.us())];
    let job =
        async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::SUBJECT_ONCE, &params).await?);
    let rows = cx.project.store().read(job).await?;
    rows.first().map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

/// What a presented token holds, while it stays there.
///
/// # Errors
/// `proof_invalid`.
pub(super) async fn held<P: DeserializeOwned>(
    cx: &Ctx,
    purpose: Purpose,
    presented: &Presented,
) -> Result<Claimed<P>, Error> {
    let params = [Value::text(presented.key()), Value::text(purpose.name()), Value::Int(cx.now.us())];
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::HELD_ONCE, &params).await?);
    let rows = cx.project.store().read(job).await?;
    read(&cx.project.auth().secrets, rows.first().ok_or_else(refused)?)
}

/// Everything that waits for a purpose, with when it is worthless, oldest first.
///
/// # Errors
/// When the database fails.
pub(super) async fn waiting<P: DeserializeOwned>(
    cx: &Ctx,
    purpose: Purpose,
) -> Result<Vec<(Claimed<P>, Instant)>, Error> {
    let params = [Value::text(purpose.name()), Value::Int(cx.now.us())];
    let job =
        async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::WAITING_ONCE, &params).await?);
    let rows = cx.project.store().read(job).await?;
    let secrets = &cx.project.auth().secrets;
    rows.iter().map(|row| Ok((read(secrets, row)?, Instant(row.int(4)?)))).collect()
}

/// How many wait for a purpose.
///
/// # Errors
/// When the database fails.
pub(super) async fn count(tx: &mut Tx<'_>, purpose: Purpose, now: Instant) -> Result<i64, Error> {
    let rows = tx.fetch(&sql::COUNT_ONCE, &[Value::text(purpose.name()), Value::Int(now.us())]).await?;
    rows.first().map_or(Ok(0), |row| Ok(row.int(0)?))
}

/// Makes one worthless; false when it is not there.
///
/// # Errors
/// When the database fails.
pub(super) async fn withdraw_one(tx: &mut Tx<'_>, purpose: Purpose, id: &str) -> Result<bool, Error> {
    let params = [Value::text(id), Value::text(purpose.name())];
    Ok(tx.execute(&sql::WITHDRAW_ONE_ONCE, &params).await? > 0)
}

async fn try_code(cx: &Ctx, purpose: Purpose, id: &str, code: &str) -> Result<Presented, Error> {
    let params = [
        Value::text(id),
        Value::text(purpose.name()),
        Value::Int(cx.now.us()),
        Value::Int(limits::CODE_TRIES_MAX),
    ];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.fetch(&sql::TRY_CODE, &params).await?);
    let rows = cx.project.store().write(job).await?;
    let stored = rows.first().and_then(|row| row.text_or_null(0)).unwrap_or_default();
    let typed: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    match cx.project.auth().secrets.code_proof_fits(&message(id, &typed), stored) {
        true => Ok(Presented::Tried(id.to_owned())),
        false => Err(refused()),
    }
}

/// Takes what was presented. Do what it is for in the same transaction.
///
/// # Errors
/// `proof_invalid` when it was used, withdrawn, has expired, or never was.
pub(super) async fn claim<P: DeserializeOwned>(
    tx: &mut Tx<'_>,
    secrets: &Secrets,
    purpose: Purpose,
    presented: &Presented,
    now: Instant,
) -> Result<Claimed<P>, Error> {
    let (statement, key) = match presented {
        Presented::Token(digest) => (&sql::CLAIM_TOKEN, digest),
        Presented::Tried(id) => (&sql::CLAIM_TRIED, id),
    };
    let params = [Value::text(key), Value::text(purpose.name()), Value::Int(now.us())];
    let rows = tx.fetch(statement, &params).await?;
    read(secrets, rows.first().ok_or_else(refused)?)
}

fn read<P: DeserializeOwned>(secrets: &Secrets, row: &Row) -> Result<Claimed<P>, Error> {
    let id = row.text(0)?.to_owned();
    let plain = secrets.open(&place(&id), row.text(3)?);
    let plain = plain.ok_or_else(|| Error::internal("the payload of a one-time row does not open"))?;
    Ok(Claimed {
        subject: row.text(1)?.to_owned(),
        user: row.text_or_null(2).map(str::to_owned),
        payload: serde_json::from_slice(&plain).map_err(Error::internal)?,
        id,
    })
}

/// Makes everything that was issued for a user worthless, but for the way back to an address that was changed.
///
/// # Errors
/// When the database fails.
pub(super) async fn withdraw(tx: &mut Tx<'_>, user: &str) -> Result<(), Error> {
    tx.execute(&sql::WITHDRAW_ALL_ONCE, &[Value::text(user)]).await?;
    Ok(())
}

/// One answer for every reason.
pub(super) fn refused() -> Error {
    Error::new(Code::ProofInvalid)
}

fn six_digits(random: u64) -> String {
    // 2^64 is so much more than a million that no code is likelier than another by more than one in 10^13.
    format!("{:06}", random % 1_000_000)
}

fn digest(token: &str) -> String {
    BASE64.encode(crate::digest::sha256(&[b"one time", token.as_bytes()]))
}

fn message(id: &str, code: &str) -> Vec<u8> {
    format!("{id}|{code}").into_bytes()
}

fn place(id: &str) -> String {
    format!("_one_time|{id}")
}
