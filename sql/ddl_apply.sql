-- apply_in_ddl: what is missing, renames, leftovers, rights, and whom it trusts.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
create role ddl_admin in role migrator_admin;
create role ddl_supplier in role migrator_supplier;
set role ddl_admin;
select migrator.load_structure('{"company": {"code": "c"},
  "bos": [{"code": "A", "fields": [{"code": "k", "type": "text", "key": true}, {"code": "Name", "type": "text", "in": true},
                                   {"code": "Out", "type": "text", "out": true}, {"code": "Photo", "type": "file", "in": true}]},
          {"code": "B", "fields": [{"code": "to_a", "type": "bo", "target": "A", "in": true},
                                   {"code": "any", "type": "co", "target": "C", "in": true}]}],
  "cos": [{"code": "C", "members": ["A", "B"]}]}');
select migrator.apply_in_ddl();
\echo again
select migrator.apply_in_ddl('c');
select * from migrator.in_layout();
select relname, attname, owner_attname from migrator.in_object order by bo, field nulls first, member;

\echo newly marked
update migrator.field set need_load_from_in_tables = true where code = 'Out';
insert into migrator.field (company, bo, code, type, need_load_from_in_tables) values ('c', 'A', 'Order', 'number', true);
insert into migrator.field (company, bo, code, type, target_bo, need_load_from_in_tables) values ('c', 'A', 'self', 'bo', 'A', true);
select migrator.apply_in_ddl();
select migrator.apply_in_ddl();

\echo changed codes
insert into in_tables.in_a (in_id, name) values ('1', 'n');
insert into in_tables.in_b_to_a values ('b', 'a');
update migrator.bo set code = 'Клиент' where code = 'A';
update migrator.field set code = 'x"; drop table y; --' where code = 'Name';
update migrator.field set code = 'Owner' where code = 'to_a';
select migrator.apply_in_ddl();
select migrator.apply_in_ddl();
select in_id, "x""; drop table y; --" from in_tables."in_Клиент";
select b_id, owner_id from in_tables.in_b_owner;

\echo swapped codes
update migrator.bo set code = 'tmp' where code = 'Клиент';
update migrator.bo set code = 'Клиент' where code = 'B';
update migrator.bo set code = 'B' where code = 'tmp';
update migrator.field set code = 'tmp' where code = 'Out';
update migrator.field set code = 'Out' where code = 'x"; drop table y; --';
update migrator.field set code = 'x"; drop table y; --' where code = 'tmp';
select migrator.apply_in_ddl();
select migrator.apply_in_ddl();
select in_id, out from in_tables.in_b;

\echo a name that is taken
begin;
alter table in_tables.in_b add column Fresh text;
update migrator.field set code = 'Fresh' where code = 'Out';
select migrator.apply_in_ddl();
rollback;
begin;
create table in_tables.in_fresh (x int);
update migrator.bo set code = 'Fresh' where code = 'B';
select migrator.apply_in_ddl();
rollback;

\echo no longer marked
begin;
update migrator.field set need_load_from_in_tables = false where code in ('Out', 'any');
select migrator.apply_in_ddl();
delete from migrator.field where code = 'Out';
update migrator.field set need_load_from_in_tables = false, is_in_key = false where bo = 'B';
select migrator.apply_in_ddl();
\echo renamed while unmarked
update migrator.field set code = 'Anyone', need_load_from_in_tables = true where code = 'any';
select migrator.apply_in_ddl();
rollback;

\echo changed types
update migrator.field set type = 'date' where code = 'Photo';
select migrator.apply_in_ddl();
update in_tables.in_b set photo = now();
update migrator.field set type = 'flag' where code = 'Photo';
select migrator.apply_in_ddl();
update migrator.field set type = 'date' where code = 'Photo';

\echo rights
reset role;
set role ddl_supplier;
insert into in_tables.in_b (in_id, out) values ('2', 'o');
update in_tables.in_b set out = 'p' where in_id = '2';
delete from in_tables.in_b where in_id = '2';
truncate in_tables.in_b, in_tables.in_filestorage;
insert into in_tables.process_tracking (oper_date, start_load_time, end_load_time, load_status) values ('2024-12-26', null, null, 0);
update in_tables.process_tracking set load_status = 1;
select id, load_status from in_tables.process_tracking;
update in_tables.process_tracking set ins_inkafka_status = 1;
insert into in_tables.process_tracking (oper_date, occupied_by_process) values ('2024-12-26', 1);
delete from in_tables.process_tracking;
create table in_tables.mine (x int);
drop table in_tables.in_b;
select code from migrator.company;
select migrator.generate_in_ddl();
reset role;
\echo rights that were taken away come back
revoke all on in_tables.in_b from migrator_supplier;
revoke update (load_status) on in_tables.process_tracking from migrator_supplier;
set role ddl_admin;
select migrator.apply_in_ddl();

\echo tables of others
reset role;
update migrator.company set in_schema = 'prepared';
grant create on database :DBNAME to ddl_supplier;
set role ddl_supplier;
create schema prepared;
reset role;
select migrator.apply_in_ddl();
alter schema prepared owner to migrator_admin;
grant create, usage on schema prepared to ddl_supplier;
set role ddl_supplier;
create table prepared.in_b (id bigserial primary key, in_id text, out_id text, inserted_date timestamptz, in_status text,
  occupied_id bigint, occupied_at timestamptz, removed bool);
reset role;
select migrator.apply_in_ddl();
set role ddl_admin;
select migrator.apply_in_ddl();
reset role;
\echo taken over, and completed
alter table prepared.in_b owner to migrator_admin;
select statement from migrator.apply_in_ddl() statement where statement like '% prepared.in_B %' and statement not like 'grant%';
select migrator.apply_in_ddl();
\echo no tables, or other tables
begin;
drop table prepared.in_b;
create view prepared.in_b as select 1 as id;
select migrator.apply_in_ddl();
rollback;
begin;
drop table prepared.in_b;
create table prepared.in_b (id bigserial primary key, in_id text);
select migrator.apply_in_ddl();
rollback;

\echo the script, run by hand, is adopted
update migrator.company set in_schema = 'by_hand';
do $$ begin execute migrator.generate_in_ddl(); end $$;
select statement from migrator.apply_in_ddl() statement where statement not like 'grant %';
select migrator.apply_in_ddl();

\echo without the right to
set role ddl_supplier;
select migrator.apply_in_ddl();
set role migrator_reader;
select migrator.apply_in_ddl();
select length(migrator.generate_in_ddl()) > 0;
reset role;
set client_min_messages = error;
drop schema in_tables, prepared, by_hand cascade;
drop owned by ddl_supplier, ddl_admin;
drop role ddl_supplier, ddl_admin;
