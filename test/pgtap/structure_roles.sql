-- Who may do what with the structure; nobody here is superuser.
begin;
select plan(17);
set client_min_messages = warning;
create role test_admin in role migrator_admin;
create role test_operator in role migrator_operator;
create role test_reader in role migrator_reader;
create role test_monitor in role pg_monitor;
create role test_supplier in role migrator_supplier;
create role test_nobody;
select format('grant usage on schema %I to test_admin, test_operator, test_reader, test_monitor, test_supplier, test_nobody', n)
from (select nspname as n from pg_extension join pg_namespace s on s.oid = extnamespace where extname = 'pgtap') x \gexec

select ok(not rolcanlogin and not rolsuper, rolname || ' cannot log in')
from pg_roles where rolname in ('migrator_admin', 'migrator_operator', 'migrator_reader', 'migrator_supplier') order by rolname;
select ok(pg_has_role('migrator_admin', 'migrator_operator', 'usage') and pg_has_role('migrator_operator', 'migrator_reader', 'usage')
          and pg_has_role('pg_monitor', 'migrator_reader', 'usage'), 'who may do more may do less');
select ok(not pg_has_role('migrator_supplier', 'migrator_reader', 'member'), 'a supplier reads nothing');

set role test_admin;
select lives_ok($$ select migrator.load_structure('{"company": {"code": "roles", "in_schema": "roles"},
  "bos": [{"code": "A", "fields": [{"code": "f", "type": "text", "in": true}]}]}') $$, 'an admin loads a structure');
select lives_ok($$ select migrator.apply_in_ddl('roles') $$, 'an admin creates the in-schema and its tables');
select lives_ok($$ update migrator.bo set code = 'B' where code = 'A'; delete from migrator.bo where code = 'B' $$, 'an admin writes the tables');
reset role;

select throws_ok(format($$ set local role %I; select migrator.load_structure('{"company": {"code": "x"}, "bos": []}') $$, r), '42501',
                 null, r || ' loads no structure')
from unnest(array['test_operator', 'test_reader', 'test_supplier', 'test_nobody']) as r;
reset role;
select lives_ok(format($$ set local role %I; select migrator.dump_structure('roles'), migrator.generate_in_ddl('roles') $$, r), r || ' reads it')
from unnest(array['test_operator', 'test_reader', 'test_monitor']) as r;
reset role;
select throws_ok($$ set local role test_reader; insert into migrator.company (code, in_schema) values ('x', 'x') $$, '42501', null,
                 'a reader writes nothing');
select * from finish();
rollback;
