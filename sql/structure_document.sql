-- load_structure and dump_structure.
\set SHOW_CONTEXT never
select migrator.dump_structure();
create function pg_temp.try(document jsonb) returns text
language plpgsql as $$
declare
  code text;
  message text;
  detail text;
  hint text;
begin
  perform migrator.load_structure(document);
  return 'loaded';
exception when others then
  get stacked diagnostics code = returned_sqlstate, message = message_text, detail = pg_exception_detail,
                          hint = pg_exception_hint;
  return concat_ws(' | ', code, message, nullif(detail, ''), nullif(hint, ''));
end
$$;
create function pg_temp.document(bos text, cos text default '[]') returns jsonb language sql as $$
  select jsonb_build_object('company', '{"code": "c", "in_schema": "c"}'::jsonb, 'bos', bos::jsonb, 'cos', cos::jsonb)
$$;

-- Defaults are filled in; the order of fields stays, everything else is in the order of the codes.
select migrator.load_structure('{
  "company": {"code": "greetgo", "name": "GreetGo", "in_schema": "in_tables"},
  "bos": [
    {"code": "NaturalPerson", "name": "Физическое лицо", "fields": [
      {"code": "Surname", "name": "Фамилия", "type": "text", "in": true},
      {"code": "IIN", "type": "text", "in": true, "unique": true, "key": true},
      {"code": "BirthDate", "type": "date", "out": true}]},
    {"code": "LegalPerson", "topic": "LEGAL", "fields": [{"code": "CreateDate", "type": "date"}]},
    {"code": "Claim", "fields": [
      {"code": "Who", "type": "co", "target": "Client", "in": true},
      {"code": "Previous", "type": "bo", "target": "Claim", "in": true},
      {"code": "Author", "type": "bo", "target": "Person", "in": true}]},
    {"code": "Empty"},
    {"code": "Person", "fields": [{"code": "Nick", "type": "text", "in": true}, {"code": "email", "type": "text", "in": true}]}],
  "cos": [{"code": "Client", "name": "ЦО Клиент", "members": ["NaturalPerson", "LegalPerson"],
           "fields": [{"code": "Date", "map": {"NaturalPerson": "BirthDate", "LegalPerson": "CreateDate"}}, {"code": "Bare"}]},
          {"code": "Void"}]}');
select jsonb_pretty(migrator.dump_structure('greetgo'));
select bo, code, need_load_from_in_tables as in, position from migrator.field where bo = 'Person' order by position;

-- A repeated load writes nothing; settings of the company stay.
update migrator.company set workers = 7, has_in_migration = true;
create table before as select company, bo, code, xmin::text as version from migrator.field;
create table first as select migrator.dump_structure() as document;
select migrator.load_structure(document) from first;
select count(*) as rewritten from migrator.field f join before b using (company, bo, code) where f.xmin::text <> b.version;
select document = migrator.dump_structure() as equal from first;
select workers, has_in_migration, in_schema, name from migrator.company;

-- Names and topics of system BOs, and marks of their fields, are content; what is not named is as it came.
update migrator.bo set name = 'Департамент' where code = 'Department';
update migrator.field set name = 'Имя' where bo = 'PersonGroup' and code = 'name';
select b from jsonb_array_elements(migrator.dump_structure() -> 'bos') as b where b ->> 'code' in ('Department', 'PersonGroup');
select migrator.load_structure(document) from first;
select document = migrator.dump_structure() as equal from first;

-- Keys and order change places.
select migrator.load_structure(jsonb_set(document, '{bos}', (select jsonb_agg(
    case b ->> 'code' when 'NaturalPerson' then jsonb_set(b, '{fields}',
      '[{"code": "BirthDate", "type": "text", "key": true}, {"code": "New", "type": "flag"}, {"code": "IIN", "type": "text"}]')
    else b end) from jsonb_array_elements(document -> 'bos') as b))) from first;
select code, type, is_in_key, position from migrator.field where bo = 'NaturalPerson' order by position;

-- What is not named goes.
select migrator.load_structure('{"company": {"code": "greetgo"}, "bos": [{"code": "Claim"}]}');
select migrator.dump_structure();
select count(*) from migrator.field where company = 'greetgo' and not is_system;

-- Another company; nobody else's schema.
select pg_temp.try('{"company": {"code": "second"}, "bos": []}');
select pg_temp.try('{"company": {"code": "second", "in_schema": "second"}, "bos": []}');
select migrator.dump_structure();
select migrator.dump_structure('third');
select migrator.dump_structure('second');

-- Shape
\pset format unaligned
select pg_temp.try(d::jsonb) from unnest(array['[]', 'null', '{}', '{"company": {"code": "c"}}',
  '{"company": "c", "bos": []}', '{"company": {}, "bos": []}', '{"company": {"code": 1}, "bos": []}',
  '{"company": {"code": "c", "workers": 2}, "bos": []}', '{"company": {"code": "c"}, "bos": {}}',
  '{"company": {"code": "c"}, "bos": [], "extra": 1}', '{"company": {"code": "c"}, "bos": [1]}',
  '{"company": {"code": "c"}, "bos": [], "cos": null}']) as d;
select pg_temp.try(pg_temp.document(bos)) from unnest(array['[{"name": "x"}]', '[{"code": null}]',
  '[{"code": "A", "Fields": []}]', '[{"code": "A", "fields": [{"code": "f"}]}]', '[{"code": "A", "fields": ["f"]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "text", "in": "yes"}]}]', '[{"code": ""}]']) as bos;
select pg_temp.try(pg_temp.document('[{"code": "A"}]', cos)) from unnest(array['[{"code": "C", "members": [1]}]',
  '[{"code": "C", "members": ["A"], "fields": [{"code": "f", "map": {"A": 1}}]}]', '[{"code": "C", "fields": [{"map": {}}]}]']) as cos;

-- Contradictions
select pg_temp.try(pg_temp.document(bos)) from unnest(array['[{"code": "A"}, {"code": "A"}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "text"}, {"code": "f", "type": "date"}]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "blob"}]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "bo"}]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "text", "target": "A"}]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "bo", "target": "B"}]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "co", "target": "A"}]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "bo", "target": "A", "key": true}]}]',
  '[{"code": "A", "fields": [{"code": "f", "type": "text", "key": true}, {"code": "g", "type": "text", "key": true}]}]',
  '[{"code": "Company", "fields": [{"code": "name", "type": "text", "in": true}]}]',
  '[{"code": "Person", "fields": [{"code": "email", "type": "number"}]}]']) as bos;
select pg_temp.try(pg_temp.document('[{"code": "A"}]', cos)) from unnest(array['[{"code": "C", "members": ["B"]}]',
  '[{"code": "C"}, {"code": "C"}]', '[{"code": "C", "members": ["A", "A"]}]',
  '[{"code": "C", "fields": [{"code": "f", "map": {"A": "x"}}]}]',
  '[{"code": "C", "members": ["A"], "fields": [{"code": "f", "map": {"A": "x"}}]}]']) as cos;
select code from migrator.company order by 1;
