-- users for a guest
-- nothing: the rule denies without asking

-- users for u1
SELECT t."id", t."created_at", t."updated_at", t."version", CASE WHEN (t."id" = $1) THEN t."email" END, t."verified", t."name", coalesce((t."id" = $2), false)
  FROM "users" t ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1")

-- rooms for a guest
SELECT t."id", t."created_at", t."updated_at", t."version", t."name", t."topic", t."kind", t."owner"
  FROM "rooms" t
 WHERE (t."kind" = $1) ORDER BY t."id" LIMIT 50;
-- with Text("public")

-- rooms for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."name", t."topic", t."kind", t."owner"
  FROM "rooms" t
 WHERE ((t."kind" = $1) OR (t."owner" = $2) OR (t."id" IN (SELECT t1."room"
  FROM "members" t1
 WHERE (t1."user" = $3)))) ORDER BY t."id" LIMIT 50;
-- with Text("public"), Text("u1"), Text("u1")

-- members for a guest
-- nothing: the rule denies without asking

-- members for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."room", t."user", t."role", t."muted_until"
  FROM "members" t
 WHERE (t."room" IN (SELECT t1."room"
  FROM "members" t1
 WHERE (t1."user" = $1))) ORDER BY t."id" LIMIT 50;
-- with Text("u1")

-- messages for a guest
SELECT t."id", t."created_at", t."updated_at", t."version", t."room", t."author", t."body"
  FROM "messages" t
 WHERE t."room" IN (SELECT t1."id"
  FROM "rooms" t1
 WHERE (t1."kind" = $1)) ORDER BY t."id" LIMIT 50;
-- with Text("public")

-- messages for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."room", t."author", t."body"
  FROM "messages" t
 WHERE (t."room" IN (SELECT t1."id"
  FROM "rooms" t1
 WHERE (t1."kind" = $1)) OR (t."room" IN (SELECT t2."room"
  FROM "members" t2
 WHERE (t2."user" = $2)))) ORDER BY t."id" LIMIT 50;
-- with Text("public"), Text("u1")

