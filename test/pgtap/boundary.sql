-- The boundary between C++ and PostgreSQL: errors cross it whole, in both directions, and nothing leaks.
begin;
select plan(11);

create function pg_temp.caught(statement text, out code text, out message text, out detail text, out hint text)
  language plpgsql as $$
begin
  execute statement;
exception when others or query_canceled then
  get stacked diagnostics code = returned_sqlstate, message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
end
$$;

-- From C++ to PostgreSQL.
select results_eq($$ select code, message, hint from pg_temp.caught('select migrator.try_to_start_migration(''nobody'')') $$,
  $$ values ('42704', 'company "nobody" does not exist', 'See migrator.company.') $$, 'an error of ours has SQLSTATE, message and hint');
select results_eq($$ select code from pg_temp.caught('select migrator.retry_failed(null, null)') $$,
  $$ values ('22004') $$, 'a null where none is allowed is a clear error');
select results_eq($$ select code, message from pg_temp.caught(
    'create server s foreign data wrapper migrator_kafka options ("plugin.library.paths" ''x'')') $$,
  $$ values ('HV00D', 'option "plugin.library.paths" cannot be set') $$, 'a refused option is named');
select results_eq($$ select code, message ~ 'linger.ms' from pg_temp.caught(
    'create server s foreign data wrapper migrator_kafka options ("linger.ms" ''soon'')') $$,
  $$ values ('HV024', true) $$, 'a bad value is refused by name, by librdkafka itself');

-- From PostgreSQL through C++ and back: a trigger on process_tracking raises in the midst of a start.
create server broker foreign data wrapper migrator_kafka options ("bootstrap.servers" '127.0.0.1:1');
select migrator.load_structure('{"company": {"code": "c"}, "bos": [{"code": "B", "fields": [{"code": "F", "type": "text", "in": true}]}]}');
update migrator.company set has_in_migration = true, kafka_server = 'broker';
select count(*) from migrator.apply_in_ddl('c');
create function in_tables.complain() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'ZZ123', message = 'a message', detail = 'its detail', hint = 'its hint';
end
$$;
grant execute on function in_tables.complain() to public;
create trigger complain before insert on in_tables.process_tracking for each row execute function in_tables.complain();
select results_eq($$ select * from pg_temp.caught('select migrator.try_to_start_migration(''c'')') $$,
  $$ values ('ZZ123', 'a message', 'its detail', 'its hint') $$, 'an error of PostgreSQL passes through C++ whole');
select is((select count(*) from migrator.migration), 0::bigint, 'and its work is rolled back');

-- Who acts inside: the owner of the table, not the superuser that the function runs as.
create function in_tables.who() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'ZZ124', message = current_user;
end
$$;
grant execute on function in_tables.who() to public;
drop trigger complain on in_tables.process_tracking;
create trigger who before insert on in_tables.process_tracking for each row execute function in_tables.who();
select results_eq($$ select code, message from pg_temp.caught('select migrator.try_to_start_migration(''c'')') $$,
  $$ values ('ZZ124', 'migrator_admin') $$, 'a trigger on an in-table runs as the table''s owner');
create or replace function in_tables.who() returns trigger language plpgsql as $$
begin
  set role postgres;
  return new;
end
$$;
select results_eq($$ select code from pg_temp.caught('select migrator.try_to_start_migration(''c'')') $$,
  $$ values ('42501') $$, 'and cannot become anybody else');
drop trigger who on in_tables.process_tracking;

-- A cancel inside: PostgreSQL's own mechanism ends the call.
create function in_tables.dawdle() returns trigger language plpgsql as $$
begin
  perform pg_catalog.pg_sleep(30);
  return new;
end
$$;
grant execute on function in_tables.dawdle() to public;
create trigger dawdle before insert on in_tables.process_tracking for each row execute function in_tables.dawdle();
set local statement_timeout = '200ms';
select results_eq($$ select code from pg_temp.caught('select migrator.try_to_start_migration(''c'')') $$,
  $$ values ('57014') $$, 'statement_timeout ends a call');
set local statement_timeout = 0;
drop trigger dawdle on in_tables.process_tracking;

-- Errors and results by the thousand leave nothing behind.
update migrator.company set has_in_migration = false;
create temp table memory as select 0::bigint as bytes limit 0;
do $$
begin
  for round in 1 .. 2 loop
    for i in 1 .. 5000 loop
      perform migrator.try_to_start_migration('c');
      perform pg_temp.caught('select migrator.try_to_start_migration(''nobody'')');
    end loop;
    insert into memory select sum(total_bytes) from pg_backend_memory_contexts where name in ('TopMemoryContext', 'migrator error');
  end loop;
end
$$;
select ok((select max(bytes) - min(bytes) < 65536 from memory), 'ten thousand calls do not grow the session')
  from (select 1) one;
select is((select count(*) from pg_backend_memory_contexts where name = 'migrator error'), 0::bigint, 'no caught error is left');

select * from finish();
rollback;
