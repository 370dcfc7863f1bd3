-- What the advisers make of measurements: one case for each sentence.
begin;
select plan(15);

insert into migrator.company (code, workers, consumers) values ('advice', 2, 2);

-- A run of so many workers whose chunks of 10000 rows took so many seconds each, two a worker, all at once.
create function pg_temp.run(of_workers integer, seconds numeric, reading numeric default 0.1) returns void language sql as $$
  with run as (insert into migrator.migration (company, state, tracking_id) values ('advice', 'DONE', 1) returning id)
  insert into migrator.chunk (id, migration_id, task_id, kind, table_name, range_from, range_to, server, slot, claim_xid, rows, rows_skipped, rows_failed, bytes,
                              state, reading, encoding, writing, publishing, claimed_at, finished_at)
  select gen_random_uuid(), run.id, 1, 'FIELDS', 't', '{1}', '{2}', 's', slot, '7', 10000, 0, 0, 1, 'DONE', share * reading, share * 0.1, share * 0.2,
         share * (0.7 - reading), timestamptz '2026-01-01' + n * share + share * (reading + 0.3), timestamptz '2026-01-01' + (n + 1) * share
  from run, generate_series(0, of_workers - 1) slot, generate_series(0, 1) n, make_interval(secs => seconds) share
$$;
create function pg_temp.advice() returns text language sql as $$ select advised || ': ' || reason from migrator.advise_workers('advice') $$;

select throws_ok($$select * from migrator.advise_workers('nobody')$$, '42704', 'company "nobody" does not exist', 'an unknown company');
select is(pg_temp.advice(), '2: no run is known yet that was large enough to be measured: at least 10000 rows, and two chunks a worker', 'nothing measured');
select pg_temp.run(1, 1);
select is(pg_temp.advice(), '2: 2 workers have not been tried yet', 'one worker alone was measured');
select results_eq($$select workers, rows_per_second, bottleneck from migrator.advise_workers('advice')$$,
                  $$values (2, 10000::numeric, 'broker (60 % of the workers'' time)')$$, 'speed and bottleneck are those of the last run');
select pg_temp.run(2, 1, 0.6);
select is(pg_temp.advice(), '4: 4 workers have not been tried yet; 2 were 2.00 times as fast as 1', 'doubling has paid');
select is((select bottleneck from migrator.advise_workers('advice')), 'reading (60 % of the workers'' time)', 'another bottleneck');
select pg_temp.run(4, 2);
select is(pg_temp.advice(), '2: 4 workers published only 1.00 times as many rows a second as 2', 'doubling has not paid');
select pg_temp.run(2, 1);
select is(pg_temp.advice(), '2: 4 workers published only 1.00 times as many rows a second as 2', 'the same seen from the better number');
select pg_temp.run(4, 1), pg_temp.run(2, 1);
select is(pg_temp.advice(), '4: 4 workers published 2.00 times as many rows a second as 2', 'the newest run of a number counts');

-- Consumers that were busy all the time for so many stretches, with so many messages a second in all.
create function pg_temp.consumed(of_consumers integer, messages integer, begun timestamptz) returns void language sql as $$
  insert into in_migration.from_kafka_to_mongo_tracking (company, worker, started_at, finished_at, received_counter, inserted_counter, updated_counter,
    unchanged_counter, merged_counter, skipped_counter, duplicate_counter, failed_counter)
  select 'advice', 'consumer ' || n, begun + at * interval '1 second', begun + (at + 1) * interval '1 second', messages / of_consumers, 0, 0, 0, 0, 0, 0, 0
  from generate_series(1, of_consumers) n, generate_series(0, 29) at
$$;
create function pg_temp.consumer_advice() returns text language sql as $$ select advised || ': ' || reason from migrator.advise_consumers('advice') $$;
select is(pg_temp.consumer_advice(), '2: nothing is measured yet: consumers must have been busy for ten seconds', 'no consumer yet');
insert into migrator.in_topic (company, topic, partitions) values ('advice', 't', 6);
insert into migrator.in_partition (company, topic, partition) select 'advice', 't', n from generate_series(0, 5) n;
select pg_temp.consumed(2, 20000, '2026-01-01 00:00:00');
select is(pg_temp.consumer_advice(), '3: 3 consumers, the next divisor of 6 partitions, have not been tried yet', 'a divisor, not the double');
select pg_temp.consumed(3, 21000, '2026-01-01 01:00:00');
select is(pg_temp.consumer_advice(), '2: 3 consumers applied only 1.05 times as many messages a second as 2', 'more has not paid');
select pg_temp.consumed(6, 60000, '2026-01-01 02:00:00');
select is(pg_temp.consumer_advice(), '6: there are 6 partitions, and a consumer needs one of its own', 'no more than partitions');
select is((select bottleneck from migrator.advise_consumers('advice')), 'not known: company.track_timings is off', 'steps are timed only on demand');
insert into in_migration.timings (company, worker, step, records, duration, at) select 'advice', 'consumer 1', step, 1, took, '2026-01-01 02:00:30'
  from (values ('receive', interval '1 s'), ('apply', interval '3 s')) as t (step, took);
select is((select bottleneck from migrator.advise_consumers('advice')), 'applying to the store (75 % of the consumers'' time)', 'bottleneck of consumers');

select * from finish();
rollback;
