-- Relations that are odd and sound: of each access method, of rows as they seldom are. Values are of
-- types that PostgreSQL has itself, or prints by functions that it has.
CREATE EXTENSION bloom;
CREATE EXTENSION btree_gin;
CREATE EXTENSION btree_gist;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION intarray;
CREATE EXTENSION citext;

-- Hash indexes allocate the buckets of a splitpoint ahead.
CREATE TABLE hashed (id int, t text);
CREATE INDEX hashed_id ON hashed USING hash (id);
INSERT INTO hashed SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
CREATE INDEX hashed_t ON hashed USING hash (t);
INSERT INTO hashed SELECT g, md5(g::text) FROM generate_series(1, 40000) g;
DELETE FROM hashed WHERE id % 3 = 0;
VACUUM hashed;

-- SP-GiST leaves pages that it allocated and did not need.
CREATE TABLE sp (t text, i inet, r int4range, p point, b box);
CREATE INDEX sp_t ON sp USING spgist (t);
CREATE INDEX sp_i ON sp USING spgist (i);
CREATE INDEX sp_r ON sp USING spgist (r);
CREATE INDEX sp_p ON sp USING spgist (p);
CREATE INDEX sp_kd ON sp USING spgist (p kd_point_ops);
CREATE INDEX sp_b ON sp USING spgist (b);
CREATE INDEX sp_more ON sp USING spgist (t) INCLUDE (i, p);
INSERT INTO sp
    SELECT md5(g::text) || repeat('x', g % 200), ('10.' || g % 256 || '.' || (g / 256) % 256 || '.' || g % 7)::inet,
           int4range(g % 1000, g % 1000 + g % 13 + 1), point(g % 317, g % 1013), box(point(g % 317, g), point(g, g % 11))
    FROM generate_series(1, 8000) g;
INSERT INTO sp SELECT NULL, NULL, NULL, NULL, NULL FROM generate_series(1, 500);
INSERT INTO sp
    SELECT 'http://www.example.org/' || repeat(chr(97 + g % 26), g % 900), ('2001:db8::' || to_hex(g))::inet, 'empty', NULL, NULL
    FROM generate_series(1, 3000) g;
DELETE FROM sp WHERE length(t) % 3 = 0;
VACUUM sp;
INSERT INTO sp (t) SELECT md5((g + 7)::text) || repeat('y', g % 100) FROM generate_series(1, 3000) g;

CREATE TABLE gi (a int[], j jsonb, t text, v tsvector, n int);
CREATE INDEX gi_a ON gi USING gin (a);
CREATE INDEX gi_ints ON gi USING gin (a gin__int_ops);
CREATE INDEX gi_j ON gi USING gin (j jsonb_path_ops);
CREATE INDEX gi_t ON gi USING gin (t gin_trgm_ops);
CREATE INDEX gi_v ON gi USING gin (v) WITH (gin_pending_list_limit = 64);
CREATE INDEX gi_n ON gi USING gin (n, t);
INSERT INTO gi
    SELECT ARRAY[g % 3, g % 1000, 7], jsonb_build_object('a', g % 10, 'b', ARRAY[g, 7]), md5(g::text),
           to_tsvector('english', 'the quick ' || md5((g % 100)::text) || ' fox'), g % 50
    FROM generate_series(1, 5000) g;
DELETE FROM gi WHERE n % 7 = 1;
VACUUM gi;
INSERT INTO gi SELECT '{NULL}', NULL, 'late', to_tsvector('english', 'late ' || g), NULL FROM generate_series(1, 300) g;

CREATE TABLE gs (p point, b box, r numrange, t text, a int[], n int, d tstzrange, f float8);
INSERT INTO gs
    SELECT point(g * 7919 % 1000, g % 1013), box(point(g, g), point(g + 1, g + 2)), numrange(g, g + 1.5), md5(g::text),
           ARRAY[g % 100, g], g, tstzrange('2020-01-01', '2020-01-01'::timestamptz + g * interval '1 s'),
           (CASE g % 3 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE g::text END)::float8
    FROM generate_series(1, 4000) g;
CREATE INDEX gs_p ON gs USING gist (p) WITH (buffering = on, fillfactor = 40);
CREATE INDEX gs_b ON gs USING gist (b) WITH (buffering = off);
CREATE INDEX gs_r ON gs USING gist (r) INCLUDE (n);
CREATE INDEX gs_t ON gs USING gist (t gist_trgm_ops (siglen = 64));
CREATE INDEX gs_a ON gs USING gist (a gist__intbig_ops);
CREATE INDEX gs_n ON gs USING gist (n, f);
ALTER TABLE gs ADD CONSTRAINT gs_apart EXCLUDE USING gist (n WITH =, d WITH &&);
DELETE FROM gs WHERE n BETWEEN 1000 AND 2500;
VACUUM gs;
INSERT INTO gs (p, n, d) SELECT point(g, g), g + 10000, 'empty' FROM generate_series(1, 500) g;

CREATE TABLE br (id int, t timestamptz, i inet, u uuid, n numeric);
INSERT INTO br
    SELECT g, '2020-01-01'::timestamptz + g * interval '1 min', ('10.0.' || g % 256 || '.1')::inet, md5(g::text)::uuid, g * 1.5
    FROM generate_series(1, 10000) g;
CREATE INDEX br_minmax ON br USING brin (id, t) WITH (pages_per_range = 4);
CREATE INDEX br_multi ON br USING brin (id int4_minmax_multi_ops, n numeric_minmax_multi_ops (values_per_range = 16))
    WITH (pages_per_range = 2);
CREATE INDEX br_bloom ON br USING brin (u uuid_bloom_ops) WITH (pages_per_range = 1);
CREATE INDEX br_inclusion ON br USING brin (i inet_inclusion_ops);
INSERT INTO br SELECT g, NULL, NULL, NULL, NULL FROM generate_series(1, 2000) g;
SELECT brin_summarize_new_values('br_minmax'), brin_desummarize_range('br_minmax', 8);

CREATE TABLE bt (a int, b text, c text COLLATE "C", d numeric, e timestamptz, f bool, g int8);
CREATE INDEX bt_few ON bt (f, a);
CREATE INDEX bt_plain ON bt (a) WITH (deduplicate_items = off, fillfactor = 55);
CREATE INDEX bt_c ON bt (c DESC NULLS FIRST);
CREATE INDEX bt_more ON bt (d) INCLUDE (b, e);
CREATE INDEX bt_pattern ON bt (b text_pattern_ops);
CREATE INDEX bt_expression ON bt ((a * 2), lower(b));
CREATE INDEX bt_part ON bt (g) WHERE f;
CREATE INDEX bt_all ON bt (a, b, c, d, e, f, g);
INSERT INTO bt
    SELECT g % 10, md5(g::text), CASE WHEN g % 11 > 0 THEN md5(g::text) || repeat('z', g % 300) END,
           CASE g % 9 WHEN 0 THEN 'NaN'::numeric WHEN 1 THEN NULL WHEN 2 THEN 'Infinity'::numeric ELSE g / 7.0 END,
           to_timestamp(g), g % 2 = 0, g
    FROM generate_series(1, 8000) g;
DELETE FROM bt WHERE g BETWEEN 2000 AND 6000;
VACUUM bt;
INSERT INTO bt SELECT g % 10, md5(g::text), 'c', g, 'infinity', NULL, NULL FROM generate_series(1, 1000) g;
UPDATE bt SET f = NOT f WHERE g < 500;

CREATE TABLE bl (a int, b int, c text);
INSERT INTO bl SELECT g, g % 7, md5(g::text) FROM generate_series(1, 4000) g;
CREATE INDEX bl_bloom ON bl USING bloom (a, b, c) WITH (length = 80, col1 = 2);
DELETE FROM bl WHERE a < 2000;
VACUUM bl;

CREATE COLLATION nearly (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE words (t text COLLATE nearly PRIMARY KEY, p text COLLATE "POSIX", c citext UNIQUE, cs citext[]);
INSERT INTO words SELECT chr(65 + g % 26) || g, md5(g::text), 'Any,' || g, ARRAY['A', 'b,', NULL]::citext[]
    FROM generate_series(1, 2000) g;
CREATE INDEX words_p ON words (p);
CREATE INDEX words_hash ON words USING hash (t);

CREATE TYPE comp AS (a int, b text, c numeric[]);
CREATE TYPE comp2 AS (x comp, y comp[], z date);
CREATE DOMAIN dcomp AS comp CHECK ((VALUE).a IS NULL OR (VALUE).a >= 0);
CREATE DOMAIN dcomps AS comp[];
CREATE DOMAIN ddcomps AS dcomps;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok';
ALTER TYPE mood ADD VALUE 'worst' BEFORE 'sad';
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad "q", x';
CREATE TYPE crange AS RANGE (subtype = comp);
CREATE TYPE mrange AS RANGE (subtype = mood);
CREATE TABLE dom (id int, d ddcomps, e dcomp, c2 comp2, ms mood[], m mood, mr mrange, mm int4multirange, cr crange);
INSERT INTO dom VALUES
    (1, ARRAY[ROW(1, 'a,b "q" \', ARRAY[1.5, NULL])::comp, NULL, ROW(NULL, '', '{}')::comp], ROW(5, NULL, NULL)::comp,
     ROW(ROW(1, ' sp', '{NaN}'), ARRAY[ROW(2, '(x)', NULL)]::comp[], '0044-03-15 BC')::comp2, '{worst,NULL,"glad \"q\", x"}',
     'meh', '[sad,ok)', '{[1,3),[7,9)}', crange(ROW(1, 'a', '{}')::comp, ROW(2, 'b c', NULL)::comp, '[]')),
    (2, '[0:1]={"(1,,)","(2,x,)"}', NULL, NULL, '[-1:0][2:2]={{sad},{ok}}', NULL, NULL, '{}', NULL);
INSERT INTO dom (id, m, e) SELECT g, (ARRAY['worst','sad','meh','ok']::mood[])[g % 4 + 1], ROW(g, 'x', NULL)::comp
    FROM generate_series(10, 1500) g;
CREATE INDEX dom_m ON dom (m);
CREATE INDEX dom_e ON dom (e);

-- Tables of 1600 columns, of none, of none any more.
DO $$
BEGIN
    EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('c' || g || ' ' || (ARRAY['int2', 'bool', '"char"', 'int4'])[g % 4 + 1], ',')
                                      FROM generate_series(1, 1600) g) || ')';
    INSERT INTO wide (c1, c4, c1600, c1599) VALUES (true, 4, 1600, 1599), (NULL, NULL, NULL, NULL);
    EXECUTE 'INSERT INTO wide SELECT ' || (SELECT string_agg((ARRAY['1::int2', 'false', '''x''::"char"', g::text])[g % 4 + 1], ',')
                                           FROM generate_series(1, 1600) g);
END $$;
CREATE TABLE none ();
INSERT INTO none DEFAULT VALUES;
INSERT INTO none DEFAULT VALUES;
CREATE TABLE dropped (a int, b text);
INSERT INTO dropped VALUES (1, 'x'), (2, 'y');
ALTER TABLE dropped DROP COLUMN a, DROP COLUMN b;
INSERT INTO dropped DEFAULT VALUES;
ALTER TABLE dropped ADD COLUMN late int DEFAULT 5;

CREATE TABLE stored (id int, p text, m text, e text, l text COMPRESSION lz4, g text COMPRESSION pglz) WITH (toast_tuple_target = 300);
ALTER TABLE stored ALTER p SET STORAGE PLAIN, ALTER m SET STORAGE MAIN, ALTER e SET STORAGE EXTERNAL;
INSERT INTO stored
    SELECT g, repeat('p', 1000), repeat(md5(g::text), 100), repeat(md5(g::text), 200), repeat(md5(g::text), 400),
           repeat(md5(g::text) || 'ä', 300)
    FROM generate_series(1, 60) g;
ALTER TABLE stored ALTER e SET STORAGE MAIN, ALTER g SET COMPRESSION lz4, ALTER m SET STORAGE EXTERNAL;
INSERT INTO stored
    SELECT g + 100, '', repeat(md5(g::text), 100), (SELECT string_agg(md5((g * 1000 + k)::text), '') FROM generate_series(1, 100) k),
           repeat(md5(g::text), 20000), '' FROM generate_series(1, 5) g;

CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT -3 MINVALUE -1000 MAXVALUE 10 CYCLE), a int,
                   b int GENERATED ALWAYS AS (a * 2) STORED, c text GENERATED ALWAYS AS (a::text || 'x') STORED);
INSERT INTO made (a) SELECT g FROM generate_series(1, 500) g;
UPDATE made SET a = a + 1 WHERE a % 3 = 0;
CREATE TABLE parent (a int, b text DEFAULT 'p');
CREATE TABLE kid (c int) INHERITS (parent);
CREATE TABLE other_parent (b text, z int);
CREATE TABLE grandkid (d date) INHERITS (kid, other_parent);
INSERT INTO grandkid (a, b, c, z, d) VALUES (4, 'gk', 5, 6, '2020-01-01');
ALTER TABLE parent ADD COLUMN n text DEFAULT 'new';
INSERT INTO grandkid (a) VALUES (9);
CREATE TABLE pt (k int, t text, d date) PARTITION BY RANGE ((k % 10), lower(t));
CREATE TABLE pt1 PARTITION OF pt FOR VALUES FROM (MINVALUE, MINVALUE) TO (5, 'm') PARTITION BY HASH (k);
CREATE TABLE pt1a PARTITION OF pt1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE pt1b (d date, x int, t text, k int);
ALTER TABLE pt1b DROP COLUMN x;
ALTER TABLE pt1 ATTACH PARTITION pt1b FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE pt2 PARTITION OF pt DEFAULT;
INSERT INTO pt SELECT g, md5(g::text), '2020-01-01'::date + g FROM generate_series(1, 800) g;
CREATE INDEX pt_k ON pt (k) INCLUDE (d);
CREATE MATERIALIZED VIEW mv AS SELECT a, count(*) AS n FROM bt GROUP BY a;
CREATE UNIQUE INDEX ON mv (a);
REFRESH MATERIALIZED VIEW CONCURRENTLY mv;

-- Rewritten, frozen, locked; chains of row versions; savepoints; rows that lost a race.
CREATE TABLE rewritten (a int PRIMARY KEY, b text);
INSERT INTO rewritten SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, 2000) g;
UPDATE rewritten SET b = b || 'x' WHERE a % 2 = 0;
VACUUM FULL rewritten;
UPDATE rewritten SET b = 'short' WHERE a % 5 = 0;
CLUSTER rewritten USING rewritten_pkey;
ALTER TABLE rewritten ALTER COLUMN a TYPE bigint;
ALTER TABLE rewritten ADD COLUMN c numeric DEFAULT 3.14, DROP COLUMN b;
REINDEX TABLE CONCURRENTLY rewritten;
CREATE TABLE hot (id int PRIMARY KEY, v int, pad text) WITH (fillfactor = 60);
INSERT INTO hot SELECT g, 0, repeat('h', 50) FROM generate_series(1, 1000) g;
UPDATE hot SET v = v + 1;
UPDATE hot SET v = v + 1 WHERE id % 2 = 0;
VACUUM hot;
UPDATE hot SET v = v + 10 WHERE id % 7 = 0;
CREATE TABLE frozen (a int, b text);
INSERT INTO frozen SELECT g, 'f' FROM generate_series(1, 1000) g;
VACUUM (FREEZE) frozen;
DELETE FROM frozen WHERE a % 10 = 0;
CREATE TABLE locked (id int PRIMARY KEY, v text);
INSERT INTO locked SELECT g, 'l' FROM generate_series(1, 200) g;
CREATE TABLE locker (id int REFERENCES locked);
BEGIN;
SELECT count(*) FROM (SELECT * FROM locked WHERE id < 50 FOR KEY SHARE) x;
SAVEPOINT a;
UPDATE locked SET v = 'u' WHERE id < 30;
ROLLBACK TO a;
INSERT INTO locker SELECT g FROM generate_series(1, 100) g;
UPDATE locked SET v = 'w' WHERE id BETWEEN 20 AND 60;
COMMIT;
CREATE TABLE raced (id int PRIMARY KEY, n int DEFAULT 0, t text UNIQUE);
INSERT INTO raced (id, t) SELECT g, g::text FROM generate_series(1, 200) g;
INSERT INTO raced (id, t) SELECT g % 300, g::text FROM generate_series(100, 400) g ON CONFLICT DO NOTHING;
INSERT INTO raced (id, t) SELECT g, g::text FROM generate_series(50, 60) g ON CONFLICT (id) DO UPDATE SET n = raced.n + 1;
CREATE TABLE saved (a int);
DO $$
BEGIN
    FOR i IN 1..300 LOOP
        BEGIN
            INSERT INTO saved VALUES (i);
            IF i % 3 = 0 THEN RAISE EXCEPTION 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
SELECT lo_from_bytea(0, decode(repeat('00ff10', 5000), 'hex')) FROM generate_series(1, 3);
SELECT lo_unlink((SELECT min(oid) FROM pg_largeobject_metadata));
CREATE SEQUENCE around MAXVALUE 5 CYCLE CACHE 3;
SELECT nextval('around') FROM generate_series(1, 13);
CREATE UNLOGGED TABLE unlogged (a serial, b text);
INSERT INTO unlogged (b) SELECT 'u' FROM generate_series(1, 100);
CREATE INDEX unlogged_hash ON unlogged USING hash (a);
CREATE INDEX unlogged_gin ON unlogged USING gin (b gin_trgm_ops);
CREATE INDEX unlogged_spgist ON unlogged USING spgist (b);
CREATE INDEX unlogged_brin ON unlogged USING brin (a);
CREATE TABLE twice (a int);
INSERT INTO twice SELECT g % 5 FROM generate_series(1, 100) g;
CREATE TABLE prepared (a int);
INSERT INTO prepared VALUES (1), (2), (3);
CREATE TABLE lost (id int GENERATED ALWAYS AS IDENTITY, n int, t text, twice text GENERATED ALWAYS AS (t || t) STORED);
INSERT INTO lost (n, t) VALUES (NULL, ''), (0, NULL), (3, E'two\n"lines", \\');
DELETE FROM lost WHERE id <> 3;
