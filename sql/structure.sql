-- What the tables of the structure accept, refuse, and carry through.
\set VERBOSITY terse
insert into migrator.company (code) values ('c');
select code, name, in_schema, has_in_migration, kafka_server, in_topic, workers, copy_days from migrator.company;
select code, name, is_system, in_topic from migrator.bo order by 1;
select bo, code, type, target_bo, is_unique, is_system from migrator.field order by bo, position;

-- Defaults: the name is the code, the position is the end.
insert into migrator.bo (company, code) values ('c', 'A'), ('c', 'B');
insert into migrator.field (company, bo, code, type) values ('c', 'A', 'x', 'text'), ('c', 'A', 'y', 'number');
insert into migrator.field (company, bo, code, type, target_bo) values ('c', 'A', 'self', 'bo', 'A'), ('c', 'B', 'to_a', 'bo', 'A');
insert into migrator.co (company, code) values ('c', 'C');
insert into migrator.co_member (company, co, bo) values ('c', 'C', 'A'), ('c', 'C', 'B');
insert into migrator.field (company, bo, code, type, target_co) values ('c', 'B', 'to_c', 'co', 'C');
insert into migrator.co_field (company, co, code) values ('c', 'C', 'cf');
insert into migrator.co_field_map values ('c', 'C', 'cf', 'A', 'x');
select bo, code, name, position from migrator.field where not is_system order by bo, position;

-- A changed code carries through, also within the transaction that brought the rows.
begin;
insert into migrator.bo (company, code) values ('c', 'New');
insert into migrator.field (company, bo, code, type, target_bo) values ('c', 'New', 'self', 'bo', 'New');
insert into migrator.co_member (company, co, bo) values ('c', 'C', 'New');
insert into migrator.co_field_map values ('c', 'C', 'cf', 'New', 'self');
update migrator.bo set code = 'Newer' where code = 'New';
update migrator.field set code = 'itself' where bo = 'Newer';
update migrator.company set code = 'd' where code = 'c';
select * from migrator.co_field_map order by bo;
delete from migrator.bo where code = 'Newer';
select * from migrator.co_field_map order by bo;
rollback;
update migrator.bo set code = 'A2' where code = 'A';
update migrator.field set code = 'x2' where code = 'x';
update migrator.co set code = 'C2' where code = 'C';
update migrator.co_field set code = 'cf2' where code = 'cf';
update migrator.company set code = 'c2' where code = 'c';
select * from migrator.co_field_map;
select company, bo, code, target_bo, target_co from migrator.field where not is_system order by bo, position;

-- Companies
insert into migrator.company (code, in_schema) values ('', 'x');
insert into migrator.company (code, in_schema) values ('  ', 'x');
insert into migrator.company (code, in_schema) values (E'a\nb', 'x');
insert into migrator.company (code, in_schema) values (E'a\u0085b', 'x');
insert into migrator.company (code, in_schema) values (repeat('x', 501), 'x');
insert into migrator.company (code) values ('other');
insert into migrator.company (code, in_schema) values ('other', 'pg_x');
insert into migrator.company (code, in_schema) values ('other', 'migrator');
insert into migrator.company (code, in_schema) values ('other', 'In_Tables');
insert into migrator.company (code, in_schema) values ('other', '');
insert into migrator.company (code, in_schema) values ('other', repeat('я', 32));
insert into migrator.company (code, in_schema, workers) values ('other', 'x', 0);
insert into migrator.company (code, in_schema, workers) values ('other', 'x', 65);
insert into migrator.company (code, in_schema, copy_days) values ('other', 'x', -1);
insert into migrator.company (code, in_schema, in_topic) values ('other', 'x', 'a b');

-- BOs
insert into migrator.bo (company, code) values ('c2', 'A2');
insert into migrator.bo (company, code) values ('nobody', 'X');
insert into migrator.bo (company, code) values ('c2', 'Person');
insert into migrator.bo (company, code, is_system) values ('c2', 'X', true);
insert into migrator.bo (company, code, in_topic) values ('c2', 'X', '..');
update migrator.bo set code = 'P' where code = 'Person';
update migrator.bo set name = 'Пользователи' where code = 'Person';
delete from migrator.bo where code = 'Person';
delete from migrator.bo where code = 'A2';
delete from migrator.co where code = 'C2';

-- Fields
insert into migrator.field (company, bo, code, type) values ('c2', 'A2', 'z', 'blob');
insert into migrator.field (company, bo, code, type) values ('c2', 'A2', 'z', 'bo');
insert into migrator.field (company, bo, code, type, target_bo) values ('c2', 'A2', 'z', 'text', 'B');
insert into migrator.field (company, bo, code, type, target_bo) values ('c2', 'A2', 'z', 'bo', 'Nothing');
insert into migrator.field (company, bo, code, type, target_co) values ('c2', 'A2', 'z', 'bo', 'C2');
insert into migrator.field (company, bo, code, type, target_co) values ('c2', 'A2', 'z', 'co', 'B');
insert into migrator.field (company, bo, code, type, target_bo, is_in_key) values ('c2', 'A2', 'z', 'bo', 'B', true);
insert into migrator.field (company, bo, code, type, is_in_key) values ('c2', 'A2', 'k1', 'text', true), ('c2', 'A2', 'k2', 'text', true);
insert into migrator.field (company, bo, code, type, is_unique) values ('c2', 'A2', 'z', 'file', true);
insert into migrator.field (company, bo, code, type, need_load_from_in_tables) values ('c2', 'Company', 'z', 'text', true);
insert into migrator.field (company, bo, code, type, is_in_key) values ('c2', 'Company', 'z', 'text', true);
insert into migrator.field (company, bo, code, type, is_system) values ('c2', 'A2', 'z', 'text', true);
update migrator.field set need_load_from_in_tables = true where bo = 'Person' and code = 'email';
update migrator.field set type = 'number' where bo = 'Person' and code = 'email';
update migrator.field set code = 'mail' where bo = 'Person' and code = 'email';
delete from migrator.field where bo = 'Person' and code = 'email';
insert into migrator.field (company, bo, code, type) values ('c2', 'A2', E'\t', 'text');

-- COs
insert into migrator.co_member values ('c2', 'C2', 'Nothing');
insert into migrator.co_field_map values ('c2', 'C2', 'cf2', 'Person', 'email');
insert into migrator.co_field_map values ('c2', 'C2', 'cf2', 'B', 'nothing');

-- What refers to each other goes together, and everything goes with its company.
begin;
insert into migrator.field (company, bo, code, type, target_bo) values ('c2', 'A2', 'to_b', 'bo', 'B');
delete from migrator.bo where code in ('A2', 'B');
select count(*) from migrator.co_member;
rollback;
delete from migrator.company;
select (select count(*) from migrator.bo) as bos, (select count(*) from migrator.field) as fields,
       (select count(*) from migrator.co) as cos, (select count(*) from migrator.co_field_map) as maps;
