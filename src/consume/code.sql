-- The consumption of a company, made at its first use; an error with a hint if there is no such company.
create or replace function migrator.consumption_of(company text) returns migrator.in_consumption
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_row migrator.in_consumption;
begin
  if not exists (select from migrator.company c where c.code = consumption_of.company) then
    raise undefined_object using message = format('company "%s" does not exist', consumption_of.company),
      hint = 'See migrator.company.';
  end if;
  insert into migrator.in_consumption (company) values (consumption_of.company) on conflict do nothing;
  select c.* into found_row from migrator.in_consumption c where c.company = consumption_of.company for update;
  return found_row;
end
$$;
comment on function migrator.consumption_of(text) is 'The row of in_consumption of a company, locked.';

create or replace function migrator.start_supervisor(id bigint) returns text
  language c strict set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_start_supervisor';
comment on function migrator.start_supervisor(bigint) is
  'Starts the supervisor of a consumption at commit: "started"; or says that it is "running" or "starting".';

create or replace function migrator.start_consumers(company text) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  consumption constant migrator.in_consumption := migrator.consumption_of(company);
  server constant text := (select c.kafka_server from migrator.company c where c.code = start_consumers.company);
  supervisor text;
begin
  if server is null then
    return format('not started: kafka_server of company "%s" is not set', company);
  elsif not exists (select from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw
                    where s.srvname = server and w.fdwname = 'migrator_kafka') then
    return format('not started: foreign server "%s" of migrator_kafka does not exist', server);
  end if;
  update migrator.in_consumption c set started = true, wanted_until = null where c.id = consumption.id;
  supervisor := migrator.start_supervisor(consumption.id);
  if not consumption.started then
    insert into in_migration.log (company, message) values (company, 'consumption started by ' || session_user);
    return format('started: consumption of company "%s"', company)
      || case when not exists (select from migrator.in_topic t where t.company = start_consumers.company)
              then '; no topic is subscribed yet, see migrator.in_topic' else '' end;
  elsif supervisor = 'started' then
    return format('resumed: consumption of company "%s", whose worker had ended', company);
  end if;
  return format('not started: consumption of company "%s" is %s', company, supervisor);
end
$$;
comment on function migrator.start_consumers(text) is
  'Background workers read the company''s topics into the golden record, until stop_consumers. Answers with one sentence; may be repeated.';

create or replace function migrator.stop_consumers(company text) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  consumption constant migrator.in_consumption := migrator.consumption_of(company);
begin
  if not consumption.started then
    return format('not stopped: consumption of company "%s" is not started', company);
  end if;
  update migrator.in_consumption c set started = false, wanted_until = null, starting_at = null where c.id = consumption.id;
  insert into in_migration.log (company, message) values (company, 'consumption stopped by ' || session_user);
  return format('stopped: consumption of company "%s"', company);
end
$$;
comment on function migrator.stop_consumers(text) is
  'Ends the consumers, within a second; what is being applied is completed. start_consumers goes on where they were.';

create or replace function migrator.pause_consumption(company text) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  consumption constant migrator.in_consumption := migrator.consumption_of(company);
begin
  update migrator.in_consumption c set paused = true where c.id = consumption.id;
  insert into in_migration.log (company, message) values (company, 'consumption paused by ' || session_user);
  return format('paused: consumption of company "%s"', company);
end
$$;
comment on function migrator.pause_consumption(text) is
  'Nothing more is applied, within a second, also after a restart, until resume_consumption.';

create or replace function migrator.resume_consumption(company text) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  consumption constant migrator.in_consumption := migrator.consumption_of(company);
begin
  update migrator.in_consumption c set paused = false where c.id = consumption.id;
  insert into in_migration.log (company, message) values (company, 'consumption resumed by ' || session_user);
  if consumption.started then
    perform migrator.start_supervisor(consumption.id);
  end if;
  return format('resumed: consumption of company "%s"', company);
end
$$;
comment on function migrator.resume_consumption(text) is 'Goes on after pause_consumption; also wakes consumers whose supervisor has died.';

create or replace function migrator.resume_partition(company text, topic text, partition integer, from_offset bigint default null) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  was migrator.in_partition;
begin
  if from_offset < 0 then
    raise invalid_parameter_value using message = 'from_offset must not be negative';
  end if;
  select p.* into was from migrator.in_partition p
  where p.company = resume_partition.company and p.topic = resume_partition.topic and p.partition = resume_partition.partition for update;
  if was.company is null then
    raise undefined_object using message = format('partition %s of topic "%s" is not read for company "%s"', partition, topic, company),
      hint = 'See migrator.in_partition.';
  end if;
  update migrator.in_partition p
  set state = 'RUNNING', reason = null, next_offset = from_offset, end_offset = null, cluster_id = null, last_offset = null, last_timestamp = null,
      last_digest = null
  where p.company = was.company and p.topic = was.topic and p.partition = was.partition;
  insert into in_migration.log (company, message)
  values (was.company, format('partition %s of topic "%s" goes on at %s instead of %s, by %s; was: %s', partition, topic,
                              coalesce('offset ' || from_offset, 'its beginning'), was.next_offset, session_user, coalesce(was.reason, was.state)));
  return format('resumed: partition %s of topic "%s" at %s', partition, topic, coalesce('offset ' || from_offset, 'its beginning'));
end
$$;
comment on function migrator.resume_partition(text, text, integer, bigint) is
  'After looking: goes on with a partition that has stopped, at an offset, or at the first record that is there. What was applied before is known by its recordId, as long as that is remembered.';

create or replace function migrator.retry_dead_letters(company text, id bigint default null) returns text
  language c security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_retry_dead_letters';
comment on function migrator.retry_dead_letters(text, bigint) is
  'Applies the open dead letters of a company again, or one of them, in the order in which they came; says how many succeeded.';

create or replace function migrator.consumer_lag(company text,
    out topic text, out partition integer, out next_offset bigint, out end_offset bigint, out lag bigint) returns setof record
  language c stable strict security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_consumer_lag';
comment on function migrator.consumer_lag(text) is
  'Asks Kafka how far each subscribed partition is applied and where it ends. A topic that cannot be read has one row without a partition.';

create or replace function migrator.may_clear_in_tables(company text) returns boolean
  language plpgsql stable strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  run migrator.migration;
begin
  select m.* into run from migrator.migration m where m.company = may_clear_in_tables.company order by m.id desc limit 1;
  return coalesce(run.state = 'DONE', false)
    and not exists (select from migrator.chunk c join migrator.migration m on m.id = c.migration_id
                    where m.company = may_clear_in_tables.company and c.state = 'CLAIMED')
    -- What is published to a topic that is not read here may lag without our knowing.
    and not exists (select c.in_topic from migrator.company c where c.code = may_clear_in_tables.company
                    union select b.in_topic from migrator.bo b where b.company = may_clear_in_tables.company and b.in_topic is not null
                    except select t.topic from migrator.in_topic t where t.company = may_clear_in_tables.company)
    and not exists (select from migrator.consumer_lag(may_clear_in_tables.company) l where l.lag is distinct from 0);
end
$$;
comment on function migrator.may_clear_in_tables(text) is
  'True: the last migration is done and all that it published is applied, so the supplier may clear the in-tables for the next load.';

-- What migrator.consume needs beyond its caller's rights.
create or replace function migrator.want_consumers(company text) returns timestamptz
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  consumption constant migrator.in_consumption := migrator.consumption_of(company);
  until constant timestamptz := clock_timestamp() + interval '5 seconds';
begin
  update migrator.in_consumption c set wanted_until = until where c.id = consumption.id;
  perform migrator.start_supervisor(consumption.id);
  return until;
end
$$;
comment on function migrator.want_consumers(text) is 'Consumers are to run for some seconds more; says until when.';
create or replace function migrator.release_consumers(company text, until timestamptz) returns void
  language sql strict security definer set search_path = pg_catalog, pg_temp as $$
  update migrator.in_consumption c set wanted_until = null where c.company = release_consumers.company and c.wanted_until = until
$$;
comment on function migrator.release_consumers(text, timestamptz) is 'Takes back what want_consumers said, unless another caller has said more.';

-- What is left of a goal: rows of consumer_lag as they were.
create or replace function migrator.consume_left(company text, goal jsonb, out records bigint, out stopped text)
  language sql stable strict set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(greatest(g.end_offset - coalesce(p.next_offset, g.next_offset), 0)), 0)::bigint,
         min(format('partition %s of topic "%s" has stopped: %s', p.partition, p.topic, p.reason)) filter (where p.state = 'STOPPED')
  from jsonb_to_recordset(goal) as g (topic text, partition integer, next_offset bigint, end_offset bigint)
  join migrator.in_topic t on t.company = consume_left.company and t.topic = g.topic
  left join migrator.in_partition p on p.company = consume_left.company and p.topic = g.topic and p.partition = g.partition
$$;
comment on function migrator.consume_left(text, jsonb) is 'How much of what was in the topics is still to be applied, and what has stopped.';

create or replace procedure migrator.consume(company text)
  language plpgsql as $$
declare
  goal jsonb;
  total bigint;
  remaining record;
  reason text;
  told_reason text;
  tenth integer;
  told_tenth integer;
  until timestamptz;
  begun constant timestamptz := pg_catalog.clock_timestamp();
  counts record;
begin
  if not exists (select from migrator.in_topic t where t.company = consume.company) then
    raise object_not_in_prerequisite_state using message = pg_catalog.format('no topic is subscribed for company "%s"', company),
      hint = 'insert into migrator.in_topic (company, topic) values (...)';
  end if;
  select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(l)), coalesce(sum(l.lag), 0),
         min(pg_catalog.format('topic "%s" cannot be read', l.topic)) filter (where l.partition is null) as unreadable
  into goal, total, reason from migrator.consumer_lag(company) l;
  if reason is not null then
    raise object_not_in_prerequisite_state using message = reason, hint = 'See migrator.in_topic and migrator.kafka_check.';
  end if;
  raise notice '% records to consume', total;
  loop
    select * into remaining from migrator.consume_left(company, goal);
    if remaining.stopped is not null then
      raise object_not_in_prerequisite_state using message = remaining.stopped, hint = 'See migrator.resume_partition.';
    end if;
    exit when remaining.records = 0;
    -- Wanted for some seconds only: whatever ends this procedure ends the consumers that run for it.
    if until is null or until < pg_catalog.clock_timestamp() + interval '4 seconds' then
      until := migrator.want_consumers(company);
      commit;
    end if;
    select c.waiting into reason from migrator.consumption c where c.company = consume.company;
    tenth := 10 * (total - remaining.records) / greatest(total, 1);
    if (reason, tenth) is distinct from (told_reason, told_tenth) and pg_catalog.clock_timestamp() > begun + interval '1 second' then
      raise notice '% of % records%', total - remaining.records, total, coalesce('; waiting: ' || reason, '');
      told_reason := reason;
      told_tenth := tenth;
    end if;
    perform pg_catalog.pg_sleep(0.05);
    commit;
  end loop;
  if until is not null then
    perform migrator.release_consumers(company, until);
    commit;
  end if;
  select coalesce(sum(t.inserted_data_counter), 0) as applied, coalesce(sum(t.skipped_counter), 0) as skipped,
         coalesce(sum(t.duplicate_counter), 0) as duplicate, coalesce(sum(t.failed_counter), 0) as failed into counts
  from in_migration.from_kafka_to_mongo_tracking t where t.company = consume.company and t.finished_at >= begun;
  raise notice 'done: % messages applied, % skipped, % duplicate, % failed', counts.applied, counts.skipped, counts.duplicate, counts.failed;
end
$$;
comment on procedure migrator.consume(text) is
  'Reads until everything that was in the topics at the start is applied, with progress as notices. Ctrl-C ends it, and within seconds the consumers that ran for it; the next call goes on.';

create or replace function migrator.resume_all_consumers() returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  select migrator.start_supervisor(c.id) from migrator.in_consumption c where c.started order by c.id
$$;
comment on function migrator.resume_all_consumers() is 'What the launcher calls: starts supervisors that should run and do not, as after a restart.';

-- Does one thing that is due and says which; null: nothing is. Each thing is a transaction of its own.
create or replace function migrator.do_chore(consumption bigint) returns text
  language plpgsql strict set search_path = pg_catalog, pg_temp as $$
declare
  it constant migrator.in_consumption := (select c from migrator.in_consumption c where c.id = do_chore.consumption);
  settings constant migrator.company := (select c from migrator.company c where c.code = it.company);
  this_moment constant timestamptz := clock_timestamp();
  portion constant integer := 50000;  -- rows removed, or links made, in one transaction; what is left is due at once
  references_left boolean;
  letters bigint;
  -- The last 23:30 that has passed.
  evening constant timestamptz := date_trunc('day', this_moment - interval '23 hours 30 minutes') + interval '23 hours 30 minutes';
begin
  if it.references_retried_at is null or it.references_retried_at <= this_moment - make_interval(mins => settings.reference_interval) then
    if migrator.retry_references(it.company, portion) < portion then
      update migrator.in_consumption c set references_retried_at = this_moment where c.id = it.id;
    end if;
    return 'retry of waiting links';
  elsif it.records_forgotten_at is null or it.records_forgotten_at <= this_moment - interval '5 hours' then
    if migrator.forget_records(it.company, make_interval(hours => settings.record_clean_hours), portion) < portion then
      update migrator.in_consumption c set records_forgotten_at = this_moment where c.id = it.id;
    end if;
    return 'cleaning of recordIds';
  elsif it.settled_removed_at is null or it.settled_removed_at < evening then
    references_left := migrator.forget_references(it.company, null, portion) = portion;
    delete from migrator.dead_letter where id in
      (select d.id from migrator.dead_letter d where d.company = it.company
       and d.resolved_at < this_moment - make_interval(mins => settings.old_record_delete_minutes) limit portion);
    get diagnostics letters = row_count;
    if not references_left and letters < portion then
      update migrator.in_consumption c set settled_removed_at = this_moment where c.id = it.id;
    end if;
    return 'removal of what is settled';
  elsif it.cleaned_at is null or it.cleaned_at <= this_moment - interval '1 minute' then
    perform migrator.clean_tracking();
    update migrator.in_consumption c set cleaned_at = this_moment where c.id = it.id;
    return 'cleaning of tracking and timings';
  end if;
  return null;
end
$$;
comment on function migrator.do_chore(bigint) is 'Housekeeping of a consumption: does one thing that is due and names it; null: nothing is due.';

create or replace function migrator.clean_tracking(days integer default 10, row_limit integer default 10000) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  oldest constant timestamptz := clock_timestamp() - make_interval(days => days);
  removed bigint;
  touched bigint;
begin
  if days < 0 or row_limit < 1 then
    raise invalid_parameter_value using message = 'days must not be negative and row_limit must be positive';
  end if;
  delete from in_migration.from_kafka_to_mongo_tracking where id in
    (select t.id from in_migration.from_kafka_to_mongo_tracking t where t.started_at < oldest order by t.started_at limit row_limit);
  get diagnostics removed = row_count;
  delete from in_migration.timings where id in
    (select t.id from in_migration.timings t where t.at < oldest order by t.at limit row_limit);
  get diagnostics touched = row_count;
  return removed + touched;
end
$$;
comment on function migrator.clean_tracking(integer, integer) is
  'Removes old rows of from_kafka_to_mongo_tracking and timings, at most row_limit a table; consumers do so every minute.';

create or replace view migrator.consumption as
select c.company,
       case when not (c.started or coalesce(c.wanted_until > clock_timestamp(), false)) then 'stopped'
            when c.paused then 'paused' else 'running' end as state,
       (select count(*) from pg_catalog.pg_stat_activity a
        where a.datname = current_database() and a.application_name like 'migrator consumer ' || c.id || '/%')::integer as consumers,
       (select count(*) from migrator.in_topic t where t.company = c.company)::integer as topics,
       p.partitions, p.stopped, p.lag,
       (select (coalesce(sum(k.received_counter), 0) / 60.0)::bigint from in_migration.from_kafka_to_mongo_tracking k
        where k.company = c.company and k.started_at > clock_timestamp() - interval '1 minute') as records_per_second,
       (select count(*) from migrator.dead_letter d where d.company = c.company and d.resolved_at is null) as dead_letters,
       coalesce(case when c.started and c.starting_at < clock_timestamp() - interval '5 seconds' and not exists
                       (select from pg_catalog.pg_stat_activity a where a.datname = current_database()
                        and a.application_name = 'migrator supervisor ' || c.id || '/0')
                     then 'no worker; migrator.start_consumers(company) goes on' end,
                c.waiting, p.reason,
                (select min(format('topic "%s": %s', t.topic, t.problem)) from migrator.in_topic t
                 where t.company = c.company and t.problem is not null)) as waiting,
       case when o.consumers > p.partitions then format('consumers is %s, but only %s can work: one a partition', o.consumers, p.partitions)
            when p.partitions % o.consumers <> 0 then
              format('%s partitions are shared evenly by %s consumers', p.partitions,
                     (select string_agg(n::text, ', ' order by n) from generate_series(1, p.partitions) n where p.partitions % n = 0)) end as advice,
       c.heartbeat_at
from migrator.in_consumption c
join migrator.company o on o.code = c.company
cross join lateral (
  select count(*)::integer as partitions, count(*) filter (where i.state = 'STOPPED')::integer as stopped,
         sum(greatest(i.end_offset - i.next_offset, 0))::bigint as lag,
         min(format('partition %s of topic "%s": %s', i.partition, i.topic, i.reason)) filter (where i.reason is not null) as reason
  from migrator.in_partition i where i.company = c.company) p;
comment on view migrator.consumption is 'One row a company whose topics are, or were, consumed.';
comment on column migrator.consumption.company is 'Code of the company.';
comment on column migrator.consumption.state is 'running, paused or stopped.';
comment on column migrator.consumption.consumers is 'Consumers at work.';
comment on column migrator.consumption.topics is 'Subscribed topics.';
comment on column migrator.consumption.partitions is 'Their partitions, as far as seen.';
comment on column migrator.consumption.stopped is 'Partitions that wait for migrator.resume_partition.';
comment on column migrator.consumption.lag is 'Offsets still to be applied when Kafka was last looked at, some seconds ago; migrator.consumer_lag asks it anew.';
comment on column migrator.consumption.records_per_second is 'Average of the last minute.';
comment on column migrator.consumption.dead_letters is 'Open dead letters.';
comment on column migrator.consumption.waiting is 'Why nothing moves, or a part does not; null: nothing is known against it.';
comment on column migrator.consumption.advice is 'What is wrong with the number of consumers; null: nothing.';
comment on column migrator.consumption.heartbeat_at is 'Last sign of life of the supervisor.';

revoke all on function migrator.consumption_of(text), migrator.start_supervisor(bigint), migrator.start_consumers(text),
  migrator.stop_consumers(text), migrator.pause_consumption(text), migrator.resume_consumption(text),
  migrator.resume_partition(text, text, integer, bigint), migrator.retry_dead_letters(text, bigint), migrator.consumer_lag(text),
  migrator.may_clear_in_tables(text), migrator.want_consumers(text), migrator.release_consumers(text, timestamptz),
  migrator.consume_left(text, jsonb), migrator.resume_all_consumers(), migrator.do_chore(bigint),
  migrator.clean_tracking(integer, integer) from public;
revoke all on procedure migrator.consume(text) from public;
grant execute on function migrator.start_consumers(text), migrator.stop_consumers(text), migrator.pause_consumption(text),
  migrator.resume_consumption(text), migrator.resume_partition(text, text, integer, bigint), migrator.retry_dead_letters(text, bigint),
  migrator.want_consumers(text), migrator.release_consumers(text, timestamptz) to migrator_operator;
grant execute on procedure migrator.consume(text) to migrator_operator;
grant execute on function migrator.consumer_lag(text), migrator.may_clear_in_tables(text), migrator.consume_left(text, jsonb) to migrator_reader;
grant execute on function migrator.clean_tracking(integer, integer) to migrator_admin;
grant select on migrator.in_topic, migrator.in_partition, migrator.in_consumption, migrator.consumption, migrator.dead_letter,
  in_migration.from_kafka_to_mongo_tracking, in_migration.timings to migrator_reader;
grant insert (company, topic), update (topic), delete on migrator.in_topic to migrator_admin;
grant update (value) on migrator.dead_letter to migrator_admin;

-- Stretches of ten seconds in which the consumers were busy, by their number.
create or replace view migrator.consumption_speed as
  select company, consumers, round(percentile_cont(0.5) within group (order by messages)::numeric) as messages_per_second, count(*)::integer as samples,
         max(ended_at) as ended_at
  from (select company, count(distinct worker)::integer as consumers, sum(received_counter) / 10.0 as messages, max(finished_at) as ended_at,
               extract(epoch from sum(finished_at - started_at)) / (10 * count(distinct worker)) as busy
        from in_migration.from_kafka_to_mongo_tracking group by company, floor(extract(epoch from finished_at) / 10)) as stretch
  where busy >= 0.7
  group by company, consumers;
comment on view migrator.consumption_speed is 'Speed of consumption by the number of consumers, from stretches of ten seconds in which they were busy at least 70 per cent of the time.';
comment on column migrator.consumption_speed.company is 'Code of the company.';
comment on column migrator.consumption_speed.consumers is 'Consumers that were at work.';
comment on column migrator.consumption_speed.messages_per_second is 'Messages a second, all consumers together: median of the stretches.';
comment on column migrator.consumption_speed.samples is 'Number of stretches.';
comment on column migrator.consumption_speed.ended_at is 'End of the last one.';
grant select on migrator.consumption_speed to migrator_reader;

-- The next divisor of the partitions as long as it pays, as the source advises; here from what was measured.
create or replace function migrator.advise_consumers(company text,
    out consumers integer, out advised integer, out messages_per_second numeric, out bottleneck text, out reason text)
  language plpgsql stable strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  worth_it constant numeric := 1.1;  -- what more consumers must bring at least
  partitions integer;
  last migrator.consumption_speed;
  fewer integer;
  more integer;
  of_fewer numeric;
  of_more numeric;
begin
  select c.consumers into consumers from migrator.company c where c.code = advise_consumers.company;
  if consumers is null then
    raise undefined_object using message = format('company "%s" does not exist', company), hint = 'See migrator.company.';
  end if;
  select count(*) into partitions from migrator.in_partition p where p.company = advise_consumers.company;
  select s.* into last from migrator.consumption_speed s where s.company = advise_consumers.company order by s.ended_at desc limit 1;
  if last.company is null then
    advised := consumers;
    reason := 'nothing is measured yet: consumers must have been busy for ten seconds';
    return;
  end if;
  messages_per_second := last.messages_per_second;
  select format('%s (%s %% of the consumers'' time)', case step when 'receive' then 'waiting for Kafka' when 'apply' then 'applying to the store' else 'recording offsets' end,
                round(100 * extract(epoch from sum(duration)) / nullif(extract(epoch from sum(sum(duration)) over ()), 0)))
  into bottleneck
  from in_migration.timings t where t.company = advise_consumers.company and t.at > last.ended_at - interval '10 minutes'
  group by step order by sum(duration) desc limit 1;
  bottleneck := coalesce(bottleneck, 'not known: company.track_timings is off');
  select max(n) filter (where n < last.consumers), min(n) filter (where n > last.consumers) into fewer, more
  from generate_series(1, partitions) n where partitions % n = 0;
  select s.messages_per_second into of_fewer from migrator.consumption_speed s where s.company = advise_consumers.company and s.consumers = fewer;
  select s.messages_per_second into of_more from migrator.consumption_speed s where s.company = advise_consumers.company and s.consumers = more;
  if of_more >= last.messages_per_second * worth_it then
    advised := more;
    reason := format('%s consumers applied %s times as many messages a second as %s', more, round(of_more / last.messages_per_second, 2), last.consumers);
  elsif of_more is not null then
    advised := last.consumers;
    reason := format('%s consumers applied only %s times as many messages a second as %s', more, round(of_more / last.messages_per_second, 2), last.consumers);
  elsif last.messages_per_second < of_fewer * worth_it then
    advised := fewer;
    reason := format('%s consumers applied only %s times as many messages a second as %s', last.consumers, round(last.messages_per_second / of_fewer, 2), fewer);
  elsif more is null then
    advised := last.consumers;
    reason := format('there are %s partitions, and a consumer needs one of its own', partitions);
  else
    advised := more;
    reason := format('%s consumers, the next divisor of %s partitions, have not been tried yet', more, partitions);
  end if;
end
$$;
comment on function migrator.advise_consumers(text) is
  'How many consumers company.consumers should be, why, and what they spend most of their time on. From measurements alone; changes nothing.';
revoke all on function migrator.advise_consumers(text) from public;
grant execute on function migrator.advise_consumers(text) to migrator_reader;
