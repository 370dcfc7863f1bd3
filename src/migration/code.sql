create or replace function migrator.try_to_start_migration(company text) returns text
  language c strict security definer set search_path = pg_catalog, pg_temp set lock_timeout = '1s'
  as 'MODULE_PATHNAME', 'migrator_try_to_start_migration';
comment on function migrator.try_to_start_migration(text) is
  'Starts the company''s migration if everything is ready, or takes up one whose worker has died. Never waits; answers with one sentence.';

-- The running migration of a company; an error with a hint if there is none.
create or replace function migrator.running_migration(company text) returns bigint
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  found_id bigint;
begin
  if not exists (select from migrator.company c where c.code = running_migration.company) then
    raise undefined_object using message = format('company "%s" does not exist', running_migration.company),
      hint = 'See migrator.company.';
  end if;
  select m.id into found_id from migrator.migration m
  where m.company = running_migration.company and m.state = 'RUNNING';
  if found_id is null then
    raise object_not_in_prerequisite_state using
      message = format('no migration of company "%s" is running', running_migration.company),
      hint = 'See migrator.migration for earlier ones.';
  end if;
  return found_id;
end
$$;
comment on function migrator.running_migration(text) is 'Id of the running migration of a company; an error if none is.';

create or replace function migrator.pause_migration(company text) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  run constant bigint := migrator.running_migration(company);
begin
  update migrator.migration m set paused = true where m.id = run;
  insert into in_migration.log (company, migration_id, message) values (company, run, 'paused by ' || session_user);
  return format('paused: migration %s', run);
end
$$;
comment on function migrator.pause_migration(text) is
  'Nothing is claimed any more; chunks on their way end. In force within a second, also after a restart, until resume_migration.';

-- While rows are on their way, where they came from and where they go must stay.
create or replace function migrator.keep_while_running() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'UPDATE' and new.in_schema = old.in_schema and new.kafka_server is not distinct from old.kafka_server then
    return new;
  end if;
  if exists (select from migrator.migration m where m.company = old.code
             and (m.state = 'RUNNING' or exists (select from migrator.chunk c where c.migration_id = m.id and c.state = 'CLAIMED'))) then
    raise object_not_in_prerequisite_state using
      message = case when tg_op = 'DELETE' then format('company "%s" has rows on their way to Kafka', old.code)
                     else format('in_schema and kafka_server of company "%s" cannot change while rows are on their way to Kafka', old.code) end,
      hint = 'Wait for the end of the migration; what a cancelled one left behind is settled by the next.';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end
$$;
comment on function migrator.keep_while_running() is 'Refuses changes of a company that would leave claimed rows behind.';
create or replace trigger keep_while_running before update or delete on migrator.company
  for each row execute function migrator.keep_while_running();

create or replace function migrator.resume_migration(company text) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  run constant bigint := migrator.running_migration(company);
begin
  update migrator.migration m set paused = false where m.id = run;
  insert into in_migration.log (company, migration_id, message) values (company, run, 'resumed by ' || session_user);
  perform migrator.try_to_start_migration(company);
  return format('resumed: migration %s', run);
end
$$;
comment on function migrator.resume_migration(text) is
  'Goes on after pause_migration; also wakes a run whose worker has died.';

create or replace function migrator.cancel_migration(company text) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  run constant bigint := migrator.running_migration(company);
begin
  update migrator.migration m set state = 'CANCELLED', waiting = null, finished_at = clock_timestamp()
  where m.id = run;
  insert into in_migration.log (company, migration_id, message) values (company, run, 'cancelled by ' || session_user);
  -- A long statement of the runner (a copy, a hook) must not outlast the run.
  perform pg_terminate_backend(a.pid) from pg_stat_activity a
  where a.datname = current_database() and a.application_name = format('migrator runner %s/0', run) and a.backend_type = 'migrator runner';
  return format('cancelled: migration %s', run);
end
$$;
comment on function migrator.cancel_migration(text) is
  'Ends the run for good. What is published stays DONE; what was not claimed keeps its empty status and goes with the next load.';

create or replace function migrator.retry_failed(company text, bo text default null) returns text
  language c security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_retry_failed';
comment on function migrator.retry_failed(text, text) is
  'Sets the ERROR rows of a BO and its links, or of all, back to empty and starts a migration for them if nothing else is under way.';

create or replace function migrator.run_counts(migration_id bigint,
    out rows_done bigint, out rows_skipped bigint, out rows_failed bigint, out bytes bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(c.rows) filter (where c.state = 'DONE' and c.kind <> 'CHECK'), 0)::bigint,
         coalesce(sum(c.rows_skipped) filter (where c.state <> 'RELEASED'), 0)::bigint,
         (coalesce(sum(c.rows_failed) filter (where c.state <> 'RELEASED'), 0)
          + coalesce((select m.rows_refused from migrator.migration m where m.id = run_counts.migration_id), 0))::bigint,
         coalesce(sum(c.bytes) filter (where c.state = 'DONE'), 0)::bigint
  from migrator.chunk c where c.migration_id = run_counts.migration_id
$$;
comment on function migrator.run_counts(bigint) is 'What a run has published, skipped and refused so far.';

create or replace view migrator.progress as
select m.id as migration_id, m.company,
       case when m.paused then 'paused'
            when m.stage = 0 then 'beginning'
            when m.stage <= 3 then 'simple fields'
            when m.stage <= 6 then 'links'
            else 'finishing' end as phase,
       m.rows_total, n.rows_done, n.rows_skipped, n.rows_failed,
       case when e.seconds > 0 then (n.rows_done / e.seconds)::bigint end as rows_per_second,
       case when n.rows_done > 0 and m.waiting is null and not m.paused
            then make_interval(secs => e.seconds * greatest(m.rows_total - n.rows_done - n.rows_skipped - n.rows_failed, 0) / n.rows_done) end
         as time_left,
       n.bytes,
       (select count(*) from pg_catalog.pg_stat_activity a
        where a.datname = current_database() and a.application_name like 'migrator publisher ' || m.id || '/%')::integer as workers,
       case when m.paused then 'paused; migrator.resume_migration(company) goes on'
            when m.heartbeat_at < clock_timestamp() - interval '5 seconds'  -- a new runner needs a moment
                 and not exists (select from pg_catalog.pg_stat_activity a where a.datname = current_database()
                                 and a.application_name = 'migrator runner ' || m.id || '/0')
            then coalesce(m.waiting, 'no worker; migrator.try_to_start_migration(company) takes the run up again')
            else m.waiting end as waiting,
       m.started_at, m.heartbeat_at
from migrator.migration m
cross join lateral migrator.run_counts(m.id) n
cross join lateral (select extract(epoch from clock_timestamp() - min(c.claimed_at))::double precision as seconds
                    from migrator.chunk c where c.migration_id = m.id) e
where m.state = 'RUNNING';
comment on view migrator.progress is 'One row a running migration.';
comment on column migrator.progress.migration_id is 'The migration.';
comment on column migrator.progress.company is 'Code of the company.';
comment on column migrator.progress.phase is 'beginning, simple fields, links, finishing or paused.';
comment on column migrator.progress.rows_total is 'Rows that were waiting when the run began.';
comment on column migrator.progress.rows_done is 'Rows whose message is committed in Kafka.';
comment on column migrator.progress.rows_skipped is 'Rows that had nothing to migrate.';
comment on column migrator.progress.rows_failed is 'Rows that went to err.';
comment on column migrator.progress.rows_per_second is 'Average since the first claim.';
comment on column migrator.progress.time_left is 'Estimate from the average so far; null while it waits.';
comment on column migrator.progress.bytes is 'Bytes of the committed messages.';
comment on column migrator.progress.workers is 'Publishers at work.';
comment on column migrator.progress.waiting is 'Why nothing moves; null while work goes on.';
comment on column migrator.progress.started_at is 'Start of the run.';
comment on column migrator.progress.heartbeat_at is 'Last sign of life.';

create or replace procedure migrator.migrate(company text)
  language plpgsql as $$
declare
  answer text := migrator.try_to_start_migration(company);
  run migrator.migration;
  state migrator.progress;
  told migrator.progress;
  tenth integer;
  told_tenth integer;
  counts record;
begin
  raise notice '%', answer;
  select * into run from migrator.migration m where m.company = migrate.company and m.state = 'RUNNING';
  if run.id is null then
    raise object_not_in_prerequisite_state using message = answer,
      hint = 'select * from migrator.check_migration(''' || company || ''') shows what is missing.';
  end if;
  commit;
  loop
    perform pg_catalog.pg_sleep(0.2);
    select * into run from migrator.migration m where m.id = run.id;
    exit when run.state is distinct from 'RUNNING';
    select * into state from migrator.progress p where p.migration_id = run.id;
    -- News only: another phase or reason, or a tenth more of the rows.
    tenth := case when state.rows_total > 0 then 10 * (state.rows_done + state.rows_failed + state.rows_skipped) / state.rows_total else 0 end;
    if (state.phase, state.waiting, tenth) is distinct from (told.phase, told.waiting, told_tenth)
       and pg_catalog.clock_timestamp() > run.started_at + interval '1 second' then
      raise notice '%: % of % rows%', state.phase, state.rows_done + state.rows_failed + state.rows_skipped, state.rows_total,
        coalesce('; waiting: ' || state.waiting, '; time left ' || state.time_left::interval(0), '');
      told := state;
      told_tenth := tenth;
    end if;
    -- A run that nobody works on any more is taken up again.
    if run.heartbeat_at < pg_catalog.clock_timestamp() - interval '5 seconds' then
      perform migrator.try_to_start_migration(company);
    end if;
    commit;
  end loop;
  if run.state = 'CANCELLED' then
    raise query_canceled using message = pg_catalog.format('migration %s was cancelled', run.id);
  end if;
  select * into counts from migrator.run_counts(run.id);
  raise notice 'done: % rows published, % skipped, % failed', counts.rows_done, counts.rows_skipped, counts.rows_failed;
end
$$;
comment on procedure migrator.migrate(text) is
  'The same run as try_to_start_migration, waiting for its end with progress as notices. Ctrl-C ends the waiting, not the run; calling again waits on.';

create or replace function migrator.adopt() returns text
  language c security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_adopt';
comment on function migrator.adopt() is
  'Declares this database the one that publishes, after a restore or a move. The original must not publish any more: it will be fenced off.';

create or replace function migrator.clean(days integer default 10, row_limit integer default 10000) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  oldest constant timestamptz := clock_timestamp() - make_interval(days => days);
  removed bigint := 0;
  touched bigint;
begin
  if days < 0 or row_limit < 1 then
    raise invalid_parameter_value using message = 'days must not be negative and row_limit must be positive';
  end if;
  delete from in_migration.errors where id in (select id from in_migration.errors where at < oldest order by at limit row_limit);
  get diagnostics touched = row_count;
  removed := removed + touched;
  delete from in_migration.log where id in (select id from in_migration.log where at < oldest order by at limit row_limit);
  get diagnostics touched = row_count;
  removed := removed + touched;
  delete from migrator.chunk where id in (
    select c.id from migrator.chunk c
    where c.finished_at < oldest and not exists (select from migrator.migration m where m.id = c.migration_id and m.state = 'RUNNING')
    order by c.finished_at limit row_limit);
  get diagnostics touched = row_count;
  return removed + touched;
end
$$;
comment on function migrator.clean(integer, integer) is
  'Removes old rows of in_migration.errors, in_migration.log and migrator.chunk, at most row_limit a table; every run calls it.';

-- A hook runs with the rights of whoever wrote its statement.
create or replace function migrator.hook_role() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'UPDATE' and new.command is distinct from old.command then
    new.run_as := current_user;
  elsif not pg_has_role(current_user, new.run_as, 'member') then
    raise insufficient_privilege using message = format('hook "%s" would run as "%s"', new.name, new.run_as),
      hint = 'A hook runs as a role that you are a member of.';
  end if;
  return new;
end
$$;
comment on function migrator.hook_role() is 'Keeps hooks from running with more rights than their author has.';
create or replace trigger hook_role before insert or update on migrator.hook
  for each row execute function migrator.hook_role();

revoke all on all functions in schema migrator from public;
revoke all on all procedures in schema migrator from public;
grant execute on function migrator.try_to_start_migration(text), migrator.pause_migration(text), migrator.resume_migration(text),
  migrator.cancel_migration(text), migrator.retry_failed(text, text), migrator.running_migration(text) to migrator_operator;
grant execute on procedure migrator.migrate(text) to migrator_operator;
grant execute on function migrator.run_counts(bigint) to migrator_reader;
grant execute on function migrator.adopt(), migrator.clean(integer, integer) to migrator_admin;
grant select on migrator.migration, migrator.progress, migrator.hook, in_migration.copy_table_info, in_migration.errors,
  in_migration.log, in_migration.migrated_table to migrator_reader;
grant insert, update (name, position, command), delete on migrator.hook to migrator_admin;
