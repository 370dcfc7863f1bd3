-- pg_dump and a restore into a new database bring the whole structure back, and the names of what was made.
\set SHOW_CONTEXT never
select migrator.load_structure('{"company": {"code": "c", "name": "Компания", "in_schema": "restore_in"},
  "bos": [{"code": "A", "topic": "T", "fields": [
             {"code": "link", "type": "bo", "target": "Person", "in": true},
             {"code": "any", "type": "co", "target": "C", "in": true},
             {"code": "text", "type": "text", "in": true, "key": true},
             {"code": "\"; drop", "type": "text", "in": true}]},
          {"code": "Person", "name": "Пользователи", "topic": "PEOPLE", "fields": [
             {"code": "Nick", "type": "text", "in": true},
             {"code": "email", "name": "Почта", "type": "text", "in": true},
             {"code": "boss", "type": "bo", "target": "Person", "in": true}]},
          {"code": "Department", "name": "Департамент"}],
  "cos": [{"code": "C", "members": ["A", "Person"], "fields": [{"code": "cf", "map": {"A": "text", "Person": "email"}}]}]}');
update migrator.company set workers = 5, copy_days = 0, kafka_server = 'k';
select count(*) > 0 as applied from migrator.apply_in_ddl();
insert into restore_in.in_a (in_id) values ('x');
create view everything as
  select 'company' as kind, to_jsonb(c) as row from migrator.company c
  union all select 'bo', to_jsonb(b) from migrator.bo b
  union all select 'field', to_jsonb(f) from migrator.field f
  union all select 'co', to_jsonb(c) from migrator.co c
  union all select 'co_member', to_jsonb(m) from migrator.co_member m
  union all select 'co_field', to_jsonb(f) from migrator.co_field f
  union all select 'co_field_map', to_jsonb(m) from migrator.co_field_map m
  union all select 'in_object', to_jsonb(o) from migrator.in_object o;
create view digest as select count(*), md5(string_agg(kind || row::text, ',' order by kind, row::text collate "C")) from everything;
create table digest_before as table digest;

\set restored :DBNAME _restored
create database :"restored";
\setenv FROM :DBNAME
\setenv INTO :restored
\! pg_dump --no-comments "$FROM" | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output=/dev/null --dbname="$INTO"
\set original :DBNAME
\connect :"restored"
select b.count > 30 as is_there, d = b as equal from digest d, digest_before b;
select * from migrator.apply_in_ddl();
update migrator.bo set code = 'B' where code = 'A';
select * from migrator.apply_in_ddl();
select in_id from restore_in.in_b;

\connect :"original"
drop database :"restored";
drop table digest_before cascade;
