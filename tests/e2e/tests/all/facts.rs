//! What rules know beside records, as clients deliver it: share links in parameters of requests, claims of users, sessions.

use serde_json::{Value, json};
use std::path::Path;
use stead_e2e::{Client, Server, everywhere};

const KEY: &str = "k-3f9a77c1";
const LINK: (&str, &str) = ("param.share", KEY);
const WRONG: (&str, &str) = ("param.share", "k-00000000");

async fn facts() -> Server {
    Server::serve(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/facts"), &[]).await
}

/// An owner with an album that has a key, one that has none, and a picture in each.
async fn albums(server: &Server) -> Client {
    let owner = server.fresh_user("owner").await;
    for (id, key) in [("shared", json!(KEY)), ("closed", Value::Null)] {
        owner
            .create("albums", json!({"id": id, "title": format!("{id} lamps"), "share_key": key}))
            .await
            .created();
        let picture = json!({"id": format!("in-{id}"), "album": id, "name": "lamp", "stars": 3});
        owner.create("pictures", picture).await.created();
    }
    owner
}

#[tokio::test]
async fn a_share_link_opens_what_it_names_and_nothing_else_on_every_path() {
    let server = facts().await;
    let owner = albums(&server).await;
    let guest = server.client();
    for link in [vec![], vec![WRONG]] {
        assert!(guest.ids("albums", &link).await.is_empty(), "{link:?}");
        assert!(guest.ids("pictures", &link).await.is_empty(), "{link:?}");
    }
    guest.show("albums", "shared").await.problem("record_not_found");
    guest.get("/collections/albums/records/shared?param.share=k-00000000").await.problem("record_not_found");
    // With the right one: read, listed, searched, counted, expanded both ways.
    let album = guest
        .get(&format!("/collections/albums/records/shared?param.share={KEY}&expand=pictures"))
        .await
        .ok();
    assert_eq!(album["expand"]["pictures"][0]["id"], "in-shared");
    assert_eq!(guest.ids("albums", &[LINK]).await, ["shared"]);
    assert_eq!(guest.ids("albums", &[LINK, ("q", "lamps")]).await, ["shared"]);
    let page = guest.list("pictures", &[LINK, ("expand", "album")]).await.ok();
    assert_eq!(page["items"][0]["expand"]["album"]["id"], "shared");
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let sums =
        guest.get(&format!("/collections/pictures/aggregate?count&sum=stars&param.share={KEY}")).await.ok();
    assert_eq!((&sums["items"][0]["count"], &sums["items"][0]["sum"]["stars"]), (&json!(1), &json!(3)));
    guest
        .get(&format!("/collections/albums/records/closed?param.share={KEY}"))
        .await
        .problem("record_not_found");
    let other = server.fresh_user("other").await;
    assert_eq!(other.ids("albums", &[LINK]).await, ["shared"]);
    // The key itself stays hidden, also from filters: what can be asked about it tells nothing.
    assert!(album.get("share_key").is_none(), "{album}");
    for filter in ["share_key >= \"\"", "share_key != null", "!(share_key == null)"] {
        assert!(other.ids("albums", &[LINK, ("filter", filter)]).await.is_empty(), "{filter}");
        guest.list("albums", &[LINK, ("filter", filter)]).await.problem("filter_invalid");
    }
    assert_eq!(owner.ids("albums", &[("filter", "share_key != null")]).await, ["shared"], "control");
}

#[tokio::test]
async fn writes_and_batches_carry_parameters_and_a_slip_is_refused() {
    let server = facts().await;
    albums(&server).await;
    let guest = server.client();
    let picture = |id: &str| json!({"id": id, "album": "shared", "name": "by a guest"});
    let path = "/collections/pictures/records";
    guest.json("POST", path, picture("no")).await.problem("rule_denied");
    let linked = format!("{path}?param.share={KEY}");
    guest.json("POST", &linked, picture("one")).await.created();
    let changed =
        guest.json("PATCH", &format!("{path}/one?param.share={KEY}"), json!({"stars": 5})).await.ok();
    assert_eq!(changed["stars"], 5);
    guest.json("PATCH", &format!("{path}/one"), json!({"stars": 1})).await.problem("record_not_found");
    let steps = json!({"operations": [{"op": "create", "collection": "pictures", "data": picture("two")}]});
    guest.json("POST", "/batch", steps.clone()).await.problem("rule_denied");
    guest.json("POST", &format!("/batch?param.share={KEY}"), steps).await.ok();
    // One key stands for one request, parameters included.
    let once = async |path: &str| {
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "again")];
        guest.send("POST", &format!("/api/v1{path}"), &headers, Some(picture("three").to_string())).await
    };
    once(&linked).await.created();
    assert_eq!(once(&linked).await.header("Idempotent-Replayed"), Some("true"));
    once(path).await.problem("idempotency_mismatch");
    for (query, told) in [
        ("param.shaer=k-3f9a77c1", "Did you mean `share`?"),
        ("param.share=short", "`share` is shorter"),
        ("param.page=two", "`page` must be a whole number"),
        ("param.share=k-3f9a77c1&param.share=k-3f9a77c1", "may be sent once"),
        ("params.share=k-3f9a77c1", "There is no parameter `params.share`"),
    ] {
        let problem = guest.get(&format!("{path}?{query}")).await.problem("bad_request");
        assert!(problem.to_string().contains(told), "{query}: {problem}");
    }
}

#[tokio::test]
async fn subscribers_with_different_parameters_are_told_different_things() {
    let server = facts().await;
    let owner = albums(&server).await;
    let guest = server.client();
    let (mut linked, mut bare) = (guest.socket().await, guest.socket().await);
    let refused = linked.subscribe("p", "pictures", json!({"params": {"shaer": KEY}})).await;
    assert_eq!((&refused["t"], &refused["code"]), (&json!("err"), &json!("bad_request")), "{refused}");
    linked.subscribe("p", "pictures", json!({"params": {"share": KEY}})).await;
    assert_eq!(linked.snapshot("p").await.len(), 1);
    bare.subscribe("p", "pictures", json!({})).await;
    assert!(bare.snapshot("p").await.is_empty());
    owner.create("pictures", json!({"id": "late", "album": "shared", "name": "late"})).await.created();
    assert_eq!(linked.until(|f| f["t"] == "ev").await["id"], "late");
    // A withdrawn link takes away what it showed.
    owner.update("albums", "shared", json!({"share_key": null})).await.ok();
    let told = linked.until(|f| f["t"] != "ev").await;
    assert!(told["t"] == "resync" || told["t"] == "forget_scope", "{told}");
    // Control: a key that both present. The other socket's next event is of now, so it was told nothing before.
    owner.update("albums", "closed", json!({"share_key": KEY})).await.ok();
    bare.subscribe("q", "pictures", json!({"params": {"share": KEY}})).await;
    assert_eq!(bare.snapshot("q").await[0]["id"], "in-closed");
    owner.create("pictures", json!({"id": "last", "album": "closed", "name": "last"})).await.created();
    assert_eq!(bare.until(|f| f["t"] == "ev").await["id"], "last");
}

#[tokio::test]
async fn claims_count_at_once_and_their_sockets_hear_of_it() {
    let mut server = facts().await;
    let root = server.operator().await;
    let (ann, ben) = (server.fresh_user("ann").await, server.fresh_user("ben").await);
    let claims = async |user: &str, claims: Value| {
        root.json("PATCH", &format!("/admin/users/{user}"), json!({ "claims": claims })).await
    };
    let has = async |who: &Client, claims: Value| {
        everywhere(async || who.get("/auth/session").await.ok()["claims"] == claims).await;
    };
    let report = |id: &str| json!({"id": id, "title": id, "level": 5});
    ann.create("reports", report("early")).await.problem("rule_denied");
    assert_eq!(
        claims(&ann.user, json!({"groups": ["editors"]})).await.ok()["claims"]["groups"],
        json!(["editors"])
    );
    has(&ann, json!({"level": 1, "groups": ["editors"]})).await;
    ann.create("reports", report("early")).await.created();
    assert!(ben.ids("reports", &[]).await.is_empty(), "the default level is 1");
    let changed = claims(&ben.user, json!({"level": 5, "tier": "basic"})).await.ok();
    assert_eq!(changed, json!({"id": ben.user, "roles": [], "claims": {"level": 5, "tier": "basic"}}));
    has(&ben, json!({"level": 5, "tier": "basic"})).await;
    let mut window = ben.socket().await;
    window.subscribe("r", "reports", json!({})).await;
    assert_eq!(window.snapshot("r").await.len(), 1);
    // Merged by name: the level goes, the tier stays.
    assert_eq!(claims(&ben.user, json!({"level": null})).await.ok()["claims"], json!({"tier": "basic"}));
    has(&ben, json!({"level": 1, "tier": "basic"})).await;
    ann.create("reports", report("late")).await.created();
    assert!(ben.ids("reports", &[]).await.is_empty());
    assert_eq!(window.until(|f| f["t"] != "ok").await["t"], "resync");
    window.subscribe("s", "reports", json!({})).await;
    assert!(window.snapshot("s").await.is_empty());
    claims(&ben.user, json!({"tier": "pro"})).await.ok();
    has(&ben, json!({"level": 1, "tier": "pro"})).await;
    assert_eq!(ben.ids("reports", &[]).await, ["early", "late"]);
    // The caller may know what it claims.
    let session = ben.get("/auth/session").await.ok();
    assert_eq!(session["claims"], json!({"level": 1, "tier": "pro"}));
    assert_eq!(
        (&session["method"], &session["aal"], &session["user_id"]),
        (&json!("password"), &json!(1), &json!(ben.user))
    );
    server.client().get("/auth/session").await.problem("token_required");
    // Nobody but an operator gives claims, and only those that are declared and fit.
    let own = format!("/admin/users/{}", ben.user);
    ben.json("PATCH", &own, json!({"claims": {"tier": "pro"}})).await.problem("forbidden");
    for (wrong, path) in [
        (json!({"level": 10}), "/claims/level"),
        (json!({"tier": "gold"}), "/claims/tier"),
        (json!({"teir": "pro"}), "/claims/teir"),
        (json!({"groups": ["x".repeat(1024)]}), "/claims"),
    ] {
        let problem = claims(&ben.user, wrong).await.problem("field_invalid");
        assert_eq!(problem["errors"][0]["path"], path, "{problem}");
    }
    root.json("PATCH", &own, json!({})).await.problem("bad_request");
    root.json("PATCH", "/admin/users/nobody", json!({"claims": {}})).await.problem("record_not_found");
    assert_eq!(
        claims(&ben.user, json!({})).await.ok()["claims"],
        json!({"tier": "pro"}),
        "nothing of that was kept"
    );
}
