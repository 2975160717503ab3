//! The master key: what it opens, what a copy of the database gives away without it, and how it is changed.

use super::app::{App, Hands, MASTER, PASSWORD, config, form, places, sign_in, signed_in};
use crate::auth::{self, crypto};
use crate::ctx::OpenError;
use crate::{Clock, Error, Limits, Project, ProjectConfig, admin};
use parking_lot::Mutex;
use std::sync::Arc;
use stead_store::{Config, Place, Retention, Sql, Store, Synchronous, Tx};
use stead_wire::Instant;

const OTHER: [u8; 32] = [8; 32];

fn clock() -> Arc<Hands> {
    Arc::new(Hands(Mutex::new(Instant::parse("2026-01-01T12:00:00Z").unwrap())))
}

/// Opens with a master key; why not, in words.
async fn open(place: &Place, master: [u8; 32]) -> Result<Project, String> {
    let config = config("auth: {roles: [chief]}\n", None, master, Limits::default(), clock());
    let store = Config { place: place.clone(), ..config.store };
    match Project::open(ProjectConfig { store, ..config }).await {
        Ok(project) => Ok(project),
        Err(OpenError::Other(error)) => Err(error.to_string()),
        Err(other) => panic!("{other}"),
    }
}

/// A file, and a Postgres where tests are run with one; kept as long as the folder is.
fn lasting(name: &str) -> (tempfile::TempDir, Vec<Place>) {
    let folder = tempfile::tempdir().unwrap();
    let mut places = places(name);
    places[0] = Place::File(folder.path().join("data.db"));
    (folder, places)
}

#[tokio::test]
async fn at_73_another_master_key_opens_everything_and_the_old_one_nothing() {
    let (_folder, places) = lasting("stead_master_changed");
    for place in places {
        let project = open(&place, MASTER).await.unwrap();
        let published = auth::jwks(&project);
        let sealed = auth::seal(&project, "here", b"secret").unwrap();
        admin::change_master_key(&project, &OTHER).await.unwrap();
        // The open project knows the old wrapping and goes on, but may not change the key again.
        assert!(auth::open(&project, "here", &sealed).is_some());
        let again = admin::change_master_key(&project, &[9; 32]).await.unwrap_err();
        assert!(again.to_string().contains("meanwhile"), "{again}");
        project.close().await;
        let refused = open(&place, MASTER).await.map(|_| ()).unwrap_err();
        assert!(refused.contains("not the one of this database"), "{refused}");
        let project = open(&place, OTHER).await.unwrap();
        assert_eq!(auth::jwks(&project), published);
        assert_eq!(auth::open(&project, "here", &sealed).unwrap(), b"secret");
        let audit = Sql::new("SELECT actor, action FROM _audit WHERE action = 'master_key.rotate'");
        let rows = project.store().read(async |r| Ok::<_, Error>(r.fetch(&audit, &[]).await?)).await.unwrap();
        assert_eq!(rows.len(), 1);
        project.close().await;
    }
}

#[tokio::test]
async fn at_73_a_wrapped_key_that_was_tampered_with_is_refused() {
    let (_folder, places) = lasting("stead_master_tampered");
    for place in places {
        let project = open(&place, MASTER).await.unwrap();
        let tamper = Sql::new("UPDATE _data_keys SET wrapped = 'x1.AAAA'");
        let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&tamper, &[]).await?);
        assert_eq!(project.store().write(job).await.unwrap(), 1);
        project.close().await;
        assert!(open(&place, MASTER).await.is_err());
    }
}

/// A database as it was before there was a data key: secrets are derived from the master key itself.
async fn older(place: &Place) -> String {
    let newer = ["auth_signing_keys", "auth_data_keys", "admin_2"];
    let migrations =
        [auth::MIGRATIONS, admin::MIGRATIONS, crate::mail::MIGRATIONS, crate::records::MIGRATIONS];
    let migrations = migrations.concat().into_iter().filter(|(name, _)| !newer.contains(name)).collect();
    let (readers, synchronous, retention) = (1, Synchronous::Normal, Retention::default());
    let store = Store::open(Config { place: place.clone(), readers, synchronous, retention, migrations })
        .await
        .unwrap();
    let random = crate::ctx::SystemRandomness::default();
    let (private, x, y) = crypto::new_p256().unwrap();
    let kid = crypto::thumbprint(&x, &y);
    let secrets = crypto::Secrets::derive(&MASTER).unwrap();
    let sealed = secrets.seal(&random, &format!("_signing_keys|{kid}"), &private).unwrap();
    let insert = Sql::new(
        "INSERT INTO _signing_keys (kid, private_enc, public_x, public_y, state, created_at) VALUES (?1, ?2, ?3, ?4, 'active', ?5)",
    );
    let mut params: Vec<stead_schema::Value> =
        [&kid, &sealed, &x, &y].map(stead_schema::Value::text).to_vec();
    params.push(stead_schema::Value::Int(clock().now().us() - 1_000_000));
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&insert, &params).await?);
    store.write(job).await.unwrap();
    let acts = "INSERT INTO _audit (at, actor, action, target) VALUES (1, 'ana', 'one', 'x'), (2, 'ana', 'two', 'x')";
    let acts = Sql::new(acts);
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&acts, &[]).await?);
    store.write(job).await.unwrap();
    store.close().await;
    kid
}

#[tokio::test]
async fn what_an_older_version_encrypted_is_read_and_its_master_key_can_be_changed() {
    let (_folder, places) = lasting("stead_master_older");
    for place in places {
        let kid = older(&place).await;
        let refused = open(&place, OTHER).await.map(|_| ()).unwrap_err();
        assert!(refused.contains("not the one of this database"), "{refused}");
        let sealed = {
            let random = crate::ctx::SystemRandomness::default();
            crypto::Secrets::derive(&MASTER).unwrap().seal(&random, "here", b"older").unwrap()
        };
        let project = open(&place, MASTER).await.unwrap();
        assert_eq!(auth::jwks(&project)["keys"][0]["kid"], kid.as_str());
        assert_eq!(auth::open(&project, "here", &sealed).unwrap(), b"older");
        admin::change_master_key(&project, &OTHER).await.unwrap();
        project.close().await;
        let project = open(&place, OTHER).await.unwrap();
        assert_eq!(auth::jwks(&project)["keys"][0]["kid"], kid.as_str());
        assert_eq!(auth::open(&project, "here", &sealed).unwrap(), b"older");
        project.close().await;
        assert!(open(&place, MASTER).await.is_err());
    }
}

#[tokio::test]
async fn at_72_the_file_alone_gives_neither_keys_nor_tokens_nor_what_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("data.db"));
    let config = config("auth: {roles: [chief]}\n", None, MASTER, Limits::default(), clock());
    let store = Config { place: place.clone(), ..config.store };
    let project = Project::open(ProjectConfig { store, ..config }).await.map_err(|e| e.to_string()).unwrap();
    let nobody = || {
        let meta = crate::RequestMeta {
            request_id: project.new_id().unwrap(),
            ip: None,
            origin: None,
            agent: None,
            params: Default::default(),
        };
        crate::Ctx::new(project.clone(), crate::Caller::Anonymous, meta)
    };
    auth::sign_up(&nobody(), form("ana")).await.unwrap();
    let session = signed_in(auth::sign_in(&nobody(), sign_in("ana", PASSWORD)).await.unwrap());
    let sealed = auth::seal(&project, "_totp|ana", b"a seed of a second factor").unwrap();
    let seed = project.auth().data_key.seed;
    project.close().await;
    let bytes: Vec<u8> = std::fs::read_dir(folder.path())
        .unwrap()
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    // Control: what is no secret is found.
    assert!(holds(session.session_id.as_bytes()) && holds(b"ana@example.com"));
    let proof = session.refresh_token.rsplit('.').next().unwrap();
    for secret in [PASSWORD.as_bytes(), session.refresh_token.as_bytes(), session.access_token.as_bytes()] {
        assert!(!holds(secret));
    }
    assert!(!holds(proof.as_bytes()) && !holds(&seed) && !holds(&MASTER));
    // Whoever has the file alone can only guess a key: neither their own nor the wrapped text as one opens anything.
    for guess in [OTHER, [0; 32]] {
        assert!(open(&place, guess).await.is_err());
        assert_eq!(crypto::Secrets::derive(&guess).unwrap().open("_totp|ana", &sealed), None);
    }
    // A key of theirs wrapped in the place of ours opens the database, but nothing that was in it.
    let project = open(&place, MASTER).await.unwrap();
    let wrapped = crypto::Wrapping::derive(&OTHER).unwrap();
    let wrapped = wrapped.wrap(&crate::ctx::SystemRandomness::default(), &OTHER).unwrap();
    let swap = Sql::new("UPDATE _data_keys SET wrapped = ?1");
    let params = [stead_schema::Value::text(wrapped)];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&swap, &params).await?);
    assert_eq!(project.store().write(job).await.unwrap(), 1);
    project.close().await;
    let refused = open(&place, OTHER).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("signing key"), "{refused}");
}

#[tokio::test]
async fn servers_that_start_at_once_on_an_empty_database_have_one_data_key() {
    let Some(place) = places("stead_master_first").into_iter().nth(1) else { return };
    let opened = futures_util::future::join_all((0..4).map(|_| App::open_at(place.clone()))).await;
    let seeds: Vec<_> = opened.iter().map(|app| app.project.auth().data_key.seed).collect();
    assert!(seeds.iter().all(|seed| *seed == seeds[0]));
    assert_ne!(seeds[0], MASTER, "it is drawn");
    for app in opened {
        app.project.close().await;
    }
}

#[tokio::test]
async fn at_74_acts_that_an_older_version_noted_are_the_beginning_of_the_chain() {
    let (_folder, places) = lasting("stead_audit_upgrade");
    for place in places {
        older(&place).await;
        let project = open(&place, MASTER).await.unwrap();
        let found = admin::verify_audit(&project, None).await.unwrap();
        assert_eq!((found.rows, found.bad), (2, None));
        let edit = Sql::new("UPDATE _audit SET actor = 'bob' WHERE action = 'two'");
        let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&edit, &[]).await?);
        project.store().write(job).await.unwrap();
        let bad = admin::verify_audit(&project, None).await.unwrap().bad.unwrap();
        assert_eq!((bad.position, bad.seq), (Some(2), Some(2)));
        assert_eq!(bad.row.unwrap(), "1970-01-01T00:00:00.000Z bob two x");
        project.close().await;
    }
}
