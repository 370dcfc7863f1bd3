-- Which functions and tables each role may use: complete lists, so that a new one is given to somebody on purpose.
begin;
select plan(9);

create function pg_temp.functions_of(role_name name) returns setof text language sql as $$
  select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
   where n.nspname in ('migrator', 'in_migration') and has_function_privilege(role_name, p.oid, 'execute')
$$;
create function pg_temp.tables_of(role_name name, privilege text) returns setof text language sql as $$
  select format('%s.%s', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname in ('migrator', 'in_migration') and c.relkind in ('r', 'p', 'v', 'm', 'f') and has_table_privilege(role_name, c.oid, privilege)
$$;
create role test_nobody;

select is_empty('select pg_temp.functions_of(''test_nobody'') union all select pg_temp.tables_of(''test_nobody'', ''select, insert, update, delete, truncate, references, trigger'')',
                'PUBLIC may nothing');
select is_empty('select pg_temp.functions_of(''migrator_supplier'') union all select pg_temp.tables_of(''migrator_supplier'', ''select, insert, update, delete, truncate, references, trigger'')',
                'a supplier may nothing in our schemas');
select ok(not has_schema_privilege('migrator_supplier', 'migrator', 'usage') and not has_schema_privilege('migrator_supplier', 'in_migration', 'usage'),
          'nor use them');

select set_eq('select pg_temp.functions_of(''migrator_operator'') except select pg_temp.functions_of(''migrator_reader'')',
                  array['apply_boi_input', 'apply_boi_inputs', 'cancel_migration', 'check_migration', 'consume', 'forget_records', 'forget_references',
                        'kafka_check', 'migrate', 'pause_consumption', 'pause_migration', 'release_consumers', 'resume_consumption', 'resume_migration',
                        'resume_partition', 'retry_dead_letters', 'retry_failed', 'retry_references', 'running_migration', 'start_consumers',
                        'stop_consumers', 'try_to_start_migration', 'want_consumers'],
                  'an operator starts, stops and checks');
select is_empty('select pg_temp.functions_of(''migrator_reader'') intersect
                 select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                  where n.nspname = ''migrator'' and p.provolatile = ''v''',
                'a reader changes nothing');
select is_empty($$ select r, t from unnest(array['migrator_reader', 'migrator_operator']) r, pg_temp.tables_of(r, 'insert, update, delete, truncate') t $$,
                'readers and operators write no table');
select set_eq($$ select pg_temp.tables_of('migrator_admin', 'insert, update, delete') $$,
                  array['migrator.bo', 'migrator.co', 'migrator.co_field', 'migrator.co_field_map', 'migrator.co_member', 'migrator.company',
                        'migrator.field', 'migrator.hook', 'migrator.in_object', 'migrator.in_topic'],
                  'an admin writes structure, settings and hooks, not the state of runs');
select is_empty($$ select pg_temp.tables_of('migrator_admin', 'truncate') $$, 'nobody truncates');
select is_empty($$
    select format('%s.%s', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('migrator', 'in_migration') and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname <> 'identity'
    except select pg_temp.tables_of('migrator_reader', 'select') order by 1
  $$, 'a reader sees every table but the identity');
select * from finish();
rollback;
