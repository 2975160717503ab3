//! Signing keys of the project: kept encrypted, loaded once, published as a JWK Set.
//!
//! A private key leaves this room only inside the token library's opaque type.

use super::{crypto, crypto::Secrets, sql};
use crate::{Clock, Error, Random};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::{Value as Json, json};
use stead_schema::Value;
use stead_store::{Row, Store};
use stead_wire::Code;

/// A signing key. The first of the list signs, all of them verify.
pub(super) struct Key {
    pub(super) header: Header,
    pub(super) signs: EncodingKey,
    pub(super) verifies: DecodingKey,
    kid: String,
    x: String,
    y: String,
}

/// Reads the keys, or makes the first one.
pub(super) async fn load(
    store: &Store,
    secrets: &Secrets,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vec<Key>, Error> {
    let mut rows = rows(store).await?;
    if rows.is_empty() {
        insert_first(store, secrets, clock, random).await?;
        // Read back: another process may have been first.
        rows = self::rows(store).await?;
    }
    rows.iter().map(|row| read(secrets, row)).collect()
}

async fn rows(store: &Store) -> Result<Vec<Row>, Error> {
    store.read(async |reader| Ok::<_, Error>(reader.fetch(&sql::SIGNING_KEYS, &[]).await?)).await
}

async fn insert_first(
    store: &Store,
    secrets: &Secrets,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), Error> {
    let (private, x, y) = crypto::new_p256()?;
    let kid = crypto::thumbprint(&x, &y);
    let sealed = secrets.seal(random, &place(&kid), &private)?;
    let params =
        [Value::text(kid), Value::text(sealed), Value::text(x), Value::text(y), Value::Int(clock.now().us())];
    store
        .write(async move |tx| {
            tx.hold("signing keys").await?;
            Ok::<_, Error>(tx.execute(&sql::INSERT_FIRST_KEY, &params).await?)
        })
        .await?;
    Ok(())
}

fn read(secrets: &Secrets, row: &Row) -> Result<Key, Error> {
    let (kid, x, y) = (row.text(0)?.to_owned(), row.text(2)?.to_owned(), row.text(3)?.to_owned());
    let private = secrets.open(&place(&kid), row.text(1)?).ok_or_else(|| {
        let told = "The master key does not open the signing key in the database: start with the one it was made with.";
        Error::with(Code::Internal, told)
    })?;
    let verifies = DecodingKey::from_ec_components(&x, &y).map_err(Error::internal)?;
    let header =
        Header { typ: Some("at+jwt".to_owned()), kid: Some(kid.clone()), ..Header::new(Algorithm::ES256) };
    Ok(Key { header, signs: EncodingKey::from_ec_der(&private), verifies, kid, x, y })
}

fn place(kid: &str) -> String {
    format!("_signing_keys|{kid}")
}

/// RFC 7517 §5.
pub(super) fn jwk_set<'k>(keys: impl Iterator<Item = &'k Key>) -> Json {
    let keys: Vec<Json> = keys
        .map(|key| {
            json!({
                "kty": "EC", "crv": "P-256", "x": key.x, "y": key.y,
                "kid": key.kid, "use": "sig", "alg": "ES256",
            })
        })
        .collect();
    json!({ "keys": keys })
}
