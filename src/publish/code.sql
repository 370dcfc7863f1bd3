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

-- One line a run that was large enough to tell something: its workers, its speed, and on what they spent their time.
create or replace view migrator.run_speed as
  select m.company, m.id as migration_id, count(distinct c.slot)::integer as workers, sum(c.rows)::bigint as rows,
         round(sum(c.rows) / greatest(extract(epoch from max(c.finished_at) - min(c.claimed_at - c.reading - c.encoding - c.writing)), 0.001)) as rows_per_second,
         round(extract(epoch from sum(c.reading)) * 100 / greatest(extract(epoch from sum(c.reading + c.encoding + c.writing + c.publishing)), 0.001)) as reading,
         round(extract(epoch from sum(c.encoding)) * 100 / greatest(extract(epoch from sum(c.reading + c.encoding + c.writing + c.publishing)), 0.001)) as encoding,
         round(extract(epoch from sum(c.writing)) * 100 / greatest(extract(epoch from sum(c.reading + c.encoding + c.writing + c.publishing)), 0.001)) as status_writes,
         round(extract(epoch from sum(c.publishing)) * 100 / greatest(extract(epoch from sum(c.reading + c.encoding + c.writing + c.publishing)), 0.001)) as kafka
  from migrator.migration m join migrator.chunk c on c.migration_id = m.id
  where m.state = 'DONE' and c.state = 'DONE' and c.rows > 0 and c.publishing is not null
  group by m.company, m.id
  having sum(c.rows) >= 10000 and count(*) >= 2 * count(distinct c.slot);
comment on view migrator.run_speed is 'Speed of each run of at least 10000 rows whose workers had two chunks or more each. What a fault interrupted is left out.';
comment on column migrator.run_speed.company is 'Code of the company.';
comment on column migrator.run_speed.migration_id is 'The migration.';
comment on column migrator.run_speed.workers is 'Workers that published.';
comment on column migrator.run_speed.rows is 'Messages that they published.';
comment on column migrator.run_speed.rows_per_second is 'From the first claim to the last acknowledgement.';
comment on column migrator.run_speed.reading is 'Reading rows, in per cent of the workers'' time.';
comment on column migrator.run_speed.encoding is 'Making messages of them, in per cent.';
comment on column migrator.run_speed.status_writes is 'Setting statuses, in per cent.';
comment on column migrator.run_speed.kafka is 'Sending to Kafka and waiting for its commit, in per cent.';
grant select on migrator.run_speed to migrator_reader;

-- Doubling as long as it pays, as the source advises; here from what was measured.
create or replace function migrator.advise_workers(company text,
    out workers integer, out advised integer, out rows_per_second numeric, out bottleneck text, out reason text)
  language plpgsql stable strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  worth_it constant numeric := 1.1;  -- what twice the workers must bring at least
  last migrator.run_speed;
  of_half numeric;
  of_double numeric;
begin
  select c.workers into workers from migrator.company c where c.code = advise_workers.company;
  if workers is null then
    raise undefined_object using message = format('company "%s" does not exist', company), hint = 'See migrator.company.';
  end if;
  select s.* into last from migrator.run_speed s where s.company = advise_workers.company order by s.migration_id desc limit 1;
  if last.migration_id is null then
    advised := workers;
    reason := 'no run is known yet that was large enough to be measured: at least 10000 rows, and two chunks a worker';
    return;
  end if;
  rows_per_second := last.rows_per_second;
  select format('%s (%s %% of the workers'' time)', name, share) into bottleneck
  from (values ('reading', last.reading), ('encoding', last.encoding), ('status writes', last.status_writes), ('broker', last.kafka)) as part (name, share)
  order by share desc limit 1;
  -- The newest run with so many workers counts: the machine may be another one by now.
  select s.rows_per_second into of_half from migrator.run_speed s
  where s.company = advise_workers.company and s.workers = last.workers / 2 order by s.migration_id desc limit 1;
  select s.rows_per_second into of_double from migrator.run_speed s
  where s.company = advise_workers.company and s.workers = last.workers * 2 order by s.migration_id desc limit 1;
  if of_double >= last.rows_per_second * worth_it then
    advised := last.workers * 2;
    reason := format('%s workers published %s times as many rows a second as %s', advised, round(of_double / last.rows_per_second, 2), last.workers);
  elsif of_double is not null then
    advised := last.workers;
    reason := format('%s workers published only %s times as many rows a second as %s', last.workers * 2, round(of_double / last.rows_per_second, 2), last.workers);
  elsif last.rows_per_second < of_half * worth_it then
    advised := last.workers / 2;
    reason := format('%s workers published only %s times as many rows a second as %s', last.workers, round(last.rows_per_second / of_half, 2), advised);
  elsif last.workers * 2 > 64 then
    advised := last.workers;
    reason := 'a server has 64 slots';
  elsif last.workers * 2 + 1 >= current_setting('max_worker_processes')::integer then
    advised := last.workers;
    reason := format('max_worker_processes = %s leaves no room for %s workers', current_setting('max_worker_processes'), last.workers * 2);
  else
    advised := last.workers * 2;
    reason := format('%s workers have not been tried yet%s', advised,
      case when of_half is not null then format('; %s were %s times as fast as %s', last.workers, round(last.rows_per_second / of_half, 2), last.workers / 2) end);
  end if;
end
$$;
comment on function migrator.advise_workers(text) is
  'How many workers company.workers should be, why, and what the last run''s workers spent most of their time on. From measurements of runs alone; changes nothing.';
revoke all on function migrator.advise_workers(text) from public;
grant execute on function migrator.advise_workers(text) to migrator_reader;
