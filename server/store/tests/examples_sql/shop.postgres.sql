-- users for a guest
-- nothing: the rule denies without asking

-- users for u1
SELECT t."id", t."created_at", t."updated_at", t."version", CASE WHEN (t."id" = $1) THEN t."email" END, t."verified", t."name", coalesce((t."id" = $2), false)
  FROM "users" t
 WHERE (t."id" = $3) ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1"), Text("u1")

-- users for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", CASE WHEN (t."id" = $1) THEN t."email" END, t."verified", t."name", coalesce((t."id" = $2), false)
  FROM "users" t ORDER BY t."id" LIMIT 50;
-- with Text("u1"), Text("u1")

-- products for a guest
SELECT t."id", t."created_at", t."updated_at", t."version", t."sku", t."title", t."price", CASE WHEN false THEN t."cost" END, t."stock", t."published_at", coalesce(false, false)
  FROM "products" t
 WHERE (t."published_at" <= $1) ORDER BY t."id" LIMIT 50;
-- with Datetime(1767268800000000)

-- products for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."sku", t."title", t."price", CASE WHEN false THEN t."cost" END, t."stock", t."published_at", coalesce(false, false)
  FROM "products" t
 WHERE (t."published_at" <= $1) ORDER BY t."id" LIMIT 50;
-- with Datetime(1767268800000000)

-- products for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", t."sku", t."title", t."price", t."cost", t."stock", t."published_at"
  FROM "products" t ORDER BY t."id" LIMIT 50;
-- with 

-- orders for a guest
-- nothing: the rule denies without asking

-- orders for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."customer", t."status", CASE WHEN false THEN t."note" END, coalesce(false, false)
  FROM "orders" t
 WHERE (t."customer" = $1) ORDER BY t."id" LIMIT 50;
-- with Text("u1")

-- orders for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", t."customer", t."status", t."note"
  FROM "orders" t ORDER BY t."id" LIMIT 50;
-- with 

-- order_items for a guest
-- nothing: the rule denies without asking

-- order_items for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."order", t."product", t."qty"
  FROM "order_items" t
 WHERE t."order" IN (SELECT t1."id"
  FROM "orders" t1
 WHERE (t1."customer" = $1)) ORDER BY t."id" LIMIT 50;
-- with Text("u1")

-- order_items for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", t."order", t."product", t."qty"
  FROM "order_items" t ORDER BY t."id" LIMIT 50;
-- with 

