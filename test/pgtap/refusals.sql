-- Bad input in structure, settings and options: each refusal has the right SQLSTATE and names what is wrong.
begin;
set client_min_messages = error;
create function pg_temp.refusal(statement text, out code text, out said text) language plpgsql as $$
begin
  execute statement;
  code := '00000';
  said := 'it was accepted';
exception when others then
  get stacked diagnostics code = returned_sqlstate, said = message_text;
end
$$;
create temporary table bad (n serial, statement text, code text, names text);

-- Structure: documents ------------------------------------------------------------------------------------------------
insert into bad (statement, code, names)
select format('select migrator.load_structure(%L)', document), b.code, b.names
from (values
  ('null', '22023', '$ must be an object'),
  ('[]', '22023', '$ must be an object'),
  ('"text"', '22023', '$ must be an object'),
  ('{}', '22023', '$ lacks the key'),
  ('{"company": {"code": "c"}}', '22023', '"bos"'),
  ('{"company": "c", "bos": []}', '22023', '$.company'),
  ('{"company": {}, "bos": []}', '22023', '"code"'),
  ('{"company": {"code": 1}, "bos": []}', '22023', '$.company.code'),
  ('{"company": {"code": null}, "bos": []}', '22023', '$.company.code'),
  ('{"company": {"code": "c", "x": 1}, "bos": []}', '22023', '"x"'),
  ('{"company": {"code": "c"}, "bos": {}}', '22023', '$.bos'),
  ('{"company": {"code": "c"}, "bos": [1]}', '22023', '$.bos[0]'),
  ('{"company": {"code": "c"}, "bos": [{"fields": []}]}', '22023', '$.bos[0]'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": null}]}', '22023', '$.bos[0].fields'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [[]]}]}', '22023', '$.bos[0].fields[0]'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f"}]}]}', '22023', '"type"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "int"}]}]}', '22023', '"int"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "text", "in": "yes"}]}]}', '22023', '$.bos[0].fields[0].in'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "bo"}]}]}', '22023', '"B"."f"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "bo", "target": "Z"}]}]}', '42704', '"Z"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "co", "target": "B"}]}]}', '42704', 'CO "B"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "text", "target": "B"}]}]}', '22023', '"B"."f"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "file", "key": true}]}]}', '22023', '"B"."f"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "file", "unique": true}]}]}', '23514', 'file_is_not_unique'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "text", "key": true}, {"code": "g", "type": "text", "key": true}]}]}', '22023', 'BO "B"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B"}, {"code": "B"}]}', '42710', '"B"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "text"}, {"code": "f", "type": "text"}]}]}', '42710', '"f"'),
  ('{"company": {"code": "c"}, "bos": [{"code": ""}]}', '23514', 'code_makes_sense'),
  ('{"company": {"code": "c"}, "bos": [{"code": "a\u0001b"}]}', '23514', 'code_makes_sense'),
  (format('{"company": {"code": "c"}, "bos": [{"code": "%s"}]}', repeat('x', 501)), '23514', 'code_makes_sense'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "topic": "a b"}]}', '23514', 'in_topic_is_a_topic_name'),
  ('{"company": {"code": "c"}, "bos": [{"code": "B", "topic": ".."}]}', '23514', 'in_topic_is_a_topic_name'),
  ('{"company": {"code": "c"}, "bos": [{"code": "Person", "fields": [{"code": "name", "type": "number"}]}]}', '55000', '"Person"."name"'),
  ('{"company": {"code": "c"}, "bos": [{"code": "Company", "fields": [{"code": "name", "type": "text", "in": true}]}]}', '23514', 'company_does_not_migrate'),
  ('{"company": {"code": "c", "in_schema": "pg_x"}, "bos": []}', '23514', 'in_schema_is_not_reserved'),
  ('{"company": {"code": "c", "in_schema": "migrator"}, "bos": []}', '23514', 'in_schema_is_not_reserved'),
  ('{"company": {"code": "c", "in_schema": "Upper"}, "bos": []}', '23514', 'in_schema_is_in_lower_case'),
  (format('{"company": {"code": "c", "in_schema": "%s"}, "bos": []}', repeat('x', 64)), '23514', 'in_schema_is_a_schema_name'),
  ('{"company": {"code": "c"}, "bos": [], "cos": {}}', '22023', '$.cos'),
  ('{"company": {"code": "c"}, "bos": [], "cos": [{"code": "C", "members": [1]}]}', '22023', '$.cos[0].members[0]'),
  ('{"company": {"code": "c"}, "bos": [], "cos": [{"code": "C", "members": ["Z"]}]}', '42704', '"Z"'),
  ('{"company": {"code": "c"}, "bos": [], "cos": [{"code": "C", "members": ["Person", "Person"]}]}', '42710', '"Person"'),
  ('{"company": {"code": "c"}, "bos": [], "cos": [{"code": "C", "fields": [{"code": "f", "map": {"Person": "name"}}]}]}', '42704', '"Person"'),
  ('{"company": {"code": "c"}, "bos": [], "cos": [{"code": "C", "members": ["Person"], "fields": [{"code": "f", "map": {"Person": "Z"}}]}]}', '42704', '"Person"."Z"'),
  ('{"company": {"code": "c"}, "bos": [], "cos": [{"code": "C", "members": ["Person"], "fields": [{"code": "f", "map": {"Person": 1}}]}]}', '22023', '$.cos[0].fields[0].map.Person'),
  ('{', '22P02', 'json'),
  ('{"company": {"code": "c"}, "bos": [{"code": "a\u0000b"}]}', '22P05', 'Unicode'),
  ('{"company": {"code": "c"}, "bos": [{"code": "\ud800"}]}', '22P02', 'json')
) as b (document, code, names);

-- Structure: the tables behind it, and calls about companies ------------------------------------------------------------
select migrator.load_structure('{"company": {"code": "there", "in_schema": "there"}, "bos": [{"code": "B", "fields": [{"code": "f", "type": "text", "in": true}]}]}');
select migrator.apply_in_ddl('there');
insert into bad (statement, code, names) values
  ($$ select migrator.load_structure('{"company": {"code": "second", "in_schema": "there"}, "bos": []}') $$, '23505', 'in_schema "there" belongs to company "there"'),
  ($$ select migrator.generate_in_ddl('nobody') $$, '42704', '"nobody"'),
  ($$ select migrator.apply_in_ddl('nobody') $$, '42704', '"nobody"'),
  ($$ select migrator.dump_structure('nobody') $$, '42704', '"nobody"'),
  ($$ select migrator.try_to_start_migration('nobody') $$, '42704', '"nobody"'),
  ($$ select migrator.retry_failed('nobody') $$, '42704', '"nobody"'),
  ($$ select migrator.retry_failed('there', 'Z') $$, '42704', '"Z"'),
  ($$ select migrator.kafka_check('nowhere') $$, '42704', '"nowhere"'),
  ($$ delete from migrator.bo where code = 'Person' $$, '55000', '"Person"'),
  ($$ delete from migrator.field where bo = 'Person' and code = 'name' $$, '55000', '"name"'),
  ($$ update migrator.bo set code = 'P' where code = 'Person' $$, '55000', '"Person"');

-- Settings --------------------------------------------------------------------------------------------------------------
insert into bad (statement, code, names)
select format('update migrator.company set %s where code = %L', s.setting, 'there'), s.code, s.names
from (values
  ('workers = 0', '23514', 'workers_from_1_to_64'),
  ('workers = 65', '23514', 'workers_from_1_to_64'),
  ('workers = -1', '23514', 'workers_from_1_to_64'),
  ('workers = null', '23502', 'workers'),
  ('workers = 99999999999', '22003', 'integer'),
  ('copy_days = -1', '23514', 'copy_days_not_negative'),
  ('in_topic = $$$$', '23514', 'in_topic_is_a_topic_name'),
  ('in_topic = $$a/b$$', '23514', 'in_topic_is_a_topic_name'),
  ('in_topic = repeat($$x$$, 250)', '23514', 'in_topic_is_a_topic_name'),
  ('in_topic = null', '23502', 'in_topic'),
  ('in_schema = $$information_schema$$', '23514', 'in_schema_is_not_reserved'),
  ('in_schema = null', '23502', 'in_schema'),
  ('code = $$$$', '23514', 'code_makes_sense'),
  ('has_in_migration = null', '23502', 'has_in_migration')
) as s (setting, code, names);
-- Ranges of the others are looked at in test/e2e/test_settings.py: none but the server's files may set them.
insert into bad (statement, code, names) values
  ($$ set migrator.chunk_rows = 10 $$, '55P02', 'migrator.chunk_rows'),
  ($$ select set_config('migrator.schedule', '10', false) $$, '55P02', 'migrator.schedule'),
  ($$ select set_config('migrator.no_such_setting', '10', false) $$, '42602', 'migrator.no_such_setting');

-- Foreign servers and user mappings --------------------------------------------------------------------------------------
create server good foreign data wrapper migrator_kafka options ("bootstrap.servers" 'h:1');
insert into bad (statement, code, names)
select format(o.form, quote_ident(o.name), quote_literal(o.value)), o.code, coalesce(o.names, '"' || o.name || '"')
from (values
  ('alter server good options (add %s %s)', 'no.such.property', '1', 'HV00D', null),
  ('alter server good options (add %s %s)', ' ', '1', 'HV00D', null),
  ('alter server good options (add %s %s)', 'transactional.id', 'mine', 'HV00D', null),
  ('alter server good options (add %s %s)', 'enable.idempotence', 'false', 'HV00D', null),
  ('alter server good options (add %s %s)', 'acks', '1', 'HV00D', null),
  ('alter server good options (add %s %s)', 'isolation.level', 'read_uncommitted', 'HV00D', null),
  ('alter server good options (add %s %s)', 'sasl.password', 'secret', 'HV00D', null),
  ('alter server good options (add %s %s)', 'compression.type', 'rar', 'HV024', null),
  ('alter server good options (add %s %s)', 'linger.ms', 'soon', 'HV024', null),
  ('alter server good options (add %s %s)', 'linger.ms', '-1', 'HV024', null),
  ('alter server good options (add %s %s)', 'linger.ms', '', 'HV024', null),
  ('alter server good options (add %s %s)', 'security.protocol', 'plain', 'HV024', null),
  ('alter server good options (add %s %s)', 'bootstrap.servers', 'h:2', '42710', null),
  ('alter server good options (set %s %s)', 'linger.ms', '1', '42704', null),
  ('create user mapping for public server good options (%s %s)', 'bootstrap.servers', 'h:1', 'HV00D', null),
  ('create user mapping for public server good options (%s %s)', 'no.such.property', 'h', 'HV00D', null),
  ('create user mapping for public server good options (%s %s)', 'sasl.password:ENV', 'PGPASSWORD', 'HV024', '"PGPASSWORD"'),
  ('create user mapping for public server good options (%s %s)', 'sasl.password:ENV', '', 'HV024', 'environment variable ""')
) as o (form, name, value, code, names);
insert into bad (statement, code, names) values
  ($$ alter foreign data wrapper migrator_kafka options (add "linger.ms" '1') $$, 'HV00D', 'servers and user mappings');

select plan((select count(*)::integer from bad));
select ok((r.code, position(b.names in r.said) > 0) = (b.code, true),
          regexp_replace(left(btrim(b.statement), 150), '\s+', ' ', 'g') || ' -> ' || r.code || ' ' || regexp_replace(left(r.said, 200), '\s+', ' ', 'g'))
from bad b, lateral pg_temp.refusal(b.statement) r order by b.n;
select * from finish();
rollback;
