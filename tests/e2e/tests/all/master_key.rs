//! The master key changes while a server works; whoever is killed at it leaves a database that one of two keys opens.

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use stead_e2e::{PATIENCE, Server};
use tokio::process::Command;

/// `stead …` on what the server works on, with a master key.
fn stead(server: &Server, args: &[&str], key: &Path) -> Command {
    let mut command = server.command();
    command.args(args).arg("--data").arg(server.data()).arg("--master-key").arg(key);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> Output {
    tokio::time::timeout(PATIENCE * 3, command.output()).await.expect("the command ends").unwrap()
}

async fn opens(server: &Server, key: &Path) -> bool {
    run(stead(server, &["operator", "list"], key)).await.status.success()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn own_key(server: &Server) -> PathBuf {
    server.data().with_extension("master.key")
}

#[tokio::test]
async fn at_73_the_key_changes_under_load_and_whoever_is_killed_at_it_leaves_one_key_that_fits() {
    let mut server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let (ends, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = {
        let (ana, ends, written) = (ana.clone(), Arc::clone(&ends), Arc::clone(&written));
        tokio::spawn(async move {
            while !ends.load(Ordering::Relaxed) {
                let n = written.fetch_add(1, Ordering::Relaxed);
                ana.create("things", json!({ "id": format!("t{n}"), "title": "t" })).await.created();
                let mut bob = ana.clone();
                bob.token = None;
                bob.sign_in("ana@example.test", "a-long-enough-secret").await;
            }
        })
    };
    let folder = tempfile::TempDir::new().unwrap();
    let mut key = own_key(&server);
    let mut changes = 0;
    for n in 0..12 {
        let next = folder.path().join(format!("{n}.key"));
        let args = ["keys", "rotate-master", "--new-key-file", next.to_str().unwrap()];
        let mut child = stead(&server, &args, &key).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(25 * n)).await;
        // It may have ended by itself.
        let _ = child.start_kill();
        child.wait().await.unwrap();
        let (old_fits, new_fits) = (opens(&server, &key).await, next.exists() && opens(&server, &next).await);
        assert!(old_fits != new_fits, "one of both: {old_fits} {new_fits}");
        if new_fits {
            changes += 1;
            // Whoever does not know how far it came may repeat it.
            assert!(run(stead(&server, &args, &key)).await.status.success());
            key = next;
        }
    }
    let last = folder.path().join("last.key");
    let args = ["keys", "rotate-master", "--new-key-file", last.to_str().unwrap()];
    let done = run(stead(&server, &args, &key)).await;
    assert!(done.status.success(), "{}", said(&done));
    eprintln!("{changes} of 12 came through before they were killed");
    ends.store(true, Ordering::Relaxed);
    load.await.unwrap();
    assert!(written.load(Ordering::Relaxed) > 0);
    ana.get("/auth/me").await.ok();
    assert!(server.terminate().await);

    let refused = run(stead(&server, &["operator", "list"], &own_key(&server))).await;
    assert!(!refused.status.success());
    assert!(said(&refused).contains("not the one of this database, whose master key was changed at"));
    std::fs::copy(&last, own_key(&server)).unwrap();
    server.restart().await;
    // Sessions, tokens and passwords of before count.
    let ana = ana.at(&server.url);
    ana.get("/auth/me").await.ok();
    let body = json!({ "refresh_token": ana.refresh_token });
    let mut guest = server.client();
    guest.json("POST", "/auth/token/refresh", body).await.ok();
    guest.sign_in("ana@example.test", "a-long-enough-secret").await;
}

#[tokio::test]
async fn at_73_a_server_with_a_wrong_key_or_none_does_not_start_and_says_why() {
    let mut server = Server::probe().await;
    server.fresh_user("ana").await;
    assert!(server.terminate().await);
    let folder = tempfile::TempDir::new().unwrap();
    let wrong = folder.path().join("wrong.key");
    std::fs::write(&wrong, "ab".repeat(32)).unwrap();
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/probe");
    let serve = ["serve", app.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let refused = run(stead(&server, &serve, &wrong)).await;
    assert!(!refused.status.success());
    assert!(said(&refused).contains("the master key is not the one of this database"), "{}", said(&refused));
    let torn = folder.path().join("torn.key");
    std::fs::write(&torn, "ab".repeat(31)).unwrap();
    let refused = run(stead(&server, &serve, &torn)).await;
    assert!(said(&refused).contains("64 hexadecimal digits"), "{}", said(&refused));
    let missing = folder.path().join("missing.key");
    let refused = run(stead(&server, &serve, &missing)).await;
    assert!(!refused.status.success());
    assert!(said(&refused).contains("master key"), "{}", said(&refused));
    // The wrong ones cannot be put in the place of the right one either.
    let args = ["keys", "rotate-master", "--new-key-file", wrong.to_str().unwrap()];
    assert!(!run(stead(&server, &args, &torn)).await.status.success());
    let another = folder.path().join("another.key");
    let args = ["keys", "rotate-master", "--new-key-file", another.to_str().unwrap()];
    assert!(!run(stead(&server, &args, &wrong)).await.status.success());
    // Control: the right one starts.
    server.restart().await;
    server.signed_in("ana@example.test", "a-long-enough-secret").await;
}
