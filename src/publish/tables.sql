create table migrator.slot (
  server text not null,
  slot integer not null,
  cluster_id text,
  next_marker_offset bigint not null default 0,
  last_marker uuid,
  in_doubt text,
  in_doubt_offset bigint,
  accepted_offset bigint,
  recovered_for bigint,
  recovered_at timestamp with time zone,
  server_start timestamp with time zone,
  tainted bigint not null default 0,
  restarts bigint not null default 0,
  primary key (server, slot)
);
comment on table migrator.slot is 'Publishing slots: one transactional id and one partition of the marker topic each.';
comment on column migrator.slot.server is 'Foreign server.';
comment on column migrator.slot.slot is 'Number of the slot and of its partition in the marker topic.';
comment on column migrator.slot.cluster_id is 'The Kafka cluster that was met; another one stops the slot.';
comment on column migrator.slot.next_marker_offset is 'The offset behind the newest marker that this database knows; 0 while none is.';
comment on column migrator.slot.last_marker is 'Chunk of that marker, or the name of the slot''s first one. Another one in its place, or none, stops the slot.';
comment on column migrator.slot.in_doubt is 'Why the slot has stopped: Kafka knows something that this database does not. Null: it has not.';
comment on column migrator.slot.in_doubt_offset is 'Offset of the marker that this database does not know.';
comment on column migrator.slot.accepted_offset is 'Unknown markers up to here do not stop the slot any more: migrator.resolve_in_doubt() was called.';
comment on column migrator.slot.recovered_for is 'The migration that last settled the slot before claiming anything.';
comment on column migrator.slot.recovered_at is 'When that was.';
comment on column migrator.slot.server_start is 'Start of the server under which that was. Under any other it is due again: a restored backup or a promoted standby may know less than Kafka.';
comment on column migrator.slot.tainted is 'Transactions after which the producer was replaced as a precaution.';
comment on column migrator.slot.restarts is 'Starts of the Kafka client process.';

create table migrator.chunk (
  id uuid primary key,
  migration_id bigint not null references migrator.migration on delete cascade,
  task_id bigint not null,
  kind text not null check (kind in ('FIELDS', 'LINKS', 'CHECK')),
  table_name text not null,
  range_from text[] not null,
  range_to text[] not null,
  server text not null,
  slot integer not null,
  claim_xid xid not null,
  finish_xid xid,
  rows bigint not null,
  rows_skipped bigint not null,
  rows_failed bigint not null,
  refused text[],
  bytes bigint not null,
  reading interval,
  encoding interval,
  writing interval,
  publishing interval,
  state text not null default 'CLAIMED' check (state in ('CLAIMED', 'DONE', 'RELEASED')),
  marker_offset bigint,
  claimed_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  finished_at timestamp with time zone
);
create unique index chunk_claimed_once_a_slot on migrator.chunk (server, slot) where state = 'CLAIMED';
create index chunk_migration on migrator.chunk (migration_id, table_name);
comment on table migrator.chunk is 'What was claimed and published together: one Kafka transaction each. Also tells when a row was acknowledged.';
comment on column migrator.chunk.id is 'Random; the marker in Kafka bears it. Another one whenever the chunk is published again with fewer rows.';
comment on column migrator.chunk.migration_id is 'The migration.';
comment on column migrator.chunk.task_id is 'The task in <in_schema>.task.';
comment on column migrator.chunk.kind is 'FIELDS, LINKS or CHECK (reference check).';
comment on column migrator.chunk.table_name is 'The table, without its schema.';
comment on column migrator.chunk.range_from is 'First key of the chunk.';
comment on column migrator.chunk.range_to is 'Last key of the chunk.';
comment on column migrator.chunk.server is 'Foreign server.';
comment on column migrator.chunk.slot is 'Slot that published it.';
comment on column migrator.chunk.claim_xid is 'Transaction that set the rows to ON_WORK: a row that bears another one was changed meanwhile.';
comment on column migrator.chunk.finish_xid is 'Transaction that set the rows to DONE.';
comment on column migrator.chunk.rows is 'Messages: one a row, for CHECK one an owner.';
comment on column migrator.chunk.rows_skipped is 'Rows of the range that had nothing to migrate.';
comment on column migrator.chunk.rows_failed is 'Rows of the range that went to err.';
comment on column migrator.chunk.refused is 'CHECK: owners whose message the broker does not take.';
comment on column migrator.chunk.bytes is 'Bytes of all messages.';
comment on column migrator.chunk.reading is 'Time spent reading the rows.';
comment on column migrator.chunk.encoding is 'Time spent making messages of them.';
comment on column migrator.chunk.writing is 'Time spent setting their statuses.';
comment on column migrator.chunk.publishing is 'Time from the first byte sent to Kafka to its commit. Null: not known, since a recovery lay in between.';
comment on column migrator.chunk.state is 'CLAIMED, DONE (committed in Kafka and here) or RELEASED (given back, not published).';
comment on column migrator.chunk.marker_offset is 'Offset of the marker in its partition.';
comment on column migrator.chunk.claimed_at is 'When the rows were claimed.';
comment on column migrator.chunk.finished_at is 'When they became DONE: the acknowledgement of Kafka lies just before.';

select pg_catalog.pg_extension_config_dump('migrator.slot', '');
select pg_catalog.pg_extension_config_dump('migrator.chunk', '');
