create or replace function migrator.resolve_in_doubt(server text, slot integer) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_doubt text;
begin
  select s.in_doubt into found_doubt from migrator.slot s
  where s.server = resolve_in_doubt.server and s.slot = resolve_in_doubt.slot for update;
  update migrator.slot s
  set in_doubt = null, in_doubt_offset = null, recovered_for = null, accepted_offset = s.in_doubt_offset,
      next_marker_offset = case when s.in_doubt_offset is not null then s.next_marker_offset else 0 end, cluster_id = case when s.in_doubt_offset is not null then s.cluster_id end
  where s.server = resolve_in_doubt.server and s.slot = resolve_in_doubt.slot and s.in_doubt is not null;
  if not found then
    raise object_not_in_prerequisite_state using message = format('slot %s of server "%s" is not in doubt', slot, server),
      hint = 'See migrator.slot.';
  end if;
  insert into in_migration.log (message)
  values (format('slot %s of server "%s" settled by %s, was: %s', slot, server, session_user, found_doubt));
  return format('settled: slot %s of server "%s" goes on from what this database knows', slot, server);
end
$$;
comment on function migrator.resolve_in_doubt(text, integer) is
  'After looking: goes on with what this database knows, though Kafka holds a marker that it does not. What that chunk published is published again if its rows are here.';
revoke all on function migrator.resolve_in_doubt(text, integer) from public;
grant execute on function migrator.resolve_in_doubt(text, integer) to migrator_admin;
grant select on migrator.slot, migrator.chunk to migrator_reader;

create or replace function migrator.check_migration(company text,
    out "check" text, out ok boolean, out detail text, out remedy text) returns setof record
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  owner constant migrator.company := (select c from migrator.company c where c.code = check_migration.company);
  in_table record;
  needed integer;
  available integer;
begin
  if owner.code is null then
    raise undefined_object using message = format('company "%s" does not exist', company), hint = 'See migrator.company.';
  end if;

  "check" := 'IN migration is on'; ok := owner.has_in_migration; detail := format('has_in_migration is %s', owner.has_in_migration);
  remedy := case when not ok then format('update migrator.company set has_in_migration = true where code = %L', company) end;
  return next;

  "check" := 'this database publishes';
  ok := coalesce((select i.system_identifier = c.system_identifier::text and i.data_directory = current_setting('data_directory')
                  and i.database_oid = (select d.oid from pg_database d where d.datname = current_database())
                  from migrator.identity i, pg_control_system() c), true);
  detail := case when ok then 'it is where it was' else 'it was restored or copied from another place' end;
  remedy := case when not ok then 'select migrator.adopt(), once the original has stopped for good' end;
  return next;

  "check" := 'fields are marked';
  select count(distinct l.relname) into needed from migrator.in_layout(company) l where l.kind in ('fields', 'links');
  ok := needed > 0; detail := format('%s in-tables follow from the structure', needed);
  remedy := case when not ok then 'update migrator.field set need_load_from_in_tables = true where ...' end;
  return next;

  for in_table in
    select l.relname, array_agg(l.attname) filter (where l.attname is not null and l.kind = 'fields') as columns,
           to_regclass(format('%I.%I', owner.in_schema, l.relname)) as found
    from migrator.in_layout(company) l group by l.relname order by l.relname
  loop
    "check" := format('table %I.%I', owner.in_schema, in_table.relname);
    detail := case when in_table.found is null then 'does not exist' else
      (select 'has no column ' || string_agg(quote_ident(c), ', ') from unnest(in_table.columns) c
       where not exists (select from pg_attribute a where a.attrelid = in_table.found and a.attname = c and not a.attisdropped)) end;
    ok := detail is null;
    detail := coalesce(detail, format('about %s rows', greatest((select reltuples from pg_class where oid = in_table.found), 0)::bigint));
    remedy := case when not ok then format('select migrator.apply_in_ddl(%L)', company) end;
    return next;
  end loop;

  "check" := 'background workers';
  needed := owner.workers + 1;
  available := current_setting('max_worker_processes')::integer;
  ok := available > needed;
  detail := format('a run uses %s of max_worker_processes = %s', needed, available);
  remedy := case when not ok then 'raise max_worker_processes and restart the server' end;
  return next;

  "check" := 'durability';
  ok := current_setting('fsync')::boolean and current_setting('full_page_writes')::boolean;
  detail := format('fsync = %s, full_page_writes = %s', current_setting('fsync'), current_setting('full_page_writes'));
  remedy := case when not ok then 'turn both on: without them a power cut can lose claims' end;
  return next;

  "check" := 'foreign server';
  ok := exists (select from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw
                where s.srvname = owner.kafka_server and w.fdwname = 'migrator_kafka');
  detail := coalesce(quote_ident(owner.kafka_server), 'kafka_server is not set');
  remedy := case when not ok then format('create server ... foreign data wrapper migrator_kafka options ("bootstrap.servers" ''host:9092''); update migrator.company set kafka_server = ... where code = %L', company) end;
  return next;
  if ok then
    return query select * from migrator.kafka_check(owner.kafka_server);
  end if;
end
$$;
comment on function migrator.check_migration(text) is
  'A dry check before the first run: rows of (check, ok, detail, remedy). Changes nothing, in Kafka neither.';
revoke all on function migrator.check_migration(text) from public;
grant execute on function migrator.check_migration(text) to migrator_operator;
