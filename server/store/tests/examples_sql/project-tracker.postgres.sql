-- users for a guest
-- nothing: the rule denies without asking

-- users for u1
SELECT t."id", t."created_at", t."updated_at", t."version", CASE WHEN (t."id" = $1) THEN t."email" END, t."verified", t."name", coalesce((t."id" = $2), false)
  FROM "users" t ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1")

-- orgs for a guest
-- nothing: the rule denies without asking

-- orgs for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."name", t."founder"
  FROM "orgs" t
 WHERE ((t."founder" = $1) OR (t."id" IN (SELECT t1."org"
  FROM "org_members" t1
 WHERE (t1."user" = $2)))) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1")

-- org_members for a guest
-- nothing: the rule denies without asking

-- org_members for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."org", t."user", t."role"
  FROM "org_members" t
 WHERE (t."org" IN (SELECT t1."org"
  FROM "org_members" t1
 WHERE (t1."user" = $1))) ORDER BY t."id" LIMIT 50;
-- with Text("u1")

-- projects for a guest
-- nothing: the rule denies without asking

-- projects for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."org", t."name", CASE WHEN (t."org" IN (SELECT t1."org"
  FROM "org_members" t1
 WHERE (t1."user" = $1) AND (t1."role" = ANY($2)))) THEN t."budget" END, coalesce((t."org" IN (SELECT t2."org"
  FROM "org_members" t2
 WHERE (t2."user" = $3) AND (t2."role" = ANY($4)))), false)
  FROM "projects" t
 WHERE ((t."org" IN (SELECT t3."org"
  FROM "org_members" t3
 WHERE (t3."user" = $5) AND (t3."role" = ANY($6)))) OR (t."id" IN (SELECT t4."project"
  FROM "project_guests" t4
 WHERE (t4."user" = $7)))) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), List([Text("owner"), Text("admin")]), Text("u1"), List([Text("owner"), Text("admin")]), Text("u1"), List([Text("owner"), Text("admin"), Text("member")]), Text("u1")

-- project_guests for a guest
-- nothing: the rule denies without asking

-- project_guests for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."project", t."user"
  FROM "project_guests" t
 WHERE ((t."user" = $1) OR (t."project" IN (SELECT t1."id"
  FROM "projects" t1
 WHERE (t1."org" IN (SELECT t2."org"
  FROM "org_members" t2
 WHERE (t2."user" = $2) AND (t2."role" = ANY($3))))))) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1"), List([Text("owner"), Text("admin")])

-- tasks for a guest
-- nothing: the rule denies without asking

-- tasks for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."project", t."title", t."state", t."assignee"
  FROM "tasks" t
 WHERE ((t."project" IN (SELECT t1."id"
  FROM "projects" t1
 WHERE (t1."org" IN (SELECT t2."org"
  FROM "org_members" t2
 WHERE (t2."user" = $1) AND (t2."role" = ANY($2)))))) OR (t."project" IN (SELECT t3."project"
  FROM "project_guests" t3
 WHERE (t3."user" = $3)))) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), List([Text("owner"), Text("admin"), Text("member")]), Text("u1")

