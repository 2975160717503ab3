-- users for a guest
-- nothing: the rule denies without asking

-- users for u1
SELECT t."id", t."created_at", t."updated_at", t."version", CASE WHEN (t."id" = $1) THEN t."email" END, t."verified", t."name", coalesce((t."id" = $2), false)
  FROM "users" t
 WHERE (t."id" = $3) ORDER BY t."id" LIMIT $4;
-- with Text("u1"), Text("u1"), Text("u1"), Int(50)

-- users for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", CASE WHEN (t."id" = $1) THEN t."email" END, t."verified", t."name", coalesce((t."id" = $2), false)
  FROM "users" t ORDER BY t."id" LIMIT $3;
-- with Text("u1"), Text("u1"), Int(50)

-- products for a guest
SELECT t."id", t."created_at", t."updated_at", t."version", t."sku", t."title", t."price", CASE WHEN false THEN t."cost" END, t."stock", t."published_at", coalesce(false, false)
  FROM "products" t
 WHERE (t."published_at" <= $1) ORDER BY t."id" LIMIT $2;
-- with Datetime(1767268800000000), Int(50)

-- products for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."sku", t."title", t."price", CASE WHEN false THEN t."cost" END, t."stock", t."published_at", coalesce(false, false)
  FROM "products" t
 WHERE (t."published_at" <= $1) ORDER BY t."id" LIMIT $2;
-- with Datetime(1767268800000000), Int(50)

-- products for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", t."sku", t."title", t."price", t."cost", t."stock", t."published_at"
  FROM "products" t ORDER BY t."id" LIMIT $1;
-- with Int(50)

-- orders for a guest
-- nothing: the rule denies without asking

-- orders for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."customer", t."status", CASE WHEN false THEN t."note" END, coalesce(false, false)
  FROM "orders" t
 WHERE (t."customer" = $1) ORDER BY t."id" LIMIT $2;
-- with Text("u1"), Int(50)

-- orders for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", t."customer", t."status", t."note"
  FROM "orders" t ORDER BY t."id" LIMIT $1;
-- with Int(50)

-- order_items for a guest
-- nothing: the rule denies without asking

-- order_items for u1
SELECT t."id", t."created_at", t."updated_at", t."version", t."order", t."product", t."qty"
  FROM "order_items" t
 WHERE t."order" IN (SELECT t1."id"
  FROM "orders" t1
 WHERE (t1."customer" = $1)) ORDER BY t."id" LIMIT $2;
-- with Text("u1"), Int(50)

-- order_items for u1, staff
SELECT t."id", t."created_at", t."updated_at", t."version", t."order", t."product", t."qty"
  FROM "order_items" t ORDER BY t."id" LIMIT $1;
-- with Int(50)

