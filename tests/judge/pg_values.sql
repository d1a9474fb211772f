-- Tables with a column v of every type and many values, and what print_pg_values reads of them.
SET client_min_messages = warning;
SET datestyle = 'ISO';
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 1;
SET lc_monetary = 'C';
CREATE EXTENSION pageinspect;
CREATE EXTENSION citext;
DO 'BEGIN PERFORM setseed(0.42); END';

CREATE TYPE mood AS ENUM ('sad', 'ok', 'hap"p,y', 'über');
CREATE TYPE pair AS (i int, t text);
CREATE TYPE nest AS (p pair, a text[], m mood, "q u" numeric, d timestamptz);
CREATE DOMAIN posint AS int CHECK (value > 0);
CREATE DOMAIN words AS text[];
CREATE DOMAIN pairs AS pair;
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE floatrange AS RANGE (subtype = float8);
CREATE ROLE "ro le";
CREATE ROLE plain_1;
CREATE SCHEMA "we.ird";
CREATE TABLE "we.ird"."Ta""ble" (x int);

CREATE TABLE judged (id serial, rel regclass);
CREATE TABLE names (type oid, value oid, name text);

CREATE PROCEDURE note(name text, type text, options text DEFAULT '') LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I (v %s %s)', name, type, options);
  EXECUTE format('ALTER TABLE %I ALTER v SET STATISTICS 0', name);
  INSERT INTO judged (rel) VALUES (format('%I', name)::regclass);
END $$;

-- A table v_N of this type and these values, and one of arrays of them.
CREATE PROCEDURE add(type text, VARIADIC texts text[]) LANGUAGE plpgsql AS $$
DECLARE
  n int := (SELECT count(*) FROM judged);
  t text;
BEGIN
  CALL note('v_' || n, type);
  FOREACH t IN ARRAY texts LOOP
    EXECUTE format('INSERT INTO %I VALUES (%L)', 'v_' || n, t);
  END LOOP;
  IF (SELECT typcategory <> 'A' FROM pg_type WHERE oid = to_regtype(type)) THEN
    CALL note('v_' || n + 1, type || '[]');
    EXECUTE format('INSERT INTO %I SELECT array_agg(v) FROM %I', 'v_' || n + 1, 'v_' || n);
    EXECUTE format('INSERT INTO %I SELECT array_agg(v) || NULL FROM %I', 'v_' || n + 1, 'v_' || n);
    EXECUTE format('INSERT INTO %I SELECT ARRAY[array_agg(v), array_agg(v)] FROM %I',
                   'v_' || n + 1, 'v_' || n);
    EXECUTE format('INSERT INTO %I VALUES (''{}''), (ARRAY[NULL, NULL]::%s[])', 'v_' || n + 1, type);
    EXECUTE format('INSERT INTO %I SELECT array_fill(v, ARRAY[2,1,2], ARRAY[0,-5,7]) FROM %I',
                   'v_' || n + 1, 'v_' || n);
  END IF;
END $$;

CALL add('bool', 't', 'f');
CALL add('int2', '0', '-1', '32767', '-32768', '7', '10', '99', '100');
CALL add('int4', '0', '-1', '2147483647', '-2147483648', '9', '10', '12345', '1000000');
CALL add('int8', '0', '-1', '9223372036854775807', '-9223372036854775808', '100000000000');
CALL add('oid', '0', '1', '4294967295');
CALL add('xid', '0', '4294967295');
CALL add('xid8', '0', '18446744073709551615');
CALL add('cid', '0', '4294967295');
CALL add('tid', '(0,0)', '(4294967295,65535)', '(65536,1)');
CALL add('pg_lsn', '0/0', 'FFFFFFFF/FFFFFFFF', '1/ABC');
CALL add('money', '0', '-1', '0.01', '-0.99', '1234.56', '-92233720368547758.08',
         '92233720368547758.07', '999', '1000', '1000000');
CALL add('float4', '0', '-0', 'NaN', 'Infinity', '-Infinity', '1', '0.1', '1e5', '123456',
         '1e6', '1234567', '1e-4', '1e-5', '3.4028235e38', '1.1754944e-38', '1e-45', '16777216',
         '0.3333333', '8388608', '-2.5', '100000', '999999', '9999999');
CALL add('float8', '0', '-0', 'NaN', 'Infinity', '-Infinity', '1', '0.1', '1e14', '1e15', '1e16',
         '123456789012345', '1234567890123456', '9007199254740993', '9007199254740991', '1e-4',
         '1e-5', '0.00012345', '5e-324', '2.2250738585072014e-308', '1.7976931348623157e308',
         '1e22', '1e23', '0.3', '2.5', '100', '-1e100', '4.35', '0.1e-6', '9.5367431640625e-07',
         '2e-323', '1.5e-323', '123456.789', '1e20', '999999999999999', '9999999999999998');
CALL add('numeric', '0', '-0', 'NaN', 'Infinity', '-Infinity', '0.00', '1', '-1', '10', '9999',
         '10000', '10000.0001', '0.0001', '0.00001', '1e-20', '1e-16383', '1e131071', '123.4500',
         '12345678901234567890.123456789', '-99999999.99999999', '1e40', '100000000', '0.1',
         '1e-70', '-1e-70', '1e300', '0.10', '1000', '50005.0500050000');
CALL add('numeric(12,3)', '1', '-123456789.123', '0');
CALL add('text', '', 'a', 'NULL', 'null', 'nUlL', 'a b', ' ', 'a,b', 'q"q', 'back\slash', '{}',
         E'line\nfeed', E'tab\t', E'cr\r', E'\v\f', 'äöü€😀', '\.', '''', '(x)', repeat('long ', 60));
CALL add('varchar(20)', '', 'x', 'twenty characters ok');
CALL add('char(5)', '', 'x', 'xxxxx', 'ä');
CALL add('"char"', '', 'x', '\351', '"', ' ', '\200');
CALL add('name', '', 'x', 'ümläut "q"', repeat('n', 63));
CALL add('citext', 'AbC', '');
CALL add('bytea', '', '\x00', '\xdeadbeef', '\x5c78', '\x227d');
CALL add('json', '{"a": [1,  2]}', ' "x" ', '1', 'null');
CALL add('xml', '<a/>', 'text', '<?xml version="1.0"?><a/>', '<?xml version="1.1"?><a/>',
         '<?xml version="1.0" encoding="UTF-8"?>' || E'\n<a>ä</a>',
         '<?xml version=''1.0'' standalone=''yes'' ?><a/>',
         '<?xml version="1.0" encoding="utf-8" standalone="no"?>' || E'\n<a/>',
         '<?xml-stylesheet href="x"?><a/>');
CALL add('uuid', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
         'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
CALL add('date', '4713-01-01 BC', '0001-01-01 BC', '0001-12-31 BC', '0001-01-01', '2000-02-29',
         '1900-02-28', '1999-12-31', '5874897-12-31', '9999-12-31', '10000-01-01', 'infinity',
         '-infinity', '1582-10-15', '2000-01-01', '4714-11-24 BC', '0044-03-15 BC');
CALL add('time', '00:00', '24:00', '23:59:59.999999', '12:34:56.7', '01:02:03.000001',
         '00:00:00.5');
CALL add('timetz', '00:00+00', '24:00-15:59', '12:00+15:59:59', '12:34:56.789+05:30',
         '01:00-03', '01:00-03:30:15', '01:00+00:00:01');
CALL add('timestamp', '4713-01-01 00:00 BC', '294276-12-31 23:59:59.999999', 'infinity',
         '-infinity', '2000-01-01', '1999-12-31 23:59:59.999999', '1970-01-01', '0001-01-01 BC',
         '2024-02-29 12:34:56.123456', '2024-01-01 00:00:00.1', '4714-11-24 00:00 BC',
         '1582-10-04 01:01:01.01', '12345-06-07 08:09:10');
CALL add('timestamptz', '4713-01-01 00:00+00 BC', '294276-12-31 23:59:59.999999+00', 'infinity',
         '-infinity', '2000-01-01 12:00+05:30', '1999-12-31 23:59:59.999999-08');
CALL add('timestamp(0)', '2024-01-01 00:00:00.6');
CALL add('interval', '0', '1 year', '-1 year', '2 years 3 mons', '1 mon', '-1 mon 2 days',
         '1 day', '-1 day 00:00:01', '1 day -00:00:01', '1 year -1 mon', '-13 mons', '00:00:00.5',
         '-00:00:00.000001', '2562047788:00:54.775807', '-2562047788:00:54.775807',
         '178000000 years', '-178000000 years', '2147483647 days', '-2147483648 days',
         '1 year 2 mons 3 days 04:05:06.789', '-1 mon +1 day -00:01', '-1 year 1 mon 1 day 1 hour',
         '100:00', '12:00', '-1 day +12:00', '1 mon -1 day +12:00');
CALL add('bit(1)', '0', '1');
CALL add('bit(11)', '10101010101');
CALL add('varbit', '', '1', '0000000011111111', '110011001');
CALL add('inet', '0.0.0.0', '10.0.1.1/24', '255.255.255.255', '10.0.0.0/0', '::', '::1',
         '::1.2.3.4', '::ffff:1.2.3.4', '::ffff:0:1.2.3.4', '2001:db8::1/64', '1::', '::2:0',
         '1:0:0:2:0:0:0:3', '1:0:2:0:3:0:4:0', '1:2:3:4:5:6:7:8', 'fe80::1/128',
         '::ffff:1.2.3.4/100', '0:0:0:0:0:1::', '::1:0:0:0', 'a:b:c:d:e:f:0:0', '::7:8');
CALL add('cidr', '10.0.0.0/8', '192.168.1.1/32', '2001:db8::/32', '::/0', '::1/128');
CALL add('macaddr', '08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff');
CALL add('macaddr8', '08:00:2b:01:02:03:04:05');
CALL add('point', '(0,0)', '(1.5,-2)', '(NaN,Infinity)', '(1e300,1e-300)');
CALL add('lseg', '[(0,0),(1,1)]', '[(1.5,-2),(NaN,3)]');
CALL add('box', '(0,0),(1,1)', '(3,4),(-1,0.5)');
CALL add('line', '{1,2,3}', '{0,-1,2.5}');
CALL add('circle', '<(0,0),1>', '<(1.5,-2),0>');
CALL add('path', '[(0,0)]', '((0,0),(1,1),(2,0))', '[(0,0),(1.5,1),(2,-0)]');
CALL add('polygon', '((0,0))', '((0,0),(1,1),(2,0))');
CALL add('tsvector', '', 'a', 'a:1', 'a:1A,2B,3C,4 b', '''it''''s'' ''back\\slash'' ''sp ace''',
         'fat:2,4 cat:3B rat:5A', 'ä:16383A', 'a b c d e:1 ff:2 ggg:3,4,5');
CALL add('tsquery', '', 'a', 'a & b', 'a | b & c', '(a | b) & !c', '!(a & b)', 'a <-> b',
         'a <5> b <-> c', 'a <-> (b <-> c)', 'a <-> (b | c)', 'a:*', 'a:AB', 'a:*CD', '!!a',
         '''it''''s'' & ''sp ace''', '!a <-> b', '(a & b) | (c & d & e) | f', 'a & (b & c)',
         '!(a <-> b) | !c:A');
CALL add('pg_snapshot', '1:1:', '10:20:10,14,15');
CALL add('txid_snapshot', '10:20:10,14,15');
CALL add('jsonb', '{}', '[]', '1', '"x"', 'null', 'true', '-1.50', '1e100', '[1, [2, [3, []]], {}]',
         '{"a": 1, "bb": [true, false, null, "s"], "c": {"d": {"e": []}}}', '""',
         '"\" \\ \/ \b \f \n \r \t \u0001 \u001f ä 😀"', '{"": ""}', '[[], [[]], [{}]]',
         '{"k1":1,"k2":"2","k3":[3],"k4":{"x":4},"k5":null,"k6":5.5,"k7":"seven","k8":8888888888}');
CALL add('jsonpath', '$', 'strict $', '$.a.b', '$."a b"[*]', '$.*', '$.**', '$.**{2}',
         '$.**{2 to 5}', '$.**{last}', '$.**{1 to last}', '$[0]', '$[0, 1 to 3, last]',
         '$[last - 1 to last]', '$ ? (@ > 1)', '$.a ? (@.b == "x" && @.c != null || !(@.d < 1))',
         '$ ? (exists (@.x ? (@ > 3)))', '$ ? (@ like_regex "^a" flag "i")',
         '$ ? (@ like_regex "a.b" flag "qsmx")', '$ ? (@ like_regex "z")',
         '$ ? (@ starts with "ab")', '$ ? (@ starts with $var)', '$a + $b * 2', '($a + $b) * 2',
         '-$.a', '+$', '$.a.size()', '$.type()', '$.double().abs().floor().ceiling()',
         '$.keyvalue()', '$.datetime()', '$.datetime("HH24:MI")', '1', '(1).type()', '1.5e10',
         '"s"', 'null', 'true', '$ ? ((@ == 1) is unknown)', '$.a[$.b].c', '1 - (2 - 3)',
         '1 - 2 - 3', '2 * 3 % 4 / 5', '-(1 + 2)', '$ ? (@.a >= 1 && (@.b <= 2 || @.c <> 3))');
CALL add('int4range', 'empty', '[1,2)', '(,)', '[1,)', '(,5)', '[-5,7]');
CALL add('int8range', 'empty', '[1,2)', '(,)');
CALL add('numrange', 'empty', '[1.5,2]', '(1,2)', '(-Infinity,NaN]');
CALL add('tsrange', 'empty', '[2000-01-01,2000-01-02)', '(,infinity]', '[-infinity,)');
CALL add('tstzrange', '[2000-01-01,2000-01-02)', '(,)');
CALL add('daterange', '[2000-01-01,2000-01-02)', '[4713-01-01 BC,)');
CALL add('textrange', 'empty', '[a,b)', '["a b","c,d"]', '["","x"]', '["q\"",]', '(,"\\"]', '["(a)","]"]');
CALL add('floatrange', '[1.5,2.5)', '(,)');
CALL add('int4multirange', '{}', '{[1,2)}', '{[1,2),[5,9),[100,)}', '{(,)}');
CALL add('nummultirange', '{}', '{[1.5,2],(3,4)}', '{(,1),[2.000,3),(10,)}');
CALL add('tsmultirange', '{[2000-01-01,2000-01-02),[2001-01-01,infinity)}');
CALL add('datemultirange', '{[2000-01-01,2000-01-02),[2001-01-01,)}');
CALL add('textmultirange', '{[a,b),[c,"d e"),["f,g",z)}', '{}');
CALL add('mood', 'sad', 'ok', 'hap"p,y', 'über');
CALL add('pair', '(1,a)', '(,)', '(-1,"a b")', '(2,"")', '(3,"q""q")', '(4,"b\\s")', '(5,"(,)")',
         '(6,NULL)', E'(7,"\n")');
CALL add('nest', '("(1,a)","{a,NULL,""b c""}",ok,1.50,infinity)', '("(,"" x"")",,,,)', '(,,,,)',
         '("(,)",{},"hap""p,y",NaN,"2000-01-01 00:00:00+00")');
CALL add('posint', '1', '2147483647');
CALL add('words', '{}', '{a,"b c",NULL}');
CALL add('pairs', '(1,a)', '(,"x y")');
CALL add('int4[]', '{}', '{1}', '[0:1]={1,2}', '[-2:-1][3:4]={{1,2},{3,NULL}}', '{{{1}},{{2}}}');
CALL add('text[]', '{}', '{""}', '{NULL,"NULL","null"}', '{"{","}",",","\\","\""," "}');
CALL add('box[]', '{(1,1),(0,0);(2,2),(1,1)}');
CALL add('int2vector', '', '1', '1 -2 3');
CALL add('oidvector', '', '4294967295', '1 2 3');
CALL add('regclass', '-', 'pg_class', 'judged', '"we.ird"."Ta""ble"', '4000000000');
CALL add('regtype', '-', 'int4', '"we.ird"."Ta""ble"', 'timestamptz', 'char', '"char"', 'int4[]');
CALL add('regproc', '-', 'int4in', 'heap_page_items');
CALL add('regprocedure', '-', 'int4in(cstring)', 'generate_series(int4,int4)');
CALL add('regoper', '0', '#-');
CALL add('regoperator', '0', '+(int4,int4)', '-(NONE,int4)');
CALL add('regnamespace', '-', 'pg_catalog', '"we.ird"');
CALL add('regrole', '-', 'judge', '"ro le"');
CALL add('regcollation', '-', '"C"');
CALL add('regconfig', '-', 'english');
CALL add('regdictionary', '-', 'simple');
CALL add('aclitem', 'judge=arwdDxt/judge', '=r/judge', '"ro le"=a*r*/plain_1', 'plain_1=X/"ro le"',
         'judge=UCcTsA/judge', 'plain_1=U*C*c*T*/judge');
CALL add('refcursor', 'cur', '');

-- Many numbers.
CALL note('many_float8', 'float8');
INSERT INTO many_float8 SELECT power(2::float8, n) FROM generate_series(-1074, 1023) n;
INSERT INTO many_float8 SELECT power(2::float8, n) * (1 + power(2::float8, -52)) FROM generate_series(-1022, 1022) n;
INSERT INTO many_float8 SELECT power(2::float8, n) * (2 - power(2::float8, -52)) FROM generate_series(-1022, 1022) n;
INSERT INTO many_float8 SELECT ('1e' || n)::float8 FROM generate_series(-323, 308) n;
INSERT INTO many_float8 SELECT ('9.999999999999999e' || n)::float8 FROM generate_series(-307, 307) n;
INSERT INTO many_float8 SELECT (random() - 0.5) * power(10::float8, (random() * 600 - 300)::int) FROM generate_series(1, 20000);
INSERT INTO many_float8 SELECT random() FROM generate_series(1, 5000);
INSERT INTO many_float8 SELECT floor(random() * power(10::float8, n % 18)) / power(10::float8, n % 7) FROM generate_series(1, 10000) n;
INSERT INTO many_float8 SELECT n * power(2::float8, -1074) FROM generate_series(1, 2000) n;
INSERT INTO many_float8 SELECT 9007199254740991::float8 + n FROM generate_series(-500, 500) n;
CALL note('many_float4', 'float4');
INSERT INTO many_float4 SELECT power(2::float8, n)::float4 FROM generate_series(-149, 127) n;
INSERT INTO many_float4 SELECT (power(2::float8, n) * (1 + power(2::float8, -23)))::float4 FROM generate_series(-126, 126) n;
INSERT INTO many_float4 SELECT (power(2::float8, n) * (2 - power(2::float8, -23)))::float4 FROM generate_series(-126, 126) n;
INSERT INTO many_float4 SELECT ((random() - 0.5) * power(10::float8, (random() * 74 - 37)::int))::float4 FROM generate_series(1, 20000);
INSERT INTO many_float4 SELECT (floor(random() * power(10::float8, n % 9)) / power(10::float8, n % 5))::float4 FROM generate_series(1, 10000) n;
INSERT INTO many_float4 SELECT (n * power(2::float8, -149))::float4 FROM generate_series(1, 1000) n;
CALL note('many_numeric', 'numeric');
INSERT INTO many_numeric SELECT trunc((random() - 0.5)::numeric * ('1e' || n % 40)::numeric, n % 23) FROM generate_series(1, 10000) n;
INSERT INTO many_numeric SELECT ('1e' || n)::numeric FROM generate_series(-300, 300) n;
CALL note('many_timestamps', 'timestamp');
INSERT INTO many_timestamps SELECT '2000-01-01'::timestamp + (random() - 0.2) * 200000 * '365 days'::interval FROM generate_series(1, 1000) WHERE false;
INSERT INTO many_timestamps SELECT '4713-01-01 BC'::timestamp + n * '3177 days 03:04:05.067'::interval FROM generate_series(0, 30000) n;
CALL note('many_dates', 'date');
INSERT INTO many_dates SELECT '4713-01-01 BC'::date + n FROM generate_series(0, 30000) n;
INSERT INTO many_dates SELECT '1800-01-01'::date + n FROM generate_series(0, 20000) n;
INSERT INTO many_dates SELECT '4713-01-01 BC'::date + 71473 * n FROM generate_series(0, 30000) n;

-- Rows older than their type's last field; dropped fields.
CREATE TYPE grown AS (a int, b text, c int);
CALL note('v_grown', 'grown');
INSERT INTO v_grown VALUES ('(1,x,2)'), ('(,,)');
ALTER TYPE grown DROP ATTRIBUTE b CASCADE;
ALTER TYPE grown ADD ATTRIBUTE d timestamp CASCADE;
INSERT INTO v_grown VALUES ('(1,2,infinity)'), ('(,,)');

-- Long values: in line and not, compressed and not, by either method.
DO $$
DECLARE
  m text;
  s text;
  t text;
BEGIN
  FOREACH m IN ARRAY ARRAY['pglz', 'lz4'] LOOP
    FOREACH s IN ARRAY ARRAY['extended', 'external', 'main'] LOOP
      t := format('long_%s_%s', m, s);
      CALL note(t, 'text', 'COMPRESSION ' || m);
      EXECUTE format('ALTER TABLE %I ALTER v SET STORAGE %s', t, s);
      EXECUTE format($q$INSERT INTO %I SELECT repeat('abcdefgh ', n) FROM unnest(ARRAY[10, 250, 300, 1000, 5000, 100000]) n$q$, t);
      EXECUTE format($q$INSERT INTO %I SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i, unnest(ARRAY[1, 3, 30]) n GROUP BY n$q$, t);
      EXECUTE format($q$INSERT INTO %I SELECT string_agg((i * i %% 977)::text, ',') FROM generate_series(1, 6000) i$q$, t);
    END LOOP;
    FOREACH s IN ARRAY ARRAY['int4[]', 'numeric[]', 'text[]'] LOOP
      t := format('long_%s_%s', m, s);
      CALL note(t, s, 'COMPRESSION ' || m);
      EXECUTE format($q$INSERT INTO %I SELECT array_agg(i) FROM generate_series(1, 5000) i$q$, t);
    END LOOP;
    t := 'long_jsonb_' || m;
    CALL note(t, 'jsonb', 'COMPRESSION ' || m);
    EXECUTE format($q$INSERT INTO %I SELECT jsonb_object_agg('key ' || i, jsonb_build_array(i, i / 7.0, md5(i::text), null)) FROM generate_series(1, 1000) i$q$, t);
    EXECUTE format($q$INSERT INTO %I SELECT (repeat('[', 5000) || repeat(']', 5000))::jsonb$q$, t);
    t := 'long_tsvector_' || m;
    CALL note(t, 'tsvector', 'COMPRESSION ' || m);
    EXECUTE format($q$INSERT INTO %I SELECT to_tsvector('simple', string_agg('w' || i %% 700, ' ')) FROM generate_series(1, 5000) i$q$, t);
    t := 'long_nest_' || m;
    CALL note(t, 'nest[]', 'COMPRESSION ' || m);
    EXECUTE format($q$INSERT INTO %I SELECT array_agg(ROW(ROW(i, 'x ' || i), ARRAY[md5(i::text), 'a b'], 'ok', i, now())::nest) FROM generate_series(1, 300) i$q$, t);
  END LOOP;
  CALL note('long_tsquery', 'tsquery');
  INSERT INTO long_tsquery SELECT string_agg(CASE WHEN i % 3 = 0 THEN '!(a' || i || ' | b)' ELSE 'w' || i END, ' & ')::tsquery FROM generate_series(1, 150) i;
  CALL note('long_multirange', 'int4multirange');
  INSERT INTO long_multirange SELECT range_agg(int4range(i * 10, i * 10 + 5)) FROM generate_series(1, 500) i;
  CALL note('long_numeric', 'numeric');
  INSERT INTO long_numeric SELECT (repeat('1234567', 9000) || '.' || repeat('89', 5000))::numeric;
END $$;

-- Extended statistics print by functions of their own.
CREATE TABLE counted AS SELECT i % 10 AS a, i % 10 AS b, i % 7 AS c FROM generate_series(1, 1000) i;
CREATE STATISTICS counts ON a, b, c FROM counted;
ANALYZE counted;
INSERT INTO judged (rel) VALUES ('pg_statistic_ext_data'), ('pg_class'), ('pg_statistic'), ('pg_proc'),
  ('pg_type'), ('pg_index'), ('pg_rewrite'), ('pg_operator'), ('pg_constraint'),
  ('pg_aggregate'), ('pg_namespace'), ('pg_init_privs'), ('pg_database'), ('pg_attrdef');

-- What reg* types and rights need to be named.
CREATE TABLE judge_values (label text, type oid, raw text, expected text);
DO $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT rel, attname, attnum, atttypid FROM judged
             JOIN pg_class c ON c.oid = rel JOIN pg_attribute ON attrelid = rel
            WHERE attnum > 0 AND NOT attisdropped LOOP
    EXECUTE format($q$
      INSERT INTO judge_values
      SELECT %L, %L, encode(t_attrs[%s], 'hex'), encode(convert_to(format('%%s', %I), 'UTF8'), 'hex')
        FROM generate_series(0, pg_relation_size(%L) / 8192 - 1) AS b (blkno)
        CROSS JOIN LATERAL heap_page_item_attrs(get_raw_page(%L, blkno::int), %L::regclass, false)
        JOIN %s AS t ON t.ctid = format('(%%s,%%s)', blkno, lp)::tid
       WHERE %I IS NOT NULL$q$,
      r.rel || '.' || r.attname, r.atttypid, r.attnum, r.attname, r.rel, r.rel, r.rel,
      r.rel, r.attname);
  END LOOP;
END $$;
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['regclass', 'regtype', 'regproc', 'regprocedure', 'regoper',
      'regoperator', 'regnamespace', 'regrole', 'regcollation', 'regconfig', 'regdictionary'] LOOP
    EXECUTE format($q$INSERT INTO names SELECT %L::regtype, oid, oid::%s FROM %s$q$, t, t,
      CASE t WHEN 'regclass' THEN 'pg_class' WHEN 'regtype' THEN 'pg_type' WHEN 'regproc' THEN 'pg_proc'
      WHEN 'regprocedure' THEN 'pg_proc' WHEN 'regoper' THEN 'pg_operator' WHEN 'regoperator' THEN 'pg_operator'
      WHEN 'regnamespace' THEN 'pg_namespace' WHEN 'regrole' THEN 'pg_authid' WHEN 'regcollation' THEN 'pg_collation'
      WHEN 'regconfig' THEN 'pg_ts_config' WHEN 'regdictionary' THEN 'pg_ts_dict' END);
  END LOOP;
END $$;
CREATE TABLE chunks (relation oid, value oid, seq int, chunk text);
DO $$
DECLARE
  t regclass;
BEGIN
  FOR t IN SELECT DISTINCT reltoastrelid FROM judged JOIN pg_class c ON c.oid = rel
            WHERE reltoastrelid <> 0 LOOP
    EXECUTE format($q$INSERT INTO chunks SELECT %L, chunk_id, chunk_seq, encode(chunk_data, 'hex') FROM %s$q$, t::oid, t);
  END LOOP;
END $$;

\copy (SELECT t.oid, typname, typlen, typalign, typtype, typdelim, typrelid, typelem, typarray, coalesce((SELECT rngsubtype FROM pg_range WHERE rngtypid = t.oid), (SELECT rngtypid FROM pg_range WHERE rngmultitypid = t.oid), typbasetype), typtypmod, p.prosrc FROM pg_type t JOIN pg_proc p ON p.oid = typoutput) TO types
\copy (SELECT attrelid, attnum, atttypid, atttypmod, attlen, attalign, attisdropped FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND relkind IN ('c', 'r') ORDER BY attrelid, attnum) TO fields
\copy (SELECT oid, enumlabel FROM pg_enum) TO enums
\copy names TO names
\copy (SELECT * FROM chunks ORDER BY relation, value, seq) TO chunks
\copy judge_values TO values
