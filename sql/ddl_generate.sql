-- generate_in_ddl: the worked example, odd codes, collisions.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select migrator.load_structure('{"company": {"code": "greetgo"},
  "bos": [
    {"code": "NaturalPerson", "name": "Физическое лицо", "fields": [
      {"code": "Surname", "type": "text", "in": true}, {"code": "Name", "type": "text", "in": true},
      {"code": "IIN", "type": "text", "in": true}, {"code": "BirthDate", "type": "date", "in": true}]},
    {"code": "LegalPerson", "name": "Юридическое лицо", "fields": [
      {"code": "Name", "type": "text", "in": true}, {"code": "BIN", "type": "text", "in": true},
      {"code": "CreateDate", "type": "date", "in": true}]},
    {"code": "ClientClaim", "name": "Заявка на клиента", "fields": [
      {"code": "Name", "type": "text", "in": true}, {"code": "Descr", "type": "text_block", "in": true},
      {"code": "CoClient", "type": "co", "target": "Client", "in": true}]},
    {"code": "NaturalClaim", "name": "Заявка на физическое лицо", "fields": [
      {"code": "Name", "type": "text", "in": true}, {"code": "Descr", "type": "text_block", "in": true},
      {"code": "Natural", "type": "bo", "target": "NaturalPerson", "in": true}]}],
  "cos": [{"code": "Client", "name": "ЦО Клиент", "members": ["NaturalPerson", "LegalPerson"], "fields": [
      {"code": "CrDate", "map": {"NaturalPerson": "BirthDate", "LegalPerson": "CreateDate"}},
      {"code": "BIIN", "map": {"NaturalPerson": "IIN", "LegalPerson": "BIN"}},
      {"code": "Name", "map": {"NaturalPerson": "Name", "LegalPerson": "Name"}}]}]}');
select migrator.generate_in_ddl('greetgo');
select * from migrator.in_layout();

-- A supplier's database, without the extension.
\set supplier :DBNAME _supplier
create database :"supplier";
\setenv FROM :DBNAME
\setenv INTO :supplier
\! psql -XAtqc "select migrator.generate_in_ddl()" "$FROM" | psql -Xq --set ON_ERROR_STOP=1 "$INTO"
\! psql -XAtqc "select relname, reloptions from pg_class where relnamespace = 'in_tables'::regnamespace and relkind = 'r' order by 1" "$INTO"
drop database :"supplier";

-- A company without anything marked.
begin;
select migrator.load_structure('{"company": {"code": "greetgo"}, "bos": [{"code": "A", "fields": [{"code": "f", "type": "text"}]}]}');
select migrator.generate_in_ddl();
rollback;

-- Every key word, as the code of a BO, of a field, and of a link.
create function pg_temp.load(bos jsonb, cos jsonb default '[]') returns void language sql as $$
  select migrator.load_structure(jsonb_build_object('company', '{"code": "greetgo"}'::jsonb, 'bos', bos, 'cos', cos))
$$;
create function pg_temp.run() returns bigint language plpgsql as $$
begin
  execute migrator.generate_in_ddl();
  return (select count(*) from pg_class where relnamespace = 'in_tables'::regnamespace and relkind = 'r');
end
$$;
create function pg_temp.field(code text, type text default 'text', target text default null) returns jsonb language sql as $$
  select jsonb_strip_nulls(jsonb_build_object('code', code, 'type', type, 'target', target, 'in', true))
$$;
begin;
select pg_temp.load((select jsonb_agg(jsonb_build_object('code', word, 'fields',
    jsonb_build_array(pg_temp.field('f'), pg_temp.field(word || 's', 'bo', word)))) from pg_get_keywords())
  || jsonb_build_object('code', 'all key words', 'fields', (select jsonb_agg(pg_temp.field(initcap(word))) from pg_get_keywords())));
select pg_temp.run() = 2 * count(*) + 3 as all_there from pg_get_keywords();
select count(*) as missing from pg_get_keywords() where to_regclass('in_tables.in_' || word) is null
  or not exists (select from pg_attribute where attrelid = 'in_tables."in_all key words"'::regclass and attname = word);
rollback;

-- Odd codes.
begin;
create temporary table odd as
  select * from (values (1, 'Клиент'), (2, 'Two Words'), (3, 'quo"te'), (4, 'semi;colon'), (5, 'User'), (6, 'Order'), (7, 'Index'),
    (8, 'x"; drop table y; --'), (9, '😀'), (10, U&'\200Frtl\200F'), (11, '9'), (12, '$1'), (13, '''apostrophe'''), (14, '\back'),
    (15, '%I %s'), (16, ' blank '), (17, repeat('long', 20)), (18, repeat('ы', 40)), (19, repeat('x', 61)),
    (20, repeat('x', 200) || 'A'), (21, repeat('x', 200) || 'B'), (22, 'ÄÖ'), (23, 'äö'), (24, '--'), (25, '/*'), (26, '.')) as o (n, code);
select pg_temp.load((select jsonb_agg(jsonb_build_object('code', code, 'name', '', 'fields',
    (select jsonb_agg(pg_temp.field(code)) from odd) || pg_temp.field('to ' || code, 'bo', code)
                                                     || pg_temp.field('co ' || code, 'co', 'C'))) from odd),
  jsonb_build_array(jsonb_build_object('code', 'C', 'members', jsonb_build_array(repeat('long', 20), '9'))));
select pg_temp.run() = 4 * count(*) + 2 as all_there from odd;
select relname from pg_class where relnamespace = 'in_tables'::regnamespace and relkind = 'r' and relname not like '%\_co %'
  order by relname collate "C";
select attname from pg_attribute where attrelid = 'in_tables.in_9'::regclass and attnum > 8 order by attnum;
select count(*) as unlike from (
  select relname, attname from migrator.in_layout() where kind = 'fields' and attname is not null
  except select relname::text, attname::text from pg_class c join pg_attribute a on attrelid = c.oid where relnamespace = 'in_tables'::regnamespace) x;
rollback;

-- Collisions name both.
create function pg_temp.collide(bos jsonb) returns text language plpgsql as $$
declare
  code text;
  message text;
  hint text;
begin
  perform pg_temp.load(bos, '[{"code": "C", "members": ["Person"]}]');
  perform migrator.generate_in_ddl();
  return 'none';
exception when others then
  get stacked diagnostics code = returned_sqlstate, message = message_text, hint = pg_exception_hint;
  return concat_ws(' | ', code, message, hint);
end
$$;
create function pg_temp.bo(code text, variadic fields jsonb[]) returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object('code', code, 'fields', to_jsonb(fields)))
$$;
select pg_temp.collide(pg_temp.bo('A', pg_temp.field('Name'), pg_temp.field('NAME')));
select pg_temp.collide(pg_temp.bo('A', pg_temp.field('f')) || pg_temp.bo('a', pg_temp.field('f')));
select pg_temp.collide(pg_temp.bo('Person', pg_temp.field('f')) || pg_temp.bo('person', pg_temp.field('f')));
select pg_temp.collide(pg_temp.bo('A', pg_temp.field('ID')));
select pg_temp.collide(pg_temp.bo('A', pg_temp.field('xmin')));
select pg_temp.collide(pg_temp.bo('Thing', pg_temp.field('Part', 'bo', 'Person')) || pg_temp.bo('Thing_Part', pg_temp.field('f')));
select pg_temp.collide(pg_temp.bo('Thing', pg_temp.field('Part', 'co', 'C')) || pg_temp.bo('Thing_Part_Person', pg_temp.field('f')));
select pg_temp.collide(pg_temp.bo('FileStorage', pg_temp.field('f')));
select pg_temp.collide(pg_temp.bo('Part', pg_temp.field('part', 'bo', 'Part')));
select pg_temp.collide(pg_temp.bo('A', pg_temp.field('f')) || pg_temp.bo('A_pkey', pg_temp.field('f')));
select pg_temp.collide(pg_temp.bo('A', pg_temp.field('id_seq', 'bo', 'Person')));
select pg_temp.collide(pg_temp.bo('A', pg_temp.field('task'), pg_temp.field('err')) || pg_temp.bo('task', pg_temp.field('f')));
select migrator.generate_in_ddl('nobody');
