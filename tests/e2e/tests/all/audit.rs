//! The audit trail through the command line and the door: whoever meddles with it in the database is found out.

use serde_json::{Value, json};
use std::process::{Output, Stdio};
use stead_e2e::{PATIENCE, Server};

/// `stead audit verify`, which may run beside the server.
async fn verify(server: &Server, args: &[&str]) -> Output {
    let mut command = server.command();
    command.args(["audit", "verify"]).args(args).arg("--data").arg(server.data());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    tokio::time::timeout(PATIENCE * 3, command.output()).await.expect("the command ends").unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a statement as somebody does who has the database.
fn meddle(server: &Server, statement: &str) {
    let done = match server.database() {
        Some(url) => std::process::Command::new("psql").args([&url, "-qc", statement]).output(),
        None => {
            let file = server.data().join("stead.db");
            std::process::Command::new("sqlite3").arg(file).arg(statement).output()
        }
    };
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn at_74_the_first_row_that_was_meddled_with_is_named_by_command_and_door() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    let ana = server.fresh_user("ana").await;
    ana.get("/admin/audit/verify").await.problem("forbidden");
    server.client().get("/admin/audit/verify").await.problem("token_required");
    root.get("/admin/audit/verify?head=12").await.problem("bad_request");

    // Control: nobody meddled with it.
    let well = verify(&server, &["--json"]).await;
    assert!(well.status.success(), "{}", String::from_utf8_lossy(&well.stderr));
    let well = json_of(&well);
    assert_eq!(well["ok"], true);
    // The operator was added and signed in, the user signed up and was signed in.
    assert!(well["rows"].as_i64().unwrap() >= 4, "{well}");
    let head = well["head"].as_str().unwrap();
    let seen = root.get(&format!("/admin/audit/verify?head={head}")).await.ok();
    assert_eq!(seen["ok"], true);
    assert!(verify(&server, &["--head", head]).await.status.success());
    let strange = format!("1:{}", "0".repeat(64));
    assert!(!verify(&server, &["--head", &strange]).await.status.success());

    meddle(&server, "UPDATE _audit SET actor = 'somebody' WHERE position = 2");
    let bad = verify(&server, &[]).await;
    assert_eq!(bad.status.code(), Some(1));
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(said.contains("position 2 (row 2)") && said.contains("somebody operators.sign_in"), "{said}");
    let told = root.get("/admin/audit/verify").await.ok();
    assert_eq!((&told["ok"], &told["first_bad"]["position"]), (&json!(false), &json!(2)));
    // What is done is noted all the same.
    let before = server.client().get("/auth/settings").await.ok();
    assert!(before["password"].as_bool().unwrap());
    server.fresh_user("bob").await;
    assert_eq!(json_of(&verify(&server, &["--json"]).await)["first_bad"]["position"], 2);
}

#[tokio::test]
async fn at_74_a_trail_that_was_cut_off_while_the_server_rested_is_noticed() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    server.fresh_user("ana").await;
    let rows = root.get("/admin/audit/verify").await.ok()["rows"].as_i64().unwrap();
    assert!(server.terminate().await);
    meddle(&server, &format!("DELETE FROM _audit WHERE position > {}", rows - 1));
    let bad = verify(&server, &["--json"]).await;
    assert_eq!(bad.status.code(), Some(1));
    let bad = json_of(&bad);
    assert_eq!((&bad["rows"], &bad["first_bad"]["position"]), (&json!(rows - 1), &json!(rows)));
    assert_eq!(bad["first_bad"]["problem"], "the trail was cut off: a row is missing");
}
