-- users for a guest
-- nothing: the rule denies without asking

-- users for u1
SELECT t."id", t."created_at", t."updated_at", t."version", CASE WHEN (t."id" = $1) THEN t."email" END, t."verified", coalesce((t."id" = $2), false)
  FROM "users" t
 WHERE (t."id" = $3) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1"), Text("u1")

-- users for a guest with a link
-- nothing: the rule denies without asking

-- profiles for a guest
SELECT t."id", t."created_at", t."updated_at", t."version", t."user", t."handle", t."private", CASE WHEN false THEN t."birthday" END, coalesce(false, false)
  FROM "profiles" t ORDER BY t."id" LIMIT 50;
-- with 

-- profiles for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."user", t."handle", t."private", CASE WHEN ((t."user" = $1) OR (t."user" IN (SELECT t1."followee"
  FROM "follows" t1
 WHERE (t1."follower" = $2) AND (t1."state" = $3)))) THEN t."birthday" END, coalesce(((t."user" = $4) OR (t."user" IN (SELECT t2."followee"
  FROM "follows" t2
 WHERE (t2."follower" = $5) AND (t2."state" = $6)))), false)
  FROM "profiles" t
 WHERE ((t."user" = $7) OR ((NOT (t."user" IN (SELECT t3."blocker"
  FROM "blocks" t3
 WHERE (t3."blocked" = $8)))) AND (NOT (t."user" IN (SELECT t4."blocked"
  FROM "blocks" t4
 WHERE (t4."blocker" = $9)))))) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1"), Text("accepted"), Text("u1"), Text("u1"), Text("accepted"), Text("u1"), Text("u1"), Text("u1")

-- profiles for a guest with a link
SELECT t."id", t."created_at", t."updated_at", t."version", t."user", t."handle", t."private", CASE WHEN false THEN t."birthday" END, coalesce(false, false)
  FROM "profiles" t ORDER BY t."id" LIMIT 50;
-- with 

-- follows for a guest
-- nothing: the rule denies without asking

-- follows for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."follower", t."followee", t."state"
  FROM "follows" t
 WHERE ((t."follower" = $1) OR (t."followee" = $2)) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1")

-- follows for a guest with a link
-- nothing: the rule denies without asking

-- blocks for a guest
-- nothing: the rule denies without asking

-- blocks for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."blocker", t."blocked"
  FROM "blocks" t
 WHERE (t."blocker" = $1) ORDER BY t."id" LIMIT 50;
-- with Text("u1")

-- blocks for a guest with a link
-- nothing: the rule denies without asking

-- posts for a guest
SELECT t."id", t."created_at", t."updated_at", t."version", t."author", t."text", t."audience", CASE WHEN false THEN t."share_key" END, coalesce(false, false)
  FROM "posts" t
 WHERE ((t."audience" = $1) AND t."author" IN (SELECT t1."user"
  FROM "profiles" t1
 WHERE (t1."private" = false))) ORDER BY t."id" LIMIT 50;
-- with Text("public")

-- posts for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."author", t."text", t."audience", CASE WHEN (t."author" = $1) THEN t."share_key" END, coalesce((t."author" = $2), false)
  FROM "posts" t
 WHERE ((t."author" = $3) OR ((NOT (t."author" IN (SELECT t1."blocker"
  FROM "blocks" t1
 WHERE (t1."blocked" = $4)))) AND (NOT (t."author" IN (SELECT t2."blocked"
  FROM "blocks" t2
 WHERE (t2."blocker" = $5)))) AND (((t."audience" = $6) AND t."author" IN (SELECT t3."user"
  FROM "profiles" t3
 WHERE (t3."private" = false))) OR (t."author" IN (SELECT t4."followee"
  FROM "follows" t4
 WHERE (t4."follower" = $7) AND (t4."state" = $8)))))) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1"), Text("u1"), Text("u1"), Text("u1"), Text("public"), Text("u1"), Text("accepted")

-- posts for a guest with a link
SELECT t."id", t."created_at", t."updated_at", t."version", t."author", t."text", t."audience", CASE WHEN false THEN t."share_key" END, coalesce(false, false)
  FROM "posts" t
 WHERE ((t."share_key" = $1) OR ((t."audience" = $2) AND t."author" IN (SELECT t1."user"
  FROM "profiles" t1
 WHERE (t1."private" = false)))) ORDER BY t."id" LIMIT 50;
-- with Text("0b9d7e41c35a86f2"), Text("public")

