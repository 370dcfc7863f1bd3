alter table migrator.company
  add column consumers integer not null default 1 constraint consumers_from_1_to_64 check (consumers between 1 and 64),
  add column track_timings boolean not null default true,
  add column record_clean_hours integer not null default 5 constraint record_clean_hours_positive check (record_clean_hours > 0),
  add column reference_interval integer not null default 10 constraint reference_interval_positive check (reference_interval > 0),
  add column old_record_delete_minutes integer not null default 10080
    constraint old_record_delete_minutes_positive check (old_record_delete_minutes > 0);
comment on column migrator.company.consumers is 'Parallel consumers, 1 to 64; never more work than there are partitions.';
comment on column migrator.company.track_timings is 'Whether consumers write in_migration.timings.';
comment on column migrator.company.record_clean_hours is 'Hours for which recordIds are remembered; cleaning repeats every 5 hours.';
comment on column migrator.company.reference_interval is 'Minutes between two retries of waiting links.';
comment on column migrator.company.old_record_delete_minutes is 'Minutes after which settled dead letters are removed.';

create table migrator.in_topic (
  company text not null references migrator.company on update cascade on delete cascade,
  topic text not null,
  partitions integer,
  problem text,
  primary key (company, topic),
  constraint topic_is_a_topic_name check (topic ~ '^[a-zA-Z0-9._-]{1,249}$' and topic not in ('.', '..'))
);
comment on table migrator.in_topic is 'Topics that are read into the golden record: a row subscribes, deleting it unsubscribes and forgets how far it was read.';
comment on column migrator.in_topic.company is 'Code of the company; the topic is in the cluster of its kafka_server.';
comment on column migrator.in_topic.topic is 'Name of the topic.';
comment on column migrator.in_topic.partitions is 'Partitions that were last seen; null: none yet.';
comment on column migrator.in_topic.problem is 'Why the topic cannot be read; null: it can.';

create table migrator.in_partition (
  company text not null,
  topic text not null,
  partition integer not null,
  next_offset bigint,
  end_offset bigint,
  worker integer,
  state text not null default 'RUNNING' check (state in ('RUNNING', 'STOPPED')),
  reason text,
  cluster_id text,
  last_offset bigint,
  last_timestamp bigint,
  last_digest bigint,
  updated_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  primary key (company, topic, partition),
  foreign key (company, topic) references migrator.in_topic on update cascade on delete cascade
) with (fillfactor = 50);
comment on table migrator.in_partition is 'How far each partition is applied: changes in the same transaction as the data, so nothing is lost or applied twice.';
comment on column migrator.in_partition.company is 'Code of the company.';
comment on column migrator.in_partition.topic is 'Name of the topic.';
comment on column migrator.in_partition.partition is 'Number of the partition.';
comment on column migrator.in_partition.next_offset is 'Everything below is applied. Null: the first one that is there.';
comment on column migrator.in_partition.end_offset is 'End of the partition when it was last looked at, some seconds ago.';
comment on column migrator.in_partition.worker is 'Number of the consumer that reads it.';
comment on column migrator.in_partition.state is 'RUNNING, or STOPPED: somebody must decide, by migrator.resume_partition.';
comment on column migrator.in_partition.reason is 'Why it has stopped or waits; null while work goes on.';
comment on column migrator.in_partition.cluster_id is 'The Kafka cluster that was read; another one stops the partition.';
comment on column migrator.in_partition.last_offset is 'Offset of the last record that was applied.';
comment on column migrator.in_partition.last_timestamp is 'Its timestamp, milliseconds since 1970. Another record at its place tells that the topic was created anew.';
comment on column migrator.in_partition.last_digest is 'Digest of its key and value.';
comment on column migrator.in_partition.updated_at is 'When something was last applied.';

create table migrator.in_consumption (
  id bigint generated always as identity primary key,
  company text not null unique references migrator.company on update cascade on delete cascade,
  started boolean not null default false,
  wanted_until timestamp with time zone,
  paused boolean not null default false,
  waiting text,
  starting_at timestamp with time zone,
  heartbeat_at timestamp with time zone,
  references_retried_at timestamp with time zone,
  records_forgotten_at timestamp with time zone,
  settled_removed_at timestamp with time zone,
  cleaned_at timestamp with time zone
);
comment on table migrator.in_consumption is 'Consumption of a company, as wanted and as it is. For people there is the view migrator.consumption.';
comment on column migrator.in_consumption.id is 'Number of the consumption, part of its workers'' names.';
comment on column migrator.in_consumption.company is 'Code of the company.';
comment on column migrator.in_consumption.started is 'Whether consumers run until stop_consumers.';
comment on column migrator.in_consumption.wanted_until is 'Until when migrator.consume wants them, which says so again and again.';
comment on column migrator.in_consumption.paused is 'True: nothing is applied until resume_consumption.';
comment on column migrator.in_consumption.waiting is 'Why the whole does not move; null: nothing is known against it.';
comment on column migrator.in_consumption.starting_at is 'When the supervisor was last started; null: never, or the last one has ended as it should.';
comment on column migrator.in_consumption.heartbeat_at is 'Last sign of life of the supervisor.';
comment on column migrator.in_consumption.references_retried_at is 'When waiting links were last retried.';
comment on column migrator.in_consumption.records_forgotten_at is 'When old recordIds were last removed.';
comment on column migrator.in_consumption.settled_removed_at is 'When resolved references and settled dead letters were last removed.';
comment on column migrator.in_consumption.cleaned_at is 'When old rows of tracking and timings were last removed.';

create table migrator.dead_letter (
  id bigint generated always as identity primary key,
  company text not null references migrator.company on update cascade on delete cascade,
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  key bytea,
  value bytea,
  sqlstate text not null,
  reason text not null,
  tries integer not null default 1,
  at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  resolved_at timestamp with time zone
);
create index dead_letter_open on migrator.dead_letter (company, id) where resolved_at is null;
comment on table migrator.dead_letter is 'Messages that could not be applied for what they are; migrator.retry_dead_letters tries them again.';
comment on column migrator.dead_letter.id is 'Number of the dead letter.';
comment on column migrator.dead_letter.company is 'Code of the company.';
comment on column migrator.dead_letter.topic is 'Where it came from.';
comment on column migrator.dead_letter.partition is 'Partition of the topic.';
comment on column migrator.dead_letter."offset" is 'Offset in the partition.';
comment on column migrator.dead_letter.key is 'Key of the record, byte by byte.';
comment on column migrator.dead_letter.value is 'The message, byte by byte; may be changed before it is retried.';
comment on column migrator.dead_letter.sqlstate is 'SQLSTATE of the error.';
comment on column migrator.dead_letter.reason is 'What is wrong with it, at the last try.';
comment on column migrator.dead_letter.tries is 'How often it was tried.';
comment on column migrator.dead_letter.at is 'When it came.';
comment on column migrator.dead_letter.resolved_at is 'When a retry applied it; null while it is open.';

create table in_migration.from_kafka_to_mongo_tracking (
  id bigint generated always as identity primary key,
  company text not null,
  worker text not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  received_counter integer not null,
  inserted_data_counter integer generated always as (inserted_counter + updated_counter + unchanged_counter + merged_counter) stored,
  inserted_counter integer not null,
  updated_counter integer not null,
  unchanged_counter integer not null,
  merged_counter integer not null,
  skipped_counter integer not null,
  duplicate_counter integer not null,
  failed_counter integer not null
);
create index from_kafka_to_mongo_tracking_at on in_migration.from_kafka_to_mongo_tracking (started_at);
comment on table in_migration.from_kafka_to_mongo_tracking is 'One row a batch: how many messages came from Kafka and what became of each.';
comment on column in_migration.from_kafka_to_mongo_tracking.id is 'Number of the batch.';
comment on column in_migration.from_kafka_to_mongo_tracking.company is 'Code of the company.';
comment on column in_migration.from_kafka_to_mongo_tracking.worker is 'The consumer that applied it.';
comment on column in_migration.from_kafka_to_mongo_tracking.started_at is 'When its messages had come from Kafka.';
comment on column in_migration.from_kafka_to_mongo_tracking.finished_at is 'When they were applied.';
comment on column in_migration.from_kafka_to_mongo_tracking.received_counter is 'Messages that came.';
comment on column in_migration.from_kafka_to_mongo_tracking.inserted_data_counter is 'Messages whose data are in the store because of this batch: inserted, updated, unchanged and merged. Operators divide its sum by the time and read it as records per second, so it must not be zero while a load updates what is there.';
comment on column in_migration.from_kafka_to_mongo_tracking.inserted_counter is 'Messages that created an instance.';
comment on column in_migration.from_kafka_to_mongo_tracking.updated_counter is 'Messages that changed one.';
comment on column in_migration.from_kafka_to_mongo_tracking.unchanged_counter is 'Messages that brought nothing new.';
comment on column in_migration.from_kafka_to_mongo_tracking.merged_counter is 'Messages whose data went to the holder of a unique value, which neither their id nor their externalId had found.';
comment on column in_migration.from_kafka_to_mongo_tracking.skipped_counter is 'Messages with nothing to migrate.';
comment on column in_migration.from_kafka_to_mongo_tracking.duplicate_counter is 'Messages whose recordId was seen before.';
comment on column in_migration.from_kafka_to_mongo_tracking.failed_counter is 'Messages that went to migrator.dead_letter.';

create table in_migration.timings (
  id bigint generated always as identity primary key,
  company text not null,
  worker text not null,
  step text not null,
  records integer not null,
  duration interval not null,
  at timestamp with time zone not null default pg_catalog.clock_timestamp()
);
create index timings_at on in_migration.timings (at);
comment on table in_migration.timings is 'How long the steps of each batch took; written if company.track_timings.';
comment on column in_migration.timings.id is 'Number of the entry.';
comment on column in_migration.timings.company is 'Code of the company.';
comment on column in_migration.timings.worker is 'The consumer.';
comment on column in_migration.timings.step is 'receive (waiting for Kafka), apply (to the store), record (offsets, dead letters).';
comment on column in_migration.timings.records is 'Messages of the batch.';
comment on column in_migration.timings.duration is 'Time that the step took.';
comment on column in_migration.timings.at is 'When it ended.';

select pg_catalog.pg_extension_config_dump('migrator.in_topic', '');
select pg_catalog.pg_extension_config_dump('migrator.in_partition', '');
select pg_catalog.pg_extension_config_dump('migrator.in_consumption', '');
select pg_catalog.pg_extension_config_dump('migrator.dead_letter', '');
select pg_catalog.pg_extension_config_dump('in_migration.from_kafka_to_mongo_tracking', '');
select pg_catalog.pg_extension_config_dump('in_migration.timings', '');
select pg_catalog.pg_extension_config_dump('migrator.in_consumption_id_seq', '');
select pg_catalog.pg_extension_config_dump('migrator.dead_letter_id_seq', '');
select pg_catalog.pg_extension_config_dump('in_migration.from_kafka_to_mongo_tracking_id_seq', '');
select pg_catalog.pg_extension_config_dump('in_migration.timings_id_seq', '');
